"""Your own data: LabelMe's JSON files, one beside each image."""

import base64
import binascii
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard
from sambench.sources import require

from ._coco_json import read_json
from ._own import (
    Item,
    Page,
    Pages,
    all_images,
    field,
    id_of,
    item_of,
    label_of,
    matched_size,
    place,
)
from ._shapes import Extent, Shape, corner, ellipse, pasted, polygon, rectangle

TWO = 2
"""Points of a circle, and of a box that is given by opposite corners."""
TURNED = ("oriented_rectangle", "rotation")
"""Boxes at an angle, as LabelMe and X-AnyLabeling call them."""


class Labelme(Pages):
    """Polygons, rectangles, circles and masks drawn with LabelMe.

    Shapes of one label and one ``group_id`` are one object. The image is the file that
    ``imagePath`` names, relative to the JSON file; the copy in ``imageData`` is used where that
    file is missing. Points and lines have no area: they are refused, or left out with ``skip``.

    Args:
        root: folder with the JSON files, in it or in folders below.
        images: folder of the images, found there by their names, instead of ``imagePath``.
        unlabelled: what an image below root without a JSON file is: refuse (nobody knows), skip
            (not annotated yet) or empty (without objects).
        skip: kinds of shape to leave out, separated by ``+``, such as point+linestrip; empty
            stands for shapes that enclose no pixel.

    Raises:
        UserError: a file is missing, is no LabelMe file, or has a shape that cannot be read.
    """

    card = DatasetCard(
        name="labelme",
        title="your own LabelMe annotations",
        licence="as their owner says",
        citation="none",
        steps="give the folder with the JSON files as labelme:root=DIR",
    )

    def __init__(
        self,
        root: str = "",
        images: str = "",
        unlabelled: Literal["refuse", "skip", "empty"] = "refuse",
        skip: str = "",
    ) -> None:
        if not root:
            raise UserError(f"labelme needs a folder; {self.card.steps}.")
        self.root = require(Path(root).expanduser(), type(self))
        self.images = require(Path(images).expanduser(), type(self)) if images else None
        left_out = frozenset(skip.split("+"))
        files = sorted(path for path in self.root.rglob("*.json") if path.name[0] != ".")
        pages = [partial(_page, file, self.root, self.images, left_out) for file in files]
        super().__init__([*pages, *self._unlabelled(files, unlabelled)], skip)

    def _unlabelled(self, files: list[Path], choice: str) -> list[Callable[[], Page]]:
        """Pages of images without a JSON file of their name, or of one that names them."""
        named = {id_of(file, self.root) for file in files}
        found = [path for path in all_images(self.root) if id_of(path, self.root) not in named]
        if found and choice == "refuse":
            used = {_image_file(read_json(file), file, self.images).resolve() for file in files}
            found = [path for path in found if path.resolve() not in used]
        if found and choice == "refuse":
            raise UserError(
                f"{found[0]} has no JSON file ({len(found)} of the images in {self.root} have "
                "none); give unlabelled=skip to leave such images out, or unlabelled=empty if they "
                "show no objects."
            )
        return [partial(_empty, path, self.root) for path in found if choice == "empty"]

    def read_image(self, id: str) -> NDArray[np.uint8]:
        """See `Dataset`; from the JSON file where there is no other."""
        path = self.image_path(id)
        return _embedded(path) if path.suffix.lower() == ".json" else super().read_image(id)

    def size_of_image(self, id: str) -> tuple[int, int]:
        """(H, W)."""
        path = self.image_path(id)
        if path.suffix.lower() == ".json":
            return self.pages[id].size  # was compared when the file was read
        return super().size_of_image(id)


def _empty(path: Path, root: Path) -> Page:
    return Page(id_of(path, root), path, (), matched_size(path, path, None, None), ())


def _image_file(content: JSON, file: Path, images: Path | None) -> Path:
    """The image that a JSON file names; paths may be written as Windows does."""
    written = content.get("imagePath")
    if not isinstance(written, str) or not written or not isinstance(content.get("shapes"), list):
        raise UserError(
            f'{file} has no "imagePath" or no list "shapes", so it is no LabelMe file; take '
            "it away."
        )
    relative = Path(written.replace("\\", "/"))
    return images / relative.name if images else file.parent / relative


def _page(file: Path, root: Path, images: Path | None, skip: frozenset[str]) -> Page:
    content = read_json(file)
    image = _image_file(content, file, images)
    width, height = content.get("imageWidth"), content.get("imageHeight")
    if image.is_file():
        size = matched_size(image, file, width, height)
    elif content.get("imageData") and not images:
        image, pixels = file, _embedded(file, content)
        size = (pixels.shape[0], pixels.shape[1])
        if (height, width) not in (size, (None, None)):
            raise UserError(
                f'{file}: its "imageData" is {size[1]} x {size[0]} pixels, but it was made for '
                f"{width} x {height}; put the image that was annotated at {content['imagePath']}."
            )
    else:
        raise UserError(
            f'{file} names the image {image}, which is missing, and has no copy in "imageData"; '
            "put it there, or give its folder as images=DIR."
        )
    items: list[Item] = []
    for number, shape in enumerate(content["shapes"]):
        where = f"shapes[{number}]"
        with place(file, where):
            items += _items(where, shape, skip, size)
    return Page(id_of(file, root), image, (file,), size, tuple(items))


def _items(where: str, shape: Any, skip: frozenset[str], size: tuple[int, int]) -> Iterator[Item]:
    label = label_of(field(shape, "label", object, "a name"))
    kind = shape.get("shape_type") or "polygon"  # files of early versions have none
    if not isinstance(kind, str):
        raise ValueError(f"has the shape_type {str(kind)[:40]!r}, which is not a name")
    group = shape.get("group_id")
    yield from item_of(
        where,
        kind,
        label,
        partial(_shape, kind, shape, size),
        skip=skip,
        group="" if group is None else str(group),
        box=kind == "rectangle",
    )


def _shape(kind: str, entry: JSON, size: tuple[int, int]) -> Shape | None:
    points = field(entry, "points", list, "a list of points")
    if kind == "polygon":
        return polygon(points)
    if kind in TURNED or (kind == "rectangle" and len(points) == 2 * TWO):
        return polygon(points)
    if kind not in ("rectangle", "circle", "mask"):
        return None
    if len(points) != TWO:
        raise ValueError(f"is a {kind} of {len(points)} points, expected {TWO}")
    (ax, ay), (bx, by) = map(corner, points)
    if kind == "circle":
        radius = float(np.hypot(bx - ax, by - ay))
        return ellipse(ax, ay, radius, radius)
    if kind == "rectangle":
        return rectangle(min(ax, bx), min(ay, by), abs(bx - ax), abs(by - ay))
    return _patch(field(entry, "mask", str, "a PNG in base64"), (ax, ay, bx, by), size)


@dataclass(frozen=True)
class _Patch:
    """A PNG that covers a part of the image, non-zero where the object is."""

    png: bytes
    left: int
    top: int
    extent: Extent

    def draw(self, size: tuple[int, int]) -> JSON:
        """See `Shape`."""
        with Image.open(io.BytesIO(self.png)) as image:
            return pasted(np.asarray(image), self.left, self.top, size)


def _patch(text: str, corners: Extent, size: tuple[int, int]) -> _Patch:
    """The corners are those of the first and the last pixel that the PNG covers.

    Raises:
        ValueError: the PNG is damaged, is none of one channel, or does not fit its place.
    """
    try:
        png = base64.b64decode(text, validate=True)
        with Image.open(io.BytesIO(png)) as image:
            values = np.asarray(image)
    except (binascii.Error, UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"has a mask that is no PNG in base64 ({error})") from None
    if values.ndim != TWO or len(np.unique(values[values != 0])) > 1:
        raise ValueError("has a mask of several channels or grey values, expected 0 and another")
    height, width = values.shape
    left, top, right, bottom = (round(value) for value in corners)
    whole = all(value == int(value) for value in corners)
    if whole and (right - left + 1, bottom - top + 1) != (width, height):
        raise ValueError(
            f"has a mask of {width} x {height} pixels at ({left}, {top}) to ({right}, {bottom})"
        )
    if left < 0 or top < 0 or left + width > size[1] or top + height > size[0]:
        raise ValueError(
            f"has a mask of {width} x {height} pixels at ({left}, {top}), which is not inside the "
            f"image of {size[1]} x {size[0]}"
        )
    return _Patch(png, left, top, (left, top, left + width, top + height))


def _embedded(file: Path, content: JSON | None = None) -> NDArray[np.uint8]:
    """The image in a JSON file, (H, W, 3) uint8 RGB; LabelMe stores it turned as displayed."""
    text = (content or read_json(file)).get("imageData")
    try:
        data = base64.b64decode(text or "", validate=True)
        with Image.open(io.BytesIO(data)) as image:
            return np.array(image.convert("RGB"), dtype=np.uint8)
    except (binascii.Error, TypeError, ValueError, OSError, SyntaxError) as error:
        raise UserError(
            f'{file} has an "imageData" that is no image in base64 ({error}); put the image beside '
            "the file."
        ) from None
