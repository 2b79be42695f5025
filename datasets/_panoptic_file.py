"""JSON of COCO's panoptic format: parsed once and checked whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sambench.data.json_input import At, read

from ._coco_file import distinct, order

MOST = 2**24 - 1
"""Highest number of a segment that three bytes of colour can hold."""


@dataclass(frozen=True)
class PanopticImage:
    """What the JSON says of one image.

    Attributes:
        id: as in the file.
        image: its file.
        segments: number in the PNG -> category, and whether it is a thing.
        crowd: numbers of regions of many objects.
        at: the annotation.
    """

    id: int | str
    image: Path
    segments: dict[int, tuple[int, bool]]
    crowd: frozenset[int]
    at: At


@dataclass(frozen=True)
class PanopticFile:
    """Annotated images by id, in ascending order, and the entries of categories by id."""

    images: dict[str, PanopticImage]
    categories: dict[int, At]


def read_panoptic(path: Path, locate: Callable[[At], Path]) -> PanopticFile:
    """Read and check a JSON of COCO's panoptic format; ids of images may be numbers or text.

    Args:
        path: the file.
        locate: file name of an image -> its file.

    Raises:
        UserError: a field has no value of its type, an id occurs twice, or something refers to
            what the file does not list.
    """
    top = read(path)
    images = {str(e["id"].id()): locate(e["file_name"]) for e in distinct(top["images"])}
    categories = {e["id"].whole(): e for e in distinct(top["categories"])}
    things = {id: entry["isthing"].flag() for id, entry in categories.items()}
    found: dict[str, PanopticImage] = {}
    for at in top["annotations"].items():
        id = at["image_id"].id()
        if str(id) not in images:
            at.fail(f"belongs to image {id}, which the file does not list")
        if str(id) in found:
            at.fail(f"is of image {id}, as is {found[str(id)].at.place}", "keep one of them")
        found[str(id)] = _image(at, id, images[str(id)], things)
    ordered = sorted(found.items(), key=lambda item: order(item[1].id))
    return PanopticFile(dict(ordered), categories)


def _image(at: At, id: int | str, image: Path, things: Mapping[int, bool]) -> PanopticImage:
    segments: dict[int, tuple[int, bool]] = {}
    crowd = set()
    for segment in distinct(at["segments_info"]):
        number, category = segment["id"].whole(1, MOST), segment["category_id"].whole()
        if category not in things:
            segment["category_id"].fail(f"is {category}, which the categories do not list")
        segments[number] = category, things[category]
        is_crowd = segment.get("iscrowd")
        if is_crowd is not None and is_crowd.flag():
            crowd.add(number)
    return PanopticImage(id, image, segments, frozenset(crowd), at)
