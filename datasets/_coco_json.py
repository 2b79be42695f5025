"""COCO's JSON format: parsed once, checked whole, read image by image."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from sambench.download import sha256
from sambench.errors import UserError
from sambench.images import read_rgb
from sambench.interfaces import JSON, Dataset, DatasetCard, Instances, Segments, T

from ._instances import area_of, box_of, without_empty
from ._segments import from_instances

MIN_COORDINATES = 6
"""A polygon has at least three corners."""


@dataclass(frozen=True)
class CocoFile:
    """Content of a COCO-format JSON.

    Attributes:
        path: where it was read.
        images: id as string -> entry, in ascending order of the id.
        annotations: image id as string -> its annotations, in the order of the file.
        categories: id -> name; empty where the file has none.
        content: all of it as parsed.
    """

    path: Path
    images: dict[str, JSON]
    annotations: dict[str, list[JSON]]
    categories: dict[int, str]
    content: JSON


def read_coco(path: Path, address: str = "file_name") -> CocoFile:
    """Read and check a COCO-format JSON.

    Args:
        path: the file.
        address: key of an image's entry that says where the image is.

    Raises:
        UserError: it is no such file, an entry lacks a key, an id occurs twice, or an annotation
            refers to an image that the file does not list.
    """
    content = read_json(path)
    images = _entries(content, "images", ("id", address, "height", "width"), path)
    annotations = _entries(content, "annotations", ("id", "image_id", "segmentation"), path)
    categories = _entries({"categories": [], **content}, "categories", ("id", "name"), path)
    known = {entry["id"] for entry in images}
    grouped: dict[str, list[JSON]] = defaultdict(list)
    for annotation in annotations:
        if annotation["image_id"] not in known:
            raise UserError(
                f"{path}: annotation {annotation['id']} belongs to image "
                f"{annotation['image_id']}, which the file does not list; correct the file."
            )
        grouped[str(annotation["image_id"])].append(annotation)
    images = sorted(images, key=lambda entry: _order(entry["id"]))
    return CocoFile(
        path,
        {str(entry["id"]): entry for entry in images},
        dict(grouped),
        {entry["id"]: entry["name"] for entry in categories},
        content,
    )


def joined(path: Path, files: Mapping[str, CocoFile]) -> CocoFile:
    """Several files as one; an image's id is the file's name and its own: train-1.

    Args:
        path: what stands for them in messages.
        files: name -> file; categories of all are taken to be the same.
    """
    return CocoFile(
        path,
        {
            f"{name}-{id}": entry
            for name, file in files.items()
            for id, entry in file.images.items()
        },
        {f"{name}-{id}": a for name, file in files.items() for id, a in file.annotations.items()},
        {id: title for file in files.values() for id, title in file.categories.items()},
        {},
    )


def read_json(path: Path) -> JSON:
    """Read a JSON file whose top is an object.

    Raises:
        UserError: it cannot be read, or is something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    except ValueError as error:
        raise UserError(f"{path} is no valid JSON ({error}); fetch it again.") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a JSON {type(content).__name__}, expected an object.")
    return content


def _entries(content: JSON, part: str, keys: Sequence[str], path: Path) -> list[JSON]:
    """One list of the file; each entry has all keys and an id of its own."""
    entries = content.get(part)
    if not isinstance(entries, list):
        raise UserError(f'{path} has no list "{part}"; it is not a COCO-format file.')
    seen: set[int | str] = set()
    for number, entry in enumerate(entries):
        lacking = [key for key in keys if not isinstance(entry, dict) or key not in entry]
        if lacking:
            raise UserError(f'{path}: {part}[{number}] has no "{lacking[0]}"; add it.')
        if not isinstance(entry["id"], int | str) or entry["id"] in seen:
            raise UserError(
                f"{path}: {part}[{number}] has the id {entry['id']!r}, which is no number or name "
                "of its own; give each entry another id."
            )
        seen.add(entry["id"])
    return entries


def _order(id: int | str) -> tuple[int, str]:
    """Ids that are numbers come first, by value."""
    return (id, "") if isinstance(id, int) else (2**63, id)


def to_rle(segmentation: Any, height: int, width: int) -> JSON:
    """Polygons, uncompressed or compressed run lengths -> one compressed run-length encoding.

    Raises:
        ValueError: it is none of these, or does not fit the size; the message completes the
            sentence "annotation 5 ...".
    """
    if isinstance(segmentation, list):
        return _from_polygons(segmentation, height, width)
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= segmentation.keys():
        raise ValueError("has a segmentation that is neither polygons nor run lengths")
    size, counts = segmentation["size"], segmentation["counts"]
    if list(size) != [height, width]:
        raise ValueError(f"has a mask of size {list(size)} in an image of [{height}, {width}]")
    if isinstance(counts, list):
        if sum(counts) != height * width or min(counts) < 0:
            raise ValueError(f"has run lengths that do not add up to {height * width} pixels")
        rle: JSON = coco_mask.frPyObjects(segmentation, height, width)
        return rle
    return _checked({"size": [height, width], "counts": _as_bytes(counts)})


def _from_polygons(polygons: list[Any], height: int, width: int) -> JSON:
    """Parts of fewer than three corners enclose nothing and add nothing."""
    if not polygons:
        raise ValueError("has no segmentation, only a box; masks are needed")
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) % 2:
            raise ValueError("has a polygon that is not a flat list x, y, x, y and so on")
    parts = [polygon for polygon in polygons if len(polygon) >= MIN_COORDINATES]
    if not parts:
        raise ValueError("has no polygon of three corners or more")
    rle: JSON = coco_mask.merge(coco_mask.frPyObjects(parts, height, width))
    return rle


def _as_bytes(counts: Any) -> bytes:
    if not isinstance(counts, str | bytes):
        raise ValueError("has run lengths of an unknown kind")
    return counts.encode() if isinstance(counts, str) else counts


def _checked(rle: JSON) -> JSON:
    """The encoding itself, if it covers its size: pycocotools reads on beyond a short one."""
    from sambench.metrics.rle import runs

    try:
        runs([rle])
    except UserError:
        raise ValueError("has damaged run lengths") from None
    return rle


def own_card(name: str, file: Path) -> DatasetCard:
    """The card of the user's own data in a file of COCO's format."""
    title = f"{file.name} (COCO format)"
    return DatasetCard(name, title, "as its owner says", "none", own=True)


class CocoJson(Dataset):
    """A dataset whose annotations are one COCO-format JSON; subclasses say where the files are.

    Images come in ascending order of their id. Boxes and areas are as annotated, or those of the
    mask where the file has none.

    Args:
        annotations: the JSON file.
        images: folder that the images' file names are relative to.
    """

    truths: ClassVar[tuple[type, ...]] = (Instances,)
    address: ClassVar[str] = "file_name"

    def __init__(self, annotations: Path, images: Path) -> None:
        self.annotations, self.images = annotations, images

    @cached_property
    def file(self) -> CocoFile:
        """The annotation file, parsed."""
        return read_coco(self.annotations, self.address)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Image ids as strings, in ascending order."""
        return tuple(self.file.images)

    @property
    def categories(self) -> dict[int, str]:
        """Category id -> name."""
        return self.file.categories

    @property
    def truth_files(self) -> tuple[Path, ...]:
        """The files that annotations are read from."""
        return (self.annotations,)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the JSON file and the ids in use."""
        text = json.dumps([*map(sha256, self.truth_files), list(self.ids)])
        return hashlib.sha256(text.encode()).hexdigest()

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.images / str(self.file.images[id][self.address])

    def read_image(self, id: str) -> NDArray[np.uint8]:
        """See `Dataset`; an image of another size than annotated is refused."""
        path, entry = self.image_path(id), self.file.images[id]
        image = read_rgb(path, annotated=(entry["height"], entry["width"]))
        if image.shape[:2] != (entry["height"], entry["width"]):
            raise UserError(
                f"{path} has size {image.shape[:2]}, but {self.annotations} says "
                f"{(entry['height'], entry['width'])} (height, width); use the images that belong "
                "to this file."
            )
        return image

    def read_truth(self, id: str, kind: type[T]) -> T:
        """See `Dataset`; segments are instances laid over each other, the rest is void."""
        if kind is Segments:
            return cast(T, from_instances(self._instances(id)))
        assert kind is Instances
        return cast(T, self._instances(id))

    def selected(self, id: str) -> list[JSON]:
        """The annotations of an image that count."""
        return self.file.annotations.get(id, [])

    def beside(self, id: str) -> JSON:
        """What goes to `Instances.extra`."""
        return {"image_id": self.file.images[id]["id"]}

    def _instances(self, id: str) -> Instances:
        entry = self.file.images[id]
        size = (entry["height"], entry["width"])
        return annotated_instances(self.annotations, size, self.selected(id), self.beside(id))


class PromptableCoco(CocoJson):
    """The same without annotations whose mask has no pixel: nothing could be clicked."""

    def selected(self, id: str) -> list[JSON]:
        """Annotations that have an outline."""
        return [a for a in super().selected(id) if _has_outline(a["segmentation"])]

    def _instances(self, id: str) -> Instances:
        return without_empty(super()._instances(id))


def _has_outline(segmentation: Any) -> bool:
    if not isinstance(segmentation, list):
        return True
    return any(not isinstance(p, list) or len(p) >= MIN_COORDINATES for p in segmentation)


def annotated_instances(
    path: Path, size: tuple[int, int], annotations: list[JSON], extra: JSON
) -> Instances:
    """Annotations of COCO's format for one image of size (H, W) -> objects; path is for messages.

    Raises:
        UserError: a mask cannot be read.
    """
    rles = [_rle(path, annotation, *size) for annotation in annotations]
    pairs = list(zip(annotations, rles, strict=True))
    return Instances(
        size=size,
        rles=tuple(rles),
        ids=tuple(annotation["id"] for annotation in annotations),
        categories=np.array([a.get("category_id", 0) for a in annotations], dtype=np.int64),
        boxes=np.array([_box(*pair) for pair in pairs], dtype=np.float64).reshape(-1, 4),
        areas=np.array([_area(*pair) for pair in pairs], dtype=np.float64),
        crowd=np.array([a.get("iscrowd", 0) for a in annotations], dtype=bool),
        extra=extra,
    )


def _rle(path: Path, annotation: JSON, height: int, width: int) -> JSON:
    try:
        return to_rle(annotation["segmentation"], height, width)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path}: annotation {annotation['id']} {error}; correct the file."
        ) from None


def _box(annotation: JSON, rle: JSON) -> NDArray[np.float64]:
    """(4,) XYXY."""
    if "bbox" not in annotation:
        return box_of(rle)
    x, y, w, h = annotation["bbox"]
    return np.array([x, y, x + w, y + h], dtype=np.float64)


def _area(annotation: JSON, rle: JSON) -> float:
    return float(annotation["area"]) if "area" in annotation else area_of(rle)
