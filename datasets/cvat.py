"""Your own data: CVAT's export "CVAT for images 1.1"."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard

from ._own import Reading, decoding_of, id_of, matched_size, named_file, one_file
from ._pages import Item, Page, Pages, item_of, place
from ._shapes import Extent, Shape, ellipse, number, pasted, polygon, rectangle

NOT_DRAWN = ("tag", "attribute")
"""Elements of an image that are not shapes."""


class Cvat(Pages):
    """Polygons, boxes, ellipses and masks of one ``annotations.xml``.

    Shapes of one label and one ``group_id`` other than 0 are one object. Boxes and ellipses may be
    turned. Tags, attributes and what is marked as occluded change nothing. An image of the file
    without shapes shows no objects. Points, polylines, cuboids and skeletons have no area: they
    are refused, or left out with ``skip``. Images that the file names are in ``images`` or in the
    folder of their subset below it.

    Args:
        root: folder with the XML file, the images beside it or in ``images``; or the file itself.
        annotations: the XML file, instead of root.
        images: folder of the images, where it is another.
        skip: kinds of shape to leave out, separated by ``+``, such as points+polyline; empty
            stands for shapes that enclose no pixel.
        ignore: labels of regions whose pixels do not count, separated by ``+``.
        orientation, intensity, page: what images leave open, as for folder.

    Raises:
        UserError: a file is missing, is another export, or has a shape that cannot be read.
    """

    card = DatasetCard(
        name="cvat",
        title="your own CVAT annotations",
        licence="as their owner says",
        citation="none",
        steps="export as CVAT for images 1.1 with images and give the folder as cvat:root=DIR",
        layout="from documentation",
        own=True,
    )

    def __init__(
        self,
        root: str = "",
        annotations: str = "",
        images: str = "",
        skip: str = "",
        ignore: str = "",
        orientation: str = "displayed",
        intensity: str = "",
        page: int = 0,
    ) -> None:
        self.annotations, self.images = one_file(type(self), root, annotations, images, ".xml")
        how = Reading.of(skip, ignore, decoding_of(orientation, intensity, page))
        entries = _images(self.annotations)
        pages = [partial(_page, self.annotations, self.images, e, how) for e in entries]
        super().__init__(pages, how)


class _Plain(ET.TreeBuilder):
    """Refuses document types: with them entities come that make a small file huge."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Called before anything that the type declares is read."""
        raise UserError("has a document type (<!DOCTYPE), which CVAT does not write; remove it")


def _images(file: Path) -> list[ET.Element]:
    """The elements ``image`` of a file."""
    parser = ET.XMLParser(target=_Plain())  # noqa: S314 (no document type, no entities)
    try:
        parser.feed(file.read_bytes())
        root = parser.close()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}); check the path.") from None
    except (ET.ParseError, LookupError, ValueError) as error:  # an unknown encoding, among others
        if isinstance(error, UserError):
            raise UserError(f"{file} {error}.") from None
        raise UserError(f"{file} is not valid XML ({error}); export it again.") from None
    if root.tag != "annotations" or root.find("track") is not None:
        raise UserError(
            f"{file} is not an export for images; export it as CVAT for images 1.1, not for video."
        )
    return root.findall("image")


def _page(file: Path, folder: Path, entry: ET.Element, how: Reading) -> Page:
    name = entry.get("name", "")
    if not name:
        raise UserError(f"{file}: an image has no name; export it again.")
    places = [named_file(part, name) for part in (folder, folder / entry.get("subset", ""))]
    image = next((path for path in places if path.is_file()), places[0])
    with place(file, f"image {name}"):
        given = (int(_value(entry, "height")), int(_value(entry, "width")))
    size = matched_size(image, file, how.decoding, given)
    items: list[Item] = []
    for number_, shape in enumerate(entry, 1):
        where = f"image {name}, shape {number_}"
        if shape.tag not in NOT_DRAWN:
            with place(file, where):
                items.append(_item(where, shape, how, size))
    return Page(id_of(image, folder), image, (file,), size, tuple(items))


def _item(where: str, entry: ET.Element, how: Reading, size: tuple[int, int]) -> Item:
    group, label = entry.get("group_id", "0"), entry.get("label", "").strip()
    if not label:
        raise ValueError("has no label")
    return item_of(
        where,
        entry.tag,
        label,
        partial(_shape, entry, size),
        skip=how.skip,
        group="" if group == "0" else group,
        box=entry.tag == "box",
    )


def _shape(entry: ET.Element, size: tuple[int, int]) -> Shape | None:
    if entry.tag == "polygon":
        points = entry.get("points", "").split(";")
        return polygon([_corner(point) for point in points if point.strip()])
    if entry.tag == "box":
        x0, y0, x1, y1 = (_value(entry, key) for key in ("xtl", "ytl", "xbr", "ybr"))
        return rectangle(x0, y0, x1 - x0, y1 - y0, angle=_value(entry, "rotation", "0"))
    if entry.tag == "ellipse":
        cx, cy, rx, ry = (_value(entry, key) for key in ("cx", "cy", "rx", "ry"))
        return ellipse(cx, cy, rx, ry, _value(entry, "rotation", "0"))
    return _runs(entry, size) if entry.tag == "mask" else None


def _corner(text: str) -> tuple[float, float]:
    x, comma, y = text.partition(",")
    if not comma:
        raise ValueError(f"has the point {text[:40]!r}, expected x,y")
    return number(x, "x"), number(y, "y")


def _value(entry: ET.Element, key: str, default: str = "") -> float:
    return number(entry.get(key, default), key)


@dataclass(frozen=True)
class _Runs:
    """Run lengths along the rows of a box, background first."""

    counts: tuple[int, ...]
    left: int
    top: int
    width: int
    height: int

    @property
    def extent(self) -> Extent:
        """The box."""
        return self.left, self.top, self.left + self.width, self.top + self.height

    def draw(self, size: tuple[int, int]) -> JSON:
        """COCO run-length encoding of the part inside an image of size (H, W)."""
        values = np.arange(len(self.counts)) % 2
        patch = np.repeat(values, self.counts).reshape(self.height, self.width)
        return pasted(patch, self.left, self.top, size)


def _runs(entry: ET.Element, size: tuple[int, int]) -> _Runs:
    values = [_value(entry, key) for key in ("left", "top", "width", "height")]
    counts = [number(text, "a run length") for text in entry.get("rle", "").split(",")]
    if any(value != int(value) or value < 0 for value in [*values, *counts]):
        raise ValueError("has a place or run length that is not a whole number from 0")
    left, top, width, height = map(int, values)
    if sum(counts) != width * height:
        raise ValueError(
            f"has run lengths that add up to {sum(counts):g}, expected {width} x {height}"
        )
    if left + width > size[1] or top + height > size[0]:
        raise ValueError(
            f"has a mask of {width} x {height} pixels at ({left}, {top}), which is not inside the "
            f"image of {size[1]} x {size[0]}"
        )
    return _Runs(tuple(map(int, counts)), left, top, width, height)
