"""Your own data: Label Studio's JSON export."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from sambench.data.json_input import At, read
from sambench.errors import UserError
from sambench.interfaces import DatasetCard

from ._brush import brush
from ._own import Reading, decoding_of, id_of, label_of, matched_size, one_file
from ._pages import Item, Page, Pages, item_of, place
from ._shapes import Shape, corners_of, ellipse, polygon, rectangle

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
"""Results that are not regions of their own; ``labels`` name a region of the same id."""
DRAWN = ("polygon", "rectangle", "ellipse", "brush")
"""Regions that have an area."""
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
        ignore: labels of regions whose pixels do not count, separated by ``+``.
        orientation, intensity, page: what images leave open, as for folder.

    Raises:
        UserError: a file is missing, is another export, or has a region that cannot be read.
    """

    card = DatasetCard(
        name="label_studio",
        title="your own Label Studio annotations",
        licence="as their owner says",
        citation="none",
        steps="export as JSON and give the folder with it and the images as label_studio:root=DIR",
        layout="from documentation",
        own=True,
    )

    def __init__(
        self,
        root: str = "",
        annotations: str = "",
        images: str = "",
        data: str = "",
        unlabelled: Literal["refuse", "skip", "empty"] = "refuse",
        skip: str = "",
        ignore: str = "",
        orientation: str = "displayed",
        intensity: str = "",
        page: int = 0,
    ) -> None:
        self.annotations, self.images = one_file(type(self), root, annotations, images, ".json")
        how = Reading.of(skip, ignore, decoding_of(orientation, intensity, page))
        pages = list(self._pages(data, unlabelled, how))
        super().__init__(pages, how)
        several = sum(len(_annotations(task)) > 1 for task in _tasks(self.annotations))
        if several:
            note = f"Tasks with several annotations, of which the first counts: {several}."
            self.card = replace(self.card, note=f"{self.card.note} {note}".strip())

    def _pages(self, key: str, unlabelled: str, how: Reading) -> Iterator[Callable[[], Page]]:
        tasks = [(task, _annotations(task)) for task in _tasks(self.annotations)]
        bare = [task for task, annotations in tasks if not annotations]
        if bare and unlabelled == "refuse":
            bare[0].fail(
                f"has no annotation ({len(bare)} of {len(tasks)} tasks have none)",
                "give unlabelled=skip to leave such tasks out, or unlabelled=empty if they show no "
                "objects",
            )
        for task, annotations in tasks:
            if annotations or unlabelled == "empty":
                results = annotations[0]["result"].items() if annotations else []
                yield partial(_page, self.annotations, self.images, task, key, results, how)


def _tasks(file: Path) -> list[At]:
    top = read(file)
    if not isinstance(top.value, list):
        top.expected("a list of tasks", "export it from Label Studio as JSON")
    tasks = top.items()
    if not all("annotations" in task and "data" in task for task in tasks):
        raise UserError(
            f'{file} has tasks without "annotations" or "data"; export it as JSON, not as JSON-MIN.'
        )
    return tasks


def _annotations(task: At) -> list[At]:
    """Those that were not cancelled."""
    return [
        annotation
        for annotation in task["annotations"].items()
        if not ((cancelled := annotation.get("was_cancelled")) and cancelled.flag())
    ]


def _page(file: Path, folder: Path, task: At, key: str, results: list[At], how: Reading) -> Page:
    image = _image(folder, _address(task["data"], key))
    size = matched_size(image, file, how.decoding)
    named = {
        result["id"].id(): result["value"]
        for result in results
        if result["type"].value == "labels" and "id" in result
    }
    drawn = [r for r in results if r["type"].value not in NOT_DRAWN]
    targets = {str(name.value) for r in drawn if (name := r.get("to_name"))}
    if len(targets) > 1:
        task.fail(
            f"has regions of several images, {', '.join(sorted(targets))}",
            "make a task of each image",
        )
    items: list[Item] = []
    for result in results:
        kind = result["type"].text()
        if kind not in NOT_DRAWN:
            with place(file, result.place):
                items.append(_item(kind, result, named, size, how))
    return Page(id_of(image, folder), image, (file,), size, tuple(items))


def _address(data: At, key: str) -> At:
    """Where the image of a task was."""
    keys = [name for name, _ in data.members()]
    chosen = key or ("image" if "image" in keys else keys[0] if len(keys) == 1 else "")
    if not chosen:
        data.fail(f"has {', '.join(keys) or 'nothing'}", "say which is the image with data=KEY")
    return data[chosen]


def _image(folder: Path, address: At) -> Path:
    """The file in a folder that an address ends in."""
    parts = urlsplit(address.text())
    local = parse_qs(parts.query).get("d")  # /data/local-files/?d=path
    path = local[0] if local else unquote(parts.path)
    names = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if not names:
        address.expected("the address of an image")
    tails = [*(Path(*names[n:]) for n in range(len(names))), Path(UPLOADED.sub("", names[-1]))]
    found = [folder / tail for tail in tails if (folder / tail).is_file()]
    if not found:
        address.fail(
            f"is {address.value}, but {folder} has no file {tails[-1]}",
            "put it there, or give another folder as images=DIR",
        )
    return found[0]


def _item(
    kind: str, result: At, named: dict[int | str, At], size: tuple[int, int], how: Reading
) -> Item:
    form, value = kind.removesuffix("labels"), result["value"]
    other = named.get(result["id"].id() if "id" in result else "")
    listed = value.get(kind) or value.get("labels") or (other.get("labels") if other else None)
    labels = listed.items("a list of labels") if listed else []
    if len(labels) > 1:
        result.fail(f"has {len(labels)} labels, expected one")
    draw = partial(_shape, form, result, value, size)
    label = label_of(labels[0]) if labels else ""
    return item_of(result.place, form, label, draw, skip=how.skip, box=form == "rectangle")


def _shape(form: str, result: At, value: At, size: tuple[int, int]) -> Shape | None:
    if form not in DRAWN:
        return None
    height, width = size
    given = (result["original_height"].whole(1), result["original_width"].whole(1))
    if given != size:
        result.fail(f"is for {given[1]} x {given[0]} pixels, but the image has {width} x {height}")
    turned, angle = result.get("image_rotation"), value.get("rotation")
    if turned and turned.number():
        result.fail("is on an image that was turned", "turn it back and annotate it anew")
    degrees = angle.number() if angle else 0.0

    def read_part(key: str, whole: int) -> float:
        return value[key].number() * whole / 100

    if form == "polygon":
        if (closed := value.get("closed")) and not closed.flag():
            result.fail("is a polygon that was not closed")
        return polygon((x * width / 100, y * height / 100) for x, y in corners_of(value["points"]))
    if form == "brush":
        return brush(value["rle"], size)
    x, y = read_part("x", width), read_part("y", height)
    if form == "rectangle":
        sides = read_part("width", width), read_part("height", height)
        return rectangle(x, y, *sides, angle=degrees, pivot="corner")
    return ellipse(x, y, read_part("radiusX", width), read_part("radiusY", height), degrees)
