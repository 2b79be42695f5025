"""COCO's JSON format: parsed once and checked whole."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sambench.data.json_input import At, names, read
from sambench.data.json_masks import check_runs
from sambench.interfaces import JSON
from sambench.truths import Instances

from ._box_fit import Pair, check_areas, check_fit, check_order
from ._instances import area_of, box_of
from ._outlines import Outline, bounds, read_outline, to_rle, within_reach

PIXELS = 2**31
"""pycocotools counts the pixels of an image in 32 bits."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One entry of ``images``.

    Attributes:
        id: as in the file.
        path: the image file.
        size: (H, W).
        at: the entry, for what only some formats have.
    """

    id: int | str
    path: Path
    size: tuple[int, int]
    at: At


@dataclass(frozen=True, slots=True)
class Annotation:
    """One entry of ``annotations``.

    Attributes:
        id: as in the file; its place, counted from 1, where the format has no ids.
        category: its id; 0 where there is none.
        outline: polygons, an empty list if nothing is enclosed, or run lengths.
        box: x, y, width, height in pixels as annotated; None where there is none.
        area: in pixels as annotated; None where there is none.
        crowd: a region of many objects.
        size: (H, W) of its image.
    """

    id: int | str
    category: int
    outline: Outline
    box: list[float] | None
    area: float | None
    crowd: bool
    size: tuple[int, int]


@dataclass(frozen=True)
class CocoFile:
    """Content of a COCO-format JSON.

    Attributes:
        path: where it was read.
        images: id as string -> entry, in ascending order of the id.
        annotations: image id as string -> its annotations, in the order of the file.
        categories: id -> name; empty where the file has none.
        category_entries: id -> entry, for what only some formats have.
    """

    path: Path
    images: dict[str, Picture]
    annotations: dict[str, list[Annotation]]
    categories: dict[int, str]
    category_entries: dict[int, At] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """How a COCO-format file is meant, where formats differ.

    Attributes:
        locate: an entry of ``images`` -> its file.
        outlined: every annotation must enclose something.
        boxes: boxes and areas are in pixels, and are read.
        categories: what an annotation is of must be listed.
    """

    locate: Callable[[At], Path]
    outlined: bool = True
    boxes: bool = True
    categories: bool = True


def inside(folder: Path, at: At, name: str | None = None) -> Path:
    """The file of an image in a folder; its name may have folders before it.

    Args:
        folder: of the images.
        at: the name as the JSON has it, for messages.
        name: relative to folder, if not what at is.

    Raises:
        UserError: it is not text, or leads out of the folder.
    """
    name = at.text() if name is None else name
    if "\0" in name or name.encode(errors="ignore").decode() != name:
        at.fail("is not a name that a file can have")
    path = folder / name
    whole, within = map(os.path.abspath, (path, folder))  # links stay as they are
    if not Path(whole).is_relative_to(within):
        at.fail(
            f'is "{name}", which is not in the folder of images {folder}',
            "give a folder that holds all images, or correct the file",
        )
    if "\\" in name and not path.exists():  # written on Windows
        return folder / name.replace("\\", "/")
    return path


def read_coco(path: Path, layout: Layout) -> CocoFile:
    """Read and check a COCO-format JSON.

    Raises:
        UserError: a field has no value of its type or range, an id occurs twice, an annotation
            refers to what the file does not list, a polygon is too far away or run lengths are
            damaged, or boxes do not fit the masks.
    """
    top = read(path)
    _require_coco(top)
    images = {str(picture.id): picture for picture in _pictures(top, layout.locate)}
    entries = (
        {e["id"].whole(): e for e in distinct(top["categories"])} if top.get("categories") else {}
    )
    categories = {id: entry["name"].text() for id, entry in entries.items()}
    grouped: dict[str, list[Annotation]] = {}
    read_ones: list[tuple[At, Annotation]] = []
    for at in distinct(top["annotations"]):
        image = _image_of(at, images)
        annotation = read_annotation(at, images[image].size, boxes=layout.boxes)
        if layout.categories:
            _require_category(at, categories)
        if layout.outlined:
            require_outline(at, annotation)
        grouped.setdefault(image, []).append(annotation)
        read_ones.append((at, annotation))
    check_annotations(read_ones)
    return CocoFile(path, images, grouped, categories, entries)


def _require_coco(top: At) -> None:
    """Say what a file of another kind is."""
    if isinstance(top.value, list):
        entry = top.value[0] if top.value else {}
        if isinstance(entry, dict) and "image_id" in entry and "score" in entry:
            top.fail(
                "is a results file, a list of detections",
                "give the annotation file here, and results as detections= or --predictions",
            )
    if not isinstance(top.value, dict):
        top.expected('an object with the lists "images" and "annotations"')
    if "image" in top and "annotations" in top:
        top.fail("is of SA-1B, one file for each image", "give the folder as sa1b:root=")
    for part in ("images", "annotations"):
        if not isinstance(top[part].value if part in top else None, list):
            top.fail(f'has no list "{part}"', "give a COCO-format file")
    first = top["annotations"].items()[:1]
    if first and "segments_info" in first[0]:
        top.fail("is of COCO panoptic", "give the folder as coco_panoptic:root=")


def distinct(at: At) -> Iterator[At]:
    """The entries of a list, each with an id of its own, whether number or text."""
    seen: dict[str, At] = {}
    for entry in at.items():
        id = entry["id"].id()
        first = seen.setdefault(str(id), entry)
        if first is not entry:
            same = type(first["id"].id()) is type(id)
            way = "" if same else ", once as a number and once as text"
            entry.fail(
                f"has the id {id}, which {first.place} has too{way}", "give each an id of its own"
            )
        yield entry


def _pictures(top: At, locate: Callable[[At], Path]) -> list[Picture]:
    found = [
        Picture(entry["id"].id(), locate(entry), size_of(entry), entry)
        for entry in distinct(top["images"])
    ]
    return sorted(found, key=lambda picture: order(picture.id))


def size_of(entry: At) -> tuple[int, int]:
    """(H, W) of an entry with ``height`` and ``width``."""
    height, width = entry["height"].whole(1), entry["width"].whole(1)
    if height * width >= PIXELS:
        entry.fail(f"has {width} x {height} pixels, more than a mask can have")
    return height, width


def order(id: int | str) -> tuple[bool, int, str]:
    """Key to sort ids by: those that are numbers come first, by value."""
    return (False, id, "") if isinstance(id, int) else (True, 0, id)


def _image_of(at: At, images: Mapping[str, Picture]) -> str:
    """Id of the image that an annotation belongs to, as string."""
    id = at["image_id"].id()
    if str(id) not in images:
        at.fail(f"belongs to image {id}, which the file does not list")
    return str(id)


def read_annotation(
    at: At, size: tuple[int, int], *, boxes: bool = True, id: int | None = None
) -> Annotation:
    """Read an annotation of an image of size (H, W).

    Args:
        at: the entry.
        size: of the image.
        boxes: whether its box and area are in pixels, and are read.
        id: for an entry without one.
    """
    category, crowd = at.get("category_id"), at.get("iscrowd")
    segmentation = at["segmentation"]
    box, area = (at.get("bbox"), at.get("area")) if boxes else (None, None)
    return Annotation(
        at["id"].id() if id is None else id,
        0 if category is None else category.whole(),
        [] if segmentation.value is None else read_outline(segmentation, size),
        None if box is None else _box(box, size),
        None if area is None else _area(area, size),
        False if crowd is None else crowd.flag(),
        size,
    )


def _box(at: At, size: tuple[int, int]) -> list[float]:
    box = at.numbers(4, "a list [x, y, width, height] of numbers")
    if not within_reach(box, size):
        at.fail(f"is {box}, far outside the image of {size[1]} x {size[0]} pixels")
    for side in (2, 3):
        if box[side] < 0:
            At(at.value[side], at, side).fail(
                f"is {box[side]:g}, a {'width' if side == 2 else 'height'} below 0",
                "write x, y, width, height",
            )
    return box


def _area(at: At, size: tuple[int, int]) -> float:
    area = at.number(0)
    if area > 1.01 * size[0] * size[1]:  # polygons may reach a little beyond the image
        at.fail(f"is {area:g}, more than the {size[0] * size[1]} pixels of the image")
    return area


def _require_category(at: At, categories: Mapping[int, str]) -> None:
    if not categories:
        return
    id = at["category_id"].whole()
    if id not in categories:
        known = names(sorted(categories), 5)
        at["category_id"].fail(f"is {id}, which is none of the listed categories {known}")


def require_outline(at: At, annotation: Annotation) -> None:
    """Refuse an annotation that encloses nothing.

    Raises:
        UserError: it does not.
    """
    if annotation.outline:
        return
    if at["segmentation"].value:
        at["segmentation"].fail("has no polygon of three corners or more")
    at.fail("has no segmentation, only a box", "give masks, or leave the annotation out")


def check_annotations(annotations: Sequence[tuple[At, Annotation]]) -> None:
    """Check what takes all masks: run lengths and their order, and that boxes and areas fit.

    Raises:
        UserError: see `check_runs`, `check_fit` and `check_order`.
    """
    encoded = [(at, a) for at, a in annotations if isinstance(a.outline, dict)]
    spans = check_runs(
        (at["segmentation"], a.outline) for at, a in encoded if isinstance(a.outline, dict)
    )
    spanned = [
        *((at, a, span) for (at, a), span in zip(encoded, spans, strict=True) if any(span)),
        *(
            (at, a, bounds(a.outline))
            for at, a in annotations
            if isinstance(a.outline, list) and a.outline
        ),
    ]
    pairs = [
        (Pair(at["bbox"], a.box, span, a.size), a)
        for at, a, span in spanned
        if a.box and not a.crowd
    ]
    for pair, annotation in pairs:
        if isinstance(annotation.outline, dict):
            check_order(pair, annotation.outline)
    check_fit([pair for pair, _ in pairs])
    check_areas([(at["area"], a.area, span) for at, a, span in spanned if a.area is not None])


def joined(path: Path, files: Mapping[str, CocoFile]) -> CocoFile:
    """Several files as one; an image's id is the file's name and its own: train-1.

    Args:
        path: what stands for them in messages.
        files: name -> file; categories of all are taken to be the same.
    """
    return CocoFile(
        path,
        {f"{name}-{id}": p for name, file in files.items() for id, p in file.images.items()},
        {f"{name}-{id}": a for name, file in files.items() for id, a in file.annotations.items()},
        {id: title for file in files.values() for id, title in file.categories.items()},
    )


def annotated_instances(
    size: tuple[int, int], annotations: Sequence[Annotation], extra: JSON
) -> Instances:
    """Annotations of one image of size (H, W) -> objects."""
    rles = [to_rle(annotation.outline, size) for annotation in annotations]
    pairs = list(zip(annotations, rles, strict=True))
    return Instances(
        size=size,
        rles=tuple(rles),
        ids=tuple(annotation.id for annotation in annotations),  # type: ignore[misc]
        categories=np.array([a.category for a in annotations], dtype=np.int64),
        boxes=np.array([_corners(*pair) for pair in pairs], dtype=np.float64).reshape(-1, 4),
        areas=np.array([_pixels(*pair) for pair in pairs], dtype=np.float64),
        crowd=np.array([a.crowd for a in annotations], dtype=bool),
        extra=extra,
    )


def _corners(annotation: Annotation, rle: JSON) -> Iterable[float]:
    """XYXY."""
    if annotation.box is None:
        return box_of(rle)
    x, y, w, h = annotation.box
    return x, y, x + w, y + h


def _pixels(annotation: Annotation, rle: JSON) -> float:
    return area_of(rle) if annotation.area is None else annotation.area
