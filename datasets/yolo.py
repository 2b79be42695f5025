"""Your own data: YOLO's text files of polygons, as Ultralytics and Roboflow write them."""

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard, T
from sambench.truths import Concepts

from ._own import Reading, all_images, decoding_of, folder_of, id_of, matched_size
from ._pages import Item, Page, Pages, item_of, place
from ._shapes import Shape, number, polygon, rectangle

BOX = 5
"""Values of a row that is a box: class, centre x and y, width, height."""
CLASSES = "classes.txt"


class Yolo(Pages):
    """Outlines as rows ``class x y x y ...``, in parts of the image's width and height.

    Labels of ``images/val/a.jpg`` are ``labels/val/a.txt``, as those of ``val/images/a.jpg`` are
    ``val/labels/a.txt``; an image without such a file shows no objects. A row of five values is a
    box, not an outline. Names of classes come from ``data.yaml`` or ``classes.txt`` in root.

    Args:
        root: folder with ``images`` and ``labels``, or with splits that have them.
        split: only images of this folder, such as val; all if empty.
        names: a YAML file with ``names``, or a text file of one name a line; none for numbers.
        boxes: what a row of five values is: refuse, masks (its rectangle is the object) or skip.
        skip: empty, to leave out shapes that enclose no pixel.
        ignore: labels of regions whose pixels do not count, separated by ``+``.
        orientation, intensity, page: what images leave open, as for folder.

    Raises:
        UserError: a file is missing, a label belongs to no image, or a row cannot be read.
    """

    card = DatasetCard(
        name="yolo",
        title="your own YOLO segmentation labels",
        licence="as their owner says",
        citation="none",
        steps="give the folder with images and labels as yolo:root=DIR",
        layout="from documentation",
        own=True,
    )

    def __init__(
        self,
        root: str = "",
        split: str = "",
        names: str = "",
        boxes: Literal["refuse", "masks", "skip"] = "refuse",
        skip: str = "",
        ignore: str = "",
        orientation: str = "displayed",
        intensity: str = "",
        page: int = 0,
    ) -> None:
        self.root = folder_of(type(self), root)
        self.boxes = boxes
        classes = _classes(self.root, names)
        images = [path for path in all_images(self.root) if _in_split(path, self.root, split)]
        labels = {path: label_file(path, self.root) for path in images}
        self._refuse_strays(labels)
        self._refuse_orphans(set(labels.values()), split)
        skipped = f"{skip}+box" if boxes == "skip" else skip
        how = Reading.of(skipped, ignore, decoding_of(orientation, intensity, page))
        pages = [
            partial(_page, image, file, self.root, classes, boxes, how)
            for image, file in labels.items()
        ]
        self.named = bool(classes)
        super().__init__(pages, how, classes or None)

    def _refuse_strays(self, labels: Mapping[Path, Path]) -> None:
        """Images that nobody labelled must not count as images without objects."""
        arranged = any("images" in image.relative_to(self.root).parts for image in labels)
        for image, file in labels.items():
            if arranged and "images" not in image.relative_to(self.root).parts:
                raise UserError(f"{image} is in no folder called images; take it away.")
            if not file.parent.is_dir():
                raise UserError(
                    f"{file.parent}, the labels of {image.parent}, is missing; choose another "
                    "split=, or make it an empty folder if those images show no objects."
                )
        if labels and not any(file.is_file() for file in labels.values()):
            raise UserError(
                f"{next(iter(labels.values()))} and all other label files are missing; "
                f"{self.card.steps}."
            )

    def _refuse_orphans(self, known: set[Path], split: str) -> None:
        """Labels without an image, also where the images of a whole split are missing."""
        for file in sorted(self.root.rglob("*")):
            parts = file.relative_to(self.root).parts[:-1]
            wanted = "labels" in parts and (not split or split in parts)
            if not wanted or file.suffix.lower() != ".txt" or file.name == CLASSES:
                continue
            if file not in known and file.name[0] != "." and file.is_file():
                raise UserError(f"{file} belongs to no image; add the image or remove it.")

    def _found_names(self) -> dict[int, str]:
        """Categories keep the numbers of the classes."""
        used = {int(item.label) for page in self.pages.values() for item in page.items}
        return {number: str(number) for number in sorted(used)}

    def read_truth(self, id: str, kind: type[T]) -> T:
        """Objects, segments or phrases of an image; phrases need names of classes."""
        if kind is Concepts and not self.named:
            raise UserError(f"{self.root} has no names of classes; give names=FILE, one per line.")
        return super().read_truth(id, kind)

    def reading(self) -> JSON:
        """The names of classes, and what a box is taken for."""
        return {**super().reading(), "boxes": self.boxes}


def label_file(image: Path, root: Path) -> Path:
    """Labels of an image: the last folder below root called images is labels, the ending txt."""
    parts = list(image.relative_to(root).with_suffix(".txt").parts)
    for place_ in range(len(parts) - 2, -1, -1):
        if parts[place_] == "images":
            parts[place_] = "labels"
            break
    return root.joinpath(*parts)


def _in_split(image: Path, root: Path, split: str) -> bool:
    return not split or split in image.relative_to(root).parts[:-1]


def _classes(root: Path, names: str) -> dict[int, str]:
    """Class -> name; empty where there are no names."""
    if names == "none":
        return {}
    found = (
        [Path(names).expanduser()]
        if names
        else [
            path
            for path in (
                root / "data.yaml",
                root / "data.yml",
                root / CLASSES,
                root / "labels" / CLASSES,
            )
            if path.is_file()
        ]
    )
    if not found:
        return {}
    file = found[0]
    if file.suffix in (".yaml", ".yml"):
        return _named(file, _from_yaml(file))
    try:
        lines = file.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as text ({error}).") from None
    return _named(file, dict(enumerate(line.strip() for line in lines)))


def _named(file: Path, names: Any) -> dict[int, str]:
    listed = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(listed, dict) or not listed:
        raise UserError(f'{file} has no "names" of classes; add them, or give names=none.')
    for key, name in listed.items():
        if type(key) is not int or type(name) not in (str, int):  # yes and no are not names in YAML
            raise UserError(
                f'{file}: "names" has {key!r}: {name!r}, expected a number and a name; correct it, '
                "and write names such as no and on in quotes."
            )
    found = {key: str(name).strip() for key, name in listed.items()}
    if blank := [key for key, name in found.items() if not name]:
        raise UserError(f"{file} has no name for class {blank[0]}; add it, or give names=none.")
    if len(set(found.values())) < len(found):
        raise UserError(f"{file} names two classes alike; rename one, or give names=none.")
    return found


def _from_yaml(file: Path) -> Any:
    try:
        import yaml
    except ModuleNotFoundError:
        raise UserError(
            f"{file} has the names of the classes, and reading it needs the package PyYAML, which "
            "is not installed; install it, or give names=none to number the classes."
        ) from None
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file} cannot be read as YAML ({reason}); correct it.") from None
    if isinstance(content, dict) and "kpt_shape" in content:
        raise UserError(
            f'{file} has "kpt_shape", so its labels are boxes with keypoints and no outlines; give '
            "labels of a segmentation, and remove that line."
        )
    return content.get("names") if isinstance(content, dict) else None


def _page(
    image: Path,
    file: Path,
    root: Path,
    classes: Mapping[int, str],
    boxes: str,
    how: Reading,
) -> Page:
    size = matched_size(image, file, how.decoding)
    id = id_of(image, root)
    if not file.is_file():
        return Page(id, image, (), size, ())
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as text ({error}).") from None
    items: list[Item] = []
    for line, text in enumerate(lines, 1):
        if text.strip():
            with place(file, f"line {line}"):
                items.append(_item(f"line {line}", text.split(), size, classes, boxes, how))
    return Page(id, image, (file,), size, tuple(items))


def _item(
    where: str,
    row: list[str],
    size: tuple[int, int],
    classes: Mapping[int, str],
    boxes: str,
    how: Reading,
) -> Item:
    label = _class(row[0], classes)
    kind = "box" if len(row) == BOX else "polygon"
    if kind == "box" and boxes == "refuse":
        raise ValueError(
            f"has {BOX} values, which is a box and not an outline; give boxes=masks to take "
            "rectangles for objects, or boxes=skip to leave them out"
        )
    draw = partial(_shape, kind, row[1:], size)
    return item_of(where, kind, label, draw, skip=how.skip, box=kind == "box")


def _class(text: str, classes: Mapping[int, str]) -> str:
    value = number(text, "the class")
    if value < 0 or value != int(value):
        raise ValueError(f"has the class {text}, which is not a whole number from 0")
    if classes and int(value) not in classes:
        raise ValueError(f"has the class {int(value)}, of which there is no name")
    return classes[int(value)] if classes else str(int(value))


def _shape(kind: str, row: list[str], size: tuple[int, int]) -> Shape:
    height, width = size
    values = _numbers(row)
    if len(values) % 2:
        raise ValueError(
            f"has {len(row) + 1} values, expected a class and pairs x, y; remove the last value if "
            "it is a score"
        )
    pairs = list(zip(values[::2], values[1::2], strict=True))
    for x, y in pairs:  # a pixel more is rounding
        if not (-1 <= x * width <= width + 1 and -1 <= y * height <= height + 1):
            raise ValueError(
                f"has the pair {x:g}, {y:g}, which is not in 0 to 1; divide x by the width and y "
                "by the height of the image"
            )
    if kind == "box":
        (cx, cy), (w, h) = pairs
        return rectangle((cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height)
    return polygon([[x * width, y * height] for x, y in pairs])


def _numbers(row: list[str]) -> list[float]:
    """Coordinates; the usual row of good ones is read at once."""
    try:
        values = list(map(float, row))
    except ValueError:
        values = [math.nan]
    if math.isfinite(sum(values)):
        return values
    return [number(text, "a coordinate") for text in row]
