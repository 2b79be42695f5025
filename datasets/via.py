"""Your own data: the VGG Image Annotator's JSON, of version 1 or 2."""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard

from ._coco_json import read_json
from ._own import Item, Page, Pages, field, id_of, item_of, label_of, matched_size, one_file, place
from ._shapes import Shape, ellipse, number, polygon, rectangle

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
    )

    def __init__(
        self,
        root: str = "",
        annotations: str = "",
        images: str = "",
        label: str = "",
        skip: str = "",
    ) -> None:
        self.annotations, self.images = one_file(type(self), root, annotations, images, ".json")
        entries = _entries(self.annotations)
        left_out = frozenset(skip.split("+"))
        self.label = "" if label == "none" else label or _attribute(self.annotations, entries)
        pages = [
            partial(_page, self.annotations, self.images, key, entry, self.label, left_out)
            for key, entry in entries.items()
        ]
        super().__init__(pages, skip)

    def reading(self) -> JSON:
        """The attribute that is the category, too."""
        return {**super().reading(), "label": self.label}


def _entries(file: Path) -> JSON:
    """Images of a file by key."""
    content = read_json(file)
    entries = content.get(PROJECT, content)
    known = isinstance(entries, dict) and all(
        isinstance(entry, dict) and isinstance(entry.get("regions"), list | dict)
        for entry in entries.values()
    )
    if not known:
        raise UserError(
            f'{file} has entries without "regions"; give a project or an export of annotations '
            "(JSON) of the VGG Image Annotator, version 1 or 2."
        )
    found: JSON = entries
    return found


def _regions(entry: JSON) -> list[Any]:
    """A list in version 2, numbered in version 1."""
    regions = entry["regions"]
    return list(regions.values()) if isinstance(regions, dict) else list(regions)


def _attribute(file: Path, entries: JSON) -> str:
    """The one attribute of the regions, or "" if they have none."""
    found = {
        name
        for entry in entries.values()
        for region in _regions(entry)
        if isinstance(region, dict) and isinstance(region.get("region_attributes"), dict)
        for name in region["region_attributes"]
    }
    if len(found) > 1:
        raise UserError(
            f"{file} has the region attributes {', '.join(sorted(found))}; say which is the "
            "category with label=NAME, or label=none."
        )
    return next(iter(found), "")


def _page(
    file: Path, folder: Path, key: str, entry: JSON, label: str, skip: frozenset[str]
) -> Page:
    with place(file, key):
        name = field(entry, "filename", str, "a name")
    image = folder / name
    size = matched_size(image, file, None, None)
    items: list[Item] = []
    for number_, region in enumerate(_regions(entry)):
        where = f"{name}, regions[{number_}]"
        with place(file, where):
            items += _items(where, region, label, skip)
    return Page(id_of(image, folder), image, (file,), size, tuple(items))


def _items(where: str, region: Any, label: str, skip: frozenset[str]) -> Iterator[Item]:
    shape = field(region, "shape_attributes", dict, "an object")
    kind = field(shape, "name", str, "a name")
    category = ""
    if label:
        attributes = field(region, "region_attributes", dict, "an object")
        category = label_of(field(attributes, label, object, "a name"))
    draw = partial(_shape, kind, shape)
    yield from item_of(where, kind, category, draw, skip=skip, box=kind == "rect")


def _shape(kind: str, shape: JSON) -> Shape | None:
    def value(key: str) -> float:
        return number(field(shape, key, object, "a number"), key)

    if kind == "polygon":
        x = field(shape, "all_points_x", list, "a list")
        y = field(shape, "all_points_y", list, "a list")
        if len(x) != len(y):
            raise ValueError(f"has {len(x)} values of x and {len(y)} of y")
        return polygon([[across, down] for across, down in zip(x, y, strict=True)])
    if kind == "rect":
        return rectangle(*map(value, ("x", "y", "width", "height")))
    if kind == "circle":
        radius = value("r")
        return ellipse(value("cx"), value("cy"), radius, radius)
    if kind == "ellipse":
        angle = math.degrees(number(shape.get("theta", 0), "theta"))
        return ellipse(value("cx"), value("cy"), value("rx"), value("ry"), angle)
    return None
