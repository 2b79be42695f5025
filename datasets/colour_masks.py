"""Your own data: masks whose colours are categories, with a table of the colours."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.ndimage import label as components_of

from sambench.data.sources import require
from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard
from sambench.options import Range
from sambench.truths import Instances

from ._colours import coded, read_codes, read_table
from ._files import LABELS
from ._instances import encode, from_rles
from ._own import OwnInstances, decoding_of, images_by_id
from ._shapes import pasted

BLACK = (0, 0, 0)


class ColourMasks(OwnInstances):
    """A mask of category colours for each image, of the same name; a table says what they mean.

    Such masks distinguish categories, not objects. An object is each part of a colour whose pixels
    touch, corners included (``objects=parts``), or all of a colour in an image
    (``objects=colours``): touching objects of a category are one in either case. A colour that the
    table lacks is refused, as smoothed or compressed masks have them at every edge.

    Args:
        images: folder of images; folders in it are read too.
        masks: folder of masks in a lossless format, arranged alike.
        table: file of the colours: ``name,r,g,b`` or ``r g b name`` on each line, or JSON.
        objects: parts or colours.
        background: names in the table that are not objects, separated by ``+``; black too, if the
            table does not name it.
        ignore: names in the table whose pixels do not count, such as void.
        least: parts of fewer pixels are not objects.
        suffix: what a mask's name has more than its image's, such as _mask.
        orientation, intensity, page: what images leave open, as for folder.

    Raises:
        UserError: something is missing, the table cannot be read, or a name is not in it.
    """

    card = DatasetCard(
        name="colour_masks",
        title="your own masks of category colours",
        licence="as their owner says",
        citation="none",
        steps="give all three as colour_masks:images=DIR,masks=DIR,table=FILE",
        layout="from documentation",
        own=True,
    )

    def __init__(
        self,
        images: str = "",
        masks: str = "",
        table: str = "",
        objects: Literal["parts", "colours"] = "parts",
        background: str = "background",
        ignore: str = "",
        least: Annotated[int, Range(0)] = 1,
        suffix: str = "",
        orientation: str = "displayed",
        intensity: str = "",
        page: int = 0,
    ) -> None:
        if not (images and masks and table):
            raise UserError(f"colour_masks needs two folders and a table; {self.card.steps}.")
        self.images = require(Path(images).expanduser(), type(self))
        self.masks = require(Path(masks).expanduser(), type(self))
        self.table_file = require(Path(table).expanduser(), type(self))
        self.decoding = decoding_of(orientation, intensity, page)
        self.objects, self.least, self.suffix = objects, least, suffix
        names = {coded(colour): name for colour, name in read_table(self.table_file).items()}
        names.setdefault(coded(BLACK), "background")
        self.names: Mapping[int, str] = names
        self.background = self._codes(background, "background")
        self.ignored = self._codes(ignore, "ignore")
        self._files = dict(self._pairs())
        wanted = sorted({n for c, n in names.items() if c not in {*self.background, *self.ignored}})
        self._numbers = {name: number for number, name in enumerate(wanted, 1)}
        self.card = replace(
            self.card,
            note=f"Objects are {'touching parts' if objects == 'parts' else 'all pixels'} of one "
            "colour, made from masks of categories.",
        )

    def _codes(self, names: str, option: str) -> frozenset[int]:
        wanted = set(filter(None, names.split("+")))
        unknown = wanted - set(self.names.values()) - {"background"}
        if unknown:
            raise UserError(
                f"{self.table_file} has no {min(unknown)}; give names of it as {option}=."
            )
        codes = {code for code, name in self.names.items() if name in wanted}
        if option == "background" and self.names[coded(BLACK)] == "background":
            codes.add(coded(BLACK))
        return frozenset(codes)

    def _pairs(self) -> Iterator[tuple[str, tuple[Path, Path]]]:
        found = images_by_id(self.masks, LABELS)
        images = images_by_id(self.images)
        if not images:
            raise UserError(f"{self.images} has no images; {self.card.steps}.")
        for id, image in images.items():
            mask = found.pop(id + self.suffix, None)
            if mask is None:
                raise UserError(
                    f"{image} has no mask {id}{self.suffix}.png in {self.masks}; add it, or say "
                    "what its name ends in with suffix=."
                )
            yield id, (image, mask)
        for path in found.values():
            raise UserError(f"{path} belongs to no image in {self.images}; take it away.")

    @property
    def ids(self) -> tuple[str, ...]:
        """Paths of the images below their folder, without ending."""
        return tuple(self._files)

    @property
    def categories(self) -> Mapping[int, str]:
        """Number -> name, in alphabetical order; what is not an object is not among them."""
        return {number: name for name, number in self._numbers.items()}

    def reading(self) -> JSON:
        """The table and the options."""
        return {
            "table": {str(code): name for code, name in sorted(self.names.items())},
            "objects": self.objects,
            "background": sorted(self.background),
            "ignore": sorted(self.ignored),
            "least": self.least,
        }

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self._files[id][0]

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """Its mask."""
        return (self._files[id][1],)

    def instances(self, id: str) -> Instances:
        """Objects by the name of their category, then from top to bottom."""
        path = self._files[id][1]
        codes = read_codes(path)
        used = [int(code) for code in np.unique(codes)]
        for code in used:
            if code not in self.names:
                y, x = np.argwhere(codes == code)[0]
                raise UserError(
                    f"{path}: pixel ({x}, {y}) has the colour {code >> 16},{code >> 8 & 255},"
                    f"{code & 255}, which {self.table_file} does not name; add it, or save masks "
                    "without smoothing and compression."
                )
        unknown = np.isin(codes, list(self.ignored))
        by_name: dict[str, NDArray[np.bool_]] = {}
        for code in used:
            if code not in self.background and code not in self.ignored:
                name = self.names[code]
                by_name[name] = by_name.get(name, np.zeros(codes.shape, bool)) | (codes == code)
        pairs = [
            (self._numbers[name], rle)
            for name in sorted(by_name)
            for rle in self._parts(by_name[name])
        ]
        return from_rles(
            (codes.shape[0], codes.shape[1]),
            [rle for _, rle in pairs],
            categories=[number for number, _ in pairs],
            ignore=unknown if unknown.any() else None,
        )

    def _parts(self, mask: NDArray[np.bool_]) -> Iterator[JSON]:
        """Run lengths of the objects of one colour."""
        if self.objects == "colours":
            yield encode(mask)
            return
        numbered, _ = components_of(mask, structure=np.ones((3, 3)))
        for number, (rows, columns) in enumerate(find_objects(numbered), 1):
            part = numbered[rows, columns] == number
            if part.sum() >= self.least:
                yield pasted(part, columns.start, rows.start, mask.shape)
