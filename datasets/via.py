"""Your own data: the VGG Image Annotator's JSON, of version 1 or 2."""

import math
from functools import partial
from pathlib import Path

from sambench.data.json_input import At, read
from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard

from ._own import Reading, decoding_of, id_of, label_of, matched_size, named_file, one_file
from ._pages import Item, Page, Pages, item_of, place
from ._shapes import Shape, ellipse, polygon, rectangle

PROJECT = "_via_img_metadata"
"""Where a project keeps its annotations; in an export of annotations they are the whole file."""


class Via(Pages):
    """Polygons, rectangles, circles and ellipses of one project or export of annotations.

    The category is the one region attribute that occurs, or that of ``label``. An image of the file
    without regions shows no objects. Points and polylines have no area: they are refused, or left
    out with ``skip``.

    Args:
        root: folder with the JSON file, the images beside it or in ``images``; or the file itself.
        annotations: the JSON file, instead of root.
        images: folder of the images, where it is another.
        label: region attribute that holds the category; none for objects without category.
        skip: kinds of region to leave out, separated by ``+``, such as point+polyline; empty stands
            for regions that enclose no pixel.
        ignore: labels of regions whose pixels do not count, separated by ``+``.
        orientation, intensity, page: what images leave open, as for folder.

    Raises:
        UserError: a file is missing, is of another kind, or has a region that cannot be read; or
            there are several attributes and none is chosen.
    """

    card = DatasetCard(
        name="via",
        title="your own annotations of the VGG Image Annotator",
        licence="as their owner says",
        citation="none",
        steps="give the folder with the JSON file and the images as via:root=DIR",
        layout="from documentation",
        own=True,
    )

    def __init__(
        self,
        root: str = "",
        annotations: str = "",
        images: str = "",
        label: str = "",
        skip: str = "",
        ignore: str = "",
        orientation: str = "displayed",
        intensity: str = "",
        page: int = 0,
    ) -> None:
        self.annotations, self.images = one_file(type(self), root, annotations, images, ".json")
        entries = _entries(self.annotations)
        how = Reading.of(skip, ignore, decoding_of(orientation, intensity, page))
        self.label = "" if label == "none" else label or _attribute(self.annotations, entries)
        pages = [
            partial(_page, self.annotations, self.images, entry, self.label, how)
            for entry in entries
        ]
        super().__init__(pages, how)

    def reading(self) -> JSON:
        """The attribute that is the category, too."""
        return {**super().reading(), "label": self.label}


def _entries(file: Path) -> list[At]:
    """Images of a file."""
    top = read(file)
    entries = [entry for _, entry in (top.get(PROJECT) or top).members()]
    if not all("regions" in entry for entry in entries):
        raise UserError(
            f'{file} has entries without "regions"; give a project or an export of annotations '
            "(JSON) of the VGG Image Annotator, version 1 or 2."
        )
    return entries


def _regions(entry: At) -> list[At]:
    """A list in version 2, numbered in version 1."""
    regions = entry["regions"]
    if isinstance(regions.value, dict):
        return [region for _, region in regions.members()]
    return regions.items()


def _attribute(file: Path, entries: list[At]) -> str:
    """The one attribute of the regions, or "" if they have none."""
    found = {
        name
        for entry in entries
        for region in _regions(entry)
        for name, _ in region["region_attributes"].members()
    }
    if len(found) > 1:
        raise UserError(
            f"{file} has the region attributes {', '.join(sorted(found))}; say which is the "
            "category with label=NAME, or label=none."
        )
    return next(iter(found), "")


def _page(file: Path, folder: Path, entry: At, label: str, how: Reading) -> Page:
    name = entry["filename"]
    image = named_file(folder, name.text())
    with place(file, name.place):
        size = matched_size(image, file, how.decoding)
    items: list[Item] = []
    for region in _regions(entry):
        with place(file, region.place):
            items.append(_item(region, label, how))
    return Page(id_of(image, folder), image, (file,), size, tuple(items))


def _item(region: At, label: str, how: Reading) -> Item:
    shape = region["shape_attributes"]
    kind = shape["name"].text()
    category = label_of(region["region_attributes"][label]) if label else ""
    draw = partial(_shape, kind, shape)
    return item_of(region.place, kind, category, draw, skip=how.skip, box=kind == "rect")


def _shape(kind: str, shape: At) -> Shape | None:
    if kind == "polygon":
        x, y = shape["all_points_x"].numbers(), shape["all_points_y"].numbers()
        if len(x) != len(y):
            shape.fail(f"has {len(x)} values of x and {len(y)} of y")
        return polygon(zip(x, y, strict=True))
    if kind == "rect":
        return rectangle(*(shape[key].number() for key in ("x", "y", "width", "height")))
    if kind == "circle":
        radius = shape["r"].number()
        return ellipse(shape["cx"].number(), shape["cy"].number(), radius, radius)
    if kind == "ellipse":
        cx, cy, rx, ry = (shape[key].number() for key in ("cx", "cy", "rx", "ry"))
        theta = shape.get("theta")
        return ellipse(cx, cy, rx, ry, math.degrees(theta.number()) if theta else 0.0)
    return None
