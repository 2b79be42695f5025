"""Your own data: a folder of images, and one of masks or of boundary maps."""

import math
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import cast

from sambench.data.images import Decoding, Intensity, image_size
from sambench.data.sources import require
from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard, T
from sambench.truths import Boundaries, Instances

from ._files import InstanceFiles
from ._folder_boundaries import BoundaryReading, pair_boundaries
from ._folder_files import Owned, pair
from ._folder_masks import MaskReading
from ._instances import from_rles


class Folder(InstanceFiles):
    """Images and masks that belong together by their names, in folders of any depth.

    For an image ``x.jpg`` the masks are one of

    * ``x.png``, or ``x_mask.png``, ``x_masks.png`` and the like: 0 is background, every other value
      one object; a binary mask is one object; of a file with several pages each is one object;
    * ``x/*.png``: one file for each object, its one value beside background is the object;
    * ``x_*.png``: the same without a folder of its own.

    Masks are PNG, TIFF, BMP, GIF, NumPy files, or with threshold= JPEG and WebP. What could be read
    in two ways is refused, and the message names the option that settles it; see docs/data.md.

    With ``boundaries`` instead of masks, the truth is a map of thin lines, 255 on 0, for each
    annotator: ``x.png``; or ``x_1.png``, ``x/1.png`` or ``1/x.png`` and so on for several.

    Args:
        images: folder of images.
        masks: folder of masks; it may be the same, for ``x.png`` and ``x_mask.png``.
        background: values that are background, separated by ``+``.
        ignore: values of pixels that do not count, separated by ``+``.
        threshold: for soft, smooth or compressed masks: what is as bright or brighter is the one
            object of a file.
        objects: "colours" takes each colour of a mask as an object, black being the background;
            "values" takes each value as one even where the values look like grey levels.
        without_mask: an image without a mask is "empty", without objects, or "skip", left out.
        orientation: masks were drawn on the "displayed" image, as EXIF data turn it, or on the
            "stored" pixels.
        intensity: how images of more than 8 bits become 8 bits: full, minmax, percentile or LO..HI.
        page: the page or frame to read of files that have several, from 1; of masks too.
        boundaries: folder of boundary maps, instead of masks.
        spacing: size of a pixel in a unit of yours, for distances: 0.5, or ROWS+COLUMNS such as
            0.5+0.8; distances are in pixels where it is not given.

    Raises:
        UserError: a folder is missing or not given, or an option is unknown.
    """

    card = DatasetCard(
        name="folder",
        title="your own images and masks",
        licence="as their owner says",
        citation="none",
        steps="give the folders as folder:images=DIR,masks=DIR or folder:images=DIR,boundaries=DIR",
        own=True,
    )
    truths: tuple[type, ...] = (Instances, Boundaries)
    neutral = frozenset({"images", "masks", "boundaries"})

    def __init__(
        self,
        images: str = "",
        masks: str = "",
        background: str = "0",
        ignore: str = "",
        threshold: float = 0.0,
        objects: str = "",
        without_mask: str = "",
        orientation: str = "displayed",
        intensity: str = "",
        page: int = 0,
        boundaries: str = "",
        spacing: str = "",
    ) -> None:
        if not images or bool(masks) == bool(boundaries):
            raise UserError(f"folder needs two folders; {self.card.steps}.")
        if without_mask not in ("", "empty", "skip"):
            raise UserError(f"without_mask={without_mask} is unknown; give empty or skip.")
        self.images = require(Path(images).expanduser(), type(self))
        self.masks = require(Path(masks or boundaries).expanduser(), type(self))
        self.truths = (Boundaries,) if boundaries else (Instances,)
        if boundaries and (ignore or objects or spacing):
            raise UserError(
                "ignore=, objects= and spacing= are for masks; leave them out with boundaries=."
            )
        values = _values(background), _values(ignore)
        self.mask_reading = MaskReading(*values, threshold, objects, page)
        self.boundary_reading = BoundaryReading(values[0], threshold, page)
        self.decoding = Decoding(orientation, Intensity.parse(intensity), page, "{}=")
        self.without_mask = without_mask
        self.spacing = _spacing(spacing)
        others = {
            "threshold": threshold,
            "objects": objects,
            "without_mask": without_mask,
            "orientation": orientation.replace("displayed", ""),
            "intensity": intensity,
            "page": page,
            "spacing": self.spacing,
        }
        self.given = {name: value for name, value in others.items() if value}
        self.card = replace(self.card, title=f"images of {self.images.name}")

    @cached_property
    def _files(self) -> dict[str, Owned]:
        """Id -> image and its masks or boundary maps."""
        if Boundaries in self.truths:
            return pair_boundaries(self.images, self.masks, self.without_mask)
        return pair(self.images, self.masks, self.without_mask)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Paths of the images below their folder, without ending, sorted as text."""
        return tuple(self._files)

    def reading(self) -> JSON:
        """Background, ignored values, and the other options that were given."""
        masks = self.mask_reading
        values = {"background": list(masks.background), "ignore": list(masks.ignore)}
        return values | self.given

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self._files[id].image

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """Files of its masks or boundary maps; none where it has no objects."""
        return self._files[id].masks

    def read_truth(self, id: str, kind: type[T]) -> T:
        """Objects or boundaries of an image, of its size."""
        if kind is not Boundaries:
            return super().read_truth(id, kind)
        size = image_size(self.image_path(id), self.decoding)
        return cast(T, self.boundary_reading.read(self.truth_paths(id), size))

    def annotated_size(self, id: str) -> tuple[int, int] | None:
        """The size of the masks; boundary maps are held against the image as displayed."""
        return None if Boundaries in self.truths else super().annotated_size(id)

    def instances(self, id: str) -> Instances:
        """The objects of an image; with ``spacing`` among the extras if it was given."""
        found = self._objects(id)
        if not self.spacing:
            return found
        return replace(found, extra={**found.extra, "spacing": self.spacing})

    def _objects(self, id: str) -> Instances:
        owned = self._files[id]
        size = image_size(owned.image, self.decoding)
        if not owned.masks:
            return from_rles(size, [])
        if owned.whole:
            return self.mask_reading.whole(owned.masks[0], size)
        return self.mask_reading.singles(owned.masks, size)


def _values(text: str) -> tuple[int, ...]:
    """``0+255`` -> (0, 255)."""
    try:
        return tuple(int(part) for part in text.split("+")) if text else ()
    except ValueError:
        raise UserError(f"{text} is not a list of whole numbers; write them as 0+255.") from None


def _spacing(text: str) -> tuple[float, ...]:
    """``0.5+0.8`` -> (0.5, 0.8), ``0.5`` -> (0.5, 0.5), nothing if there is none."""
    try:
        sides = tuple(float(part) for part in text.split("+")) if text else ()
    except ValueError:
        sides = (0.0,)
    if any(not 0 < side < math.inf for side in sides) or len(sides) > 2:
        raise UserError(f"spacing={text} is not a size above 0; give 0.5, or rows+columns 0.5+0.8.")
    return sides * 2 if len(sides) == 1 else sides
