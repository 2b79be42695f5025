"""Your own data: Label Studio's JSON export."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard

from ._brush import brush
from ._own import (
    Item,
    Page,
    Pages,
    field,
    id_of,
    item_of,
    label_of,
    matched_size,
    one_file,
    place,
)
from ._shapes import Shape, ellipse, number, polygon, rectangle

NOT_DRAWN = (
    "choices",
    "textarea",
    "rating",
    "number",
    "taxonomy",
    "datetime",
    "relation",
    "labels",
)
"""Results that are no regions of their own; ``labels`` name a region of the same id."""
UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of a file that was uploaded."""


class LabelStudio(Pages):
    """Brush strokes, polygons, rectangles and ellipses of one file in the export format JSON.

    Of a task's annotations the first that was not cancelled counts; predictions never do. An
    annotation without regions shows no objects. Keypoints and other regions without an area are
    refused, or left out with ``skip``. The image of a task is looked for in the folder of images
    under the longest end of its address that exists there, at last its name, with or without the
    eight hexadecimal digits and the hyphen of an upload.

    Args:
        root: folder with the JSON file, the images beside it or in ``images``; or the file itself.
        annotations: the JSON file, instead of root.
        images: folder of the images, where it is another.
        data: key of the image in a task's data; by default image, or the only one there is.
        unlabelled: what a task without an annotation is: refuse (nobody knows), skip (not annotated
            yet) or empty (without objects).
        skip: kinds of region to leave out, separated by ``+``, such as keypoint; empty stands for
            regions that enclose no pixel.

    Raises:
        UserError: a file is missing, is another export, or has a region that cannot be read.
    """

    card = DatasetCard(
        name="label_studio",
        title="your own Label Studio annotations",
        licence="as their owner says",
        citation="none",
        steps="export as JSON and give the folder with it and the images as label_studio:root=DIR",
    )

    def __init__(
        self,
        root: str = "",
        annotations: str = "",
        images: str = "",
        data: str = "",
        unlabelled: Literal["refuse", "skip", "empty"] = "refuse",
        skip: str = "",
    ) -> None:
        self.annotations, self.images = one_file(type(self), root, annotations, images, ".json")
        left_out = frozenset(skip.split("+"))
        super().__init__(self._pages(data, unlabelled, left_out), skip)

    def _pages(
        self, key: str, unlabelled: str, skip: frozenset[str]
    ) -> Iterator[Callable[[], Page]]:
        tasks = [(task, _annotation(task)) for task in _tasks(self.annotations)]
        bare = [task for task, results in tasks if results is None]
        if bare and unlabelled == "refuse":
            raise UserError(
                f"{self.annotations}: task {bare[0].get('id')} has no annotation ({len(bare)} of "
                f"{len(tasks)} tasks have none); give unlabelled=skip to leave such tasks out, or "
                "unlabelled=empty if they show no objects."
            )
        for task, results in tasks:
            if results is not None or unlabelled == "empty":
                yield partial(_page, self.annotations, self.images, task, key, results or [], skip)


def _tasks(file: Path) -> list[JSON]:
    try:
        tasks = json.loads(file.read_bytes())
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}); check the path.") from None
    except ValueError as error:
        raise UserError(f"{file} is no valid JSON ({error}); export it again.") from None
    known = isinstance(tasks, list) and all(
        isinstance(task, dict)
        and isinstance(task.get("annotations"), list)
        and isinstance(task.get("data"), dict)
        for task in tasks
    )
    if not known:
        raise UserError(
            f'{file} is no list of tasks with "annotations" and "data"; export it as JSON, not as '
            "JSON-MIN."
        )
    return list(tasks)


def _annotation(task: JSON) -> list[Any] | None:
    """Results of the first annotation that was not cancelled; None if there is none."""
    for annotation in task["annotations"]:
        if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
            results = annotation.get("result")
            return results if isinstance(results, list) else []
    return None


def _page(
    file: Path, folder: Path, task: JSON, key: str, results: list[Any], skip: frozenset[str]
) -> Page:
    name = f"task {task.get('id')}"
    with place(file, name):
        image = _image(folder, _address(task["data"], key))
    size = matched_size(image, file, None, None)
    named: JSON = {
        str(r.get("id")): r for r in results if isinstance(r, dict) and r.get("type") == "labels"
    }
    items: list[Item] = []
    for number_, result in enumerate(results):
        where = f"{name}, result[{number_}]"
        with place(file, where):
            kind = field(result, "type", str, "a name")
            if kind not in NOT_DRAWN:
                items += _items(where, kind, result, named, size, skip)
    return Page(id_of(image, folder), image, (file,), size, tuple(items))


def _address(data: JSON, key: str) -> str:
    """Where the image of a task was."""
    chosen = key or ("image" if "image" in data else next(iter(data), "") if len(data) == 1 else "")
    if not chosen:
        raise ValueError(
            f"has the data {', '.join(sorted(data)) or 'of nothing'}; say which is the image with "
            "data=KEY"
        )
    return field(data, chosen, str, "an address")


def _image(folder: Path, address: str) -> Path:
    """The file in a folder that an address ends in."""
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d")  # /data/local-files/?d=path
    path = local[0] if local else unquote(parts.path)
    names = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if not names:
        raise ValueError(f"has the address {address!r}, which names no file")
    tails = [*(Path(*names[n:]) for n in range(len(names))), Path(UPLOADED.sub("", names[-1], 1))]
    for tail in tails:
        if (folder / tail).is_file():
            return folder / tail
    raise ValueError(
        f"has the image {address}, of which {folder} has no file {tails[-1]}; put it there, or "
        "give another folder as images=DIR"
    )


def _items(
    where: str,
    kind: str,
    result: JSON,
    named: JSON,
    size: tuple[int, int],
    skip: frozenset[str],
) -> Iterator[Item]:
    form = kind.removesuffix("labels")
    value = field(result, "value", dict, "an object")
    sibling = named.get(str(result.get("id")), {}).get("value", {})
    labels = value.get(kind) or value.get("labels") or sibling.get("labels") or []
    if not isinstance(labels, list) or len(labels) > 1:
        raise ValueError(f"has the labels {str(labels)[:40]}, expected one")
    draw = partial(_shape, form, result, value, size)
    label = label_of(labels[0]) if labels else ""
    yield from item_of(where, form, label, draw, skip=skip, box=form == "rectangle")


def _shape(form: str, result: JSON, value: JSON, size: tuple[int, int]) -> Shape | None:
    height, width = size
    given = (result.get("original_height"), result.get("original_width"))
    if given != size:
        raise ValueError(
            f"is for {given[1]} x {given[0]} pixels, but the image has {width} x {height}"
        )
    if result.get("image_rotation"):
        raise ValueError("is on an image that was turned; turn it back and annotate it anew")

    def read(key: str, whole: int) -> float:
        return number(field(value, key, object, "a number"), key) * whole / 100

    angle = number(value.get("rotation") or 0, "rotation")
    if form == "polygon":
        return _polygon(value, size)
    if form == "rectangle":
        sides = (read("x", width), read("y", height), read("width", width), read("height", height))
        return rectangle(*sides, angle=angle, pivot="corner")
    if form == "ellipse":
        radii = read("radiusX", width), read("radiusY", height)
        return ellipse(read("x", width), read("y", height), *radii, angle)
    if form == "brush":
        return brush(value.get("rle"), size)
    return None


def _polygon(value: JSON, size: tuple[int, int]) -> Shape:
    if value.get("closed") is False:
        raise ValueError("is a polygon that was not closed")
    shape = polygon(field(value, "points", list, "a list of points"))
    height, width = size
    return polygon([[x * width / 100, y * height / 100] for x, y in shape.corners])
