"""Your own data: LabelMe's JSON files, one beside each image."""

import base64
import binascii
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sambench.data.images import read_rgb
from sambench.data.json_input import At, read
from sambench.data.sources import require
from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard

from ._own import Reading, all_images, decoding_of, folder_of, id_of, label_of, matched_size
from ._pages import IGNORED, Item, Page, Pages, item_of, place
from ._shapes import Extent, Shape, corners_of, ellipse, pasted, polygon, rectangle

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
        ignore: labels of regions whose pixels do not count, separated by ``+``.
        orientation, intensity, page: what images leave open, as for folder.

    Raises:
        UserError: a file is missing, is not a LabelMe file, or has a shape that cannot be read.
    """

    card = DatasetCard(
        name="labelme",
        title="your own LabelMe annotations",
        licence="as their owner says",
        citation="none",
        steps="give the folder with the JSON files as labelme:root=DIR",
        layout="from documentation",
        own=True,
    )

    def __init__(
        self,
        root: str = "",
        images: str = "",
        unlabelled: Literal["refuse", "skip", "empty"] = "refuse",
        skip: str = "",
        ignore: str = IGNORED,
        orientation: str = "displayed",
        intensity: str = "",
        page: int = 0,
    ) -> None:
        self.root = folder_of(type(self), root)
        self.images = require(Path(images).expanduser(), type(self)) if images else None
        how = Reading.of(skip, ignore, decoding_of(orientation, intensity, page))
        files = sorted(path for path in self.root.rglob("*.json") if path.name[0] != ".")
        if not files:
            raise UserError(f"{self.root} has no JSON files; {self.card.steps}.")
        pages = [partial(_page, file, self.root, self.images, how) for file in files]
        super().__init__([*pages, *self._unlabelled(files, unlabelled, how)], how)

    def _unlabelled(self, files: list[Path], choice: str, how: Reading) -> list[Callable[[], Page]]:
        """Pages of images without a JSON file of their name, or of one that names them."""
        named = {id_of(file, self.root) for file in files}
        found = [path for path in all_images(self.root) if id_of(path, self.root) not in named]
        if found and choice == "refuse":
            used = {_image_file(read(file), self.images).resolve() for file in files}
            found = [path for path in found if path.resolve() not in used]
        if found and choice == "refuse":
            raise UserError(
                f"{found[0]} has no JSON file ({len(found)} of the images in {self.root} have "
                "none); give unlabelled=skip to leave such images out, or unlabelled=empty if they "
                "show no objects."
            )
        return [partial(_empty, path, self.root, how) for path in found if choice == "empty"]

    def read_image(self, id: str) -> NDArray[np.uint8]:
        """The image (H, W, 3) uint8 RGB; from the JSON file if there is no image file."""
        path = self.image_path(id)
        return (
            _embedded(read(path)["imageData"])
            if path.suffix.lower() == ".json"
            else super().read_image(id)
        )


def _empty(path: Path, root: Path, how: Reading) -> Page:
    return Page(id_of(path, root), path, (), matched_size(path, path, how.decoding), ())


def _image_file(top: At, images: Path | None) -> Path:
    """The image that a JSON file names; paths may be written as Windows does."""
    if "imagePath" not in top or "shapes" not in top:
        top.fail('has no "imagePath" or no "shapes", so it is not a LabelMe file', "take it away")
    relative = Path(top["imagePath"].text().replace("\\", "/"))
    return images / relative.name if images else top.path.parent / relative


def _page(file: Path, root: Path, images: Path | None, how: Reading) -> Page:
    top = read(file)
    image, data = _image_file(top, images), top.get("imageData")
    width, height = top.get("imageWidth"), top.get("imageHeight")
    given = (height.whole(1), width.whole(1)) if width and height else None
    if image.is_file():
        size = matched_size(image, file, how.decoding, given)
    elif data is not None and not images:
        image, pixels = file, _embedded(data)
        size = (pixels.shape[0], pixels.shape[1])
        if given and given != size:
            data.fail(
                f"is {size[1]} x {size[0]} pixels, but the shapes are for {given[1]} x {given[0]}",
                f"put the image that was annotated at {top['imagePath'].value}",
            )
    else:
        top["imagePath"].fail(
            f'is {image}, which is missing, and there is no copy in "imageData"',
            "put it there, or give its folder as images=DIR",
        )
    items: list[Item] = []
    for shape in top["shapes"].items():
        with place(file, shape.place):
            items.append(_item(shape, how, size))
    return Page(id_of(file, root), image, (file,), size, tuple(items))


def _item(shape: At, how: Reading, size: tuple[int, int]) -> Item:
    label = label_of(shape["label"])
    given, group = shape.get("shape_type"), shape.get("group_id")
    kind = given.text() if given is not None else "polygon"  # early versions did not say
    return item_of(
        shape.place,
        kind,
        label,
        partial(_shape, kind, shape, size),
        skip=how.skip,
        group="" if group is None or group.value == "" else str(group.id()),
        box=kind == "rectangle",
    )


def _shape(kind: str, entry: At, size: tuple[int, int]) -> Shape | None:
    if kind not in ("polygon", "rectangle", "circle", "mask", *TURNED):
        return None
    points = corners_of(entry["points"])
    if kind in ("polygon", *TURNED) or (kind == "rectangle" and len(points) == 2 * TWO):
        return polygon(points)
    if len(points) != TWO:
        entry["points"].expected(f"the {TWO} points of a {kind}")
    (ax, ay), (bx, by) = points
    if kind == "circle":
        radius = float(np.hypot(bx - ax, by - ay))
        return ellipse(ax, ay, radius, radius)
    if kind == "rectangle":
        return rectangle(min(ax, bx), min(ay, by), abs(bx - ax), abs(by - ay))
    return _patch(entry["mask"].text(), (ax, ay, bx, by), size)


@dataclass(frozen=True)
class _Patch:
    """A PNG that covers a part of the image, non-zero where the object is."""

    png: bytes
    left: int
    top: int
    extent: Extent

    def draw(self, size: tuple[int, int]) -> JSON:
        """COCO run-length encoding of the part inside an image of size (H, W)."""
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
        raise ValueError(f"has a mask that is not a PNG in base64 ({error})") from None
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


def _embedded(at: At) -> NDArray[np.uint8]:
    """The image in a JSON file, (H, W, 3) uint8 RGB; LabelMe stores it turned as displayed.

    Raises:
        UserError: it is not an image, or is ambiguous in a way that options settle only for files.
    """
    remedy = "put the image beside the file"
    try:
        data = base64.b64decode(at.text(), validate=True)
    except ValueError as error:
        at.fail(f"is not an image in base64 ({error})", remedy)
    with TemporaryDirectory() as folder:
        path = Path(folder, "imageData")
        path.write_bytes(data)
        try:
            return read_rgb(path)
        except UserError as error:
            problem = str(error).removeprefix(str(path)).partition(";")[0].strip().rstrip(".")
            at.fail(problem, remedy)
