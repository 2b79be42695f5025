"""Images that people drew shapes on: read and checked whole, masks are drawn when asked for.

An annotated image is a `Page` of `Item`s. All pages are read when the dataset is made, so that a
mistake in a file is told before a model runs.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.truths import Instances

from ._instances import area_of, from_rles
from ._own import OwnInstances, Reading
from ._shapes import Shape, TooSmallError, check_extent

IGNORED = "__ignore__"
"""What LabelMe's converters take for a region that does not count."""
EMPTY = "empty"
"""What `skip` calls shapes that enclose no pixel."""


@dataclass(frozen=True)
class Item:
    """One thing that was drawn.

    Attributes:
        where: its place in the file, for messages.
        kind: what the format calls it, such as polygon.
        label: name of its category, "" for none.
        shape: its area; None for a kind that has none, such as a point.
        group: items of one label and group are parts of one object; "" is an object of its own.
        box: whether it is a box around an object rather than its outline.
    """

    where: str
    kind: str
    label: str
    shape: Shape | None
    group: str = ""
    box: bool = False


@dataclass(frozen=True)
class Page:
    """One annotated image.

    Attributes:
        id: its name in the dataset.
        image: its file.
        sources: files that the annotations are from; none for an image that has none.
        size: (H, W) that the annotations are for.
        items: what was drawn.
        ignored: those of them whose pixels do not count; apart from the others once all is read.
    """

    id: str
    image: Path
    sources: tuple[Path, ...]
    size: tuple[int, int]
    items: tuple[Item, ...]
    ignored: tuple[Item, ...] = ()


class Pages(OwnInstances):
    """Datasets of shapes.

    Args:
        pages: one function for each image that reads its page; all are called.
        how: how they were read.
        categories: id -> name; None numbers the names that occur from 1, sorted.

    Raises:
        UserError: a page cannot be read, an item cannot be drawn, or two pages have one id.
    """

    def __init__(
        self,
        pages: Iterable[Callable[[], Page]],
        how: Reading,
        categories: Mapping[int, str] | None = None,
    ) -> None:
        self.how, self.decoding = how, how.decoding
        read = _all_read(pages, how)
        if not read:
            raise UserError(f"{self.card.name} found no images; {self.card.steps}.")
        self.pages = {page.id: _sorted_out(page, how) for page in read}
        if len(self.pages) < len(read):
            raise UserError(_two_of_one_name(read))
        _refuse_one_image_twice(read)
        labels = {item.label for page in read for item in page.items}
        if unknown := how.ignore - labels - {IGNORED}:
            raise UserError(
                f"no shape has the label {min(unknown)}, which is to be ignored; there are "
                f"{', '.join(sorted(labels))}."
            )
        listed = self._found_names() if categories is None else categories
        self._names = {id: name for id, name in listed.items() if name not in how.ignore}
        self._number = {name: id for id, name in self._names.items()}
        self.card = replace(self.card, note=" ".join(_notes(self.pages.values(), read, how.skip)))

    def _found_names(self) -> dict[int, str]:
        used = {item.label for page in self.pages.values() for item in page.items} - {""}
        return dict(enumerate(sorted(used), 1))

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the images."""
        return tuple(self.pages)

    @property
    def categories(self) -> Mapping[int, str]:
        """Category id -> name."""
        return self._names

    def annotated(self, ids: Sequence[str]) -> tuple[int, int]:
        """Number of objects in these images; there are no crowd regions, so the second is 0."""
        return sum(len(_objects(self.pages[id].items)) for id in ids), 0

    def reading(self) -> JSON:
        """What is left out, and the names of the categories."""
        return {
            "reader": self.card.name,
            "skip": sorted(self.how.skip),
            "ignore": sorted(self.how.ignore),
            "categories": {str(id): name for id, name in self._names.items()},
        }

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.pages[id].image

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """Files that its annotations are from."""
        return self.pages[id].sources

    def annotated_size(self, id: str) -> tuple[int, int]:
        """The size that annotations are for."""
        return self.pages[id].size

    def of_image_size(self, id: str) -> Instances:
        """The objects of an image; sizes were compared when the page was read."""
        return self.instances(id)

    def instances(self, id: str) -> Instances:
        """Objects in the order of the file."""
        page = self.pages[id]
        objects = _objects(page.items)
        rles = [_drawn(parts, page) for parts in objects]
        for rle, parts in zip(rles, objects, strict=True):
            if not area_of(rle):
                raise UserError(_refused(page, parts[0], "encloses no pixel", EMPTY))
        labels = [parts[0].label for parts in objects]
        numbers = [self._number[label] if label else 0 for label in labels]
        ignored: NDArray[np.bool_] | None = None
        if page.ignored:
            ignored = coco_mask.decode(_drawn(page.ignored, page)).astype(bool)
        return from_rles(page.size, rles, categories=numbers, ignore=ignored)


def _all_read(pages: Iterable[Callable[[], Page]], how: Reading) -> list[Page]:
    """Read and check all pages; if some are wrong, tell the first and how many more there are."""
    found, problems = [], []
    for read in pages:
        try:
            found.append(_checked(read(), how.skip))
        except UserError as error:
            problems.append(str(error))
    if problems:
        more = len(problems) - 1
        others = f" (So it is with {more} more image{'s' * (more > 1)}.)" if more else ""
        raise UserError(problems[0] + others)
    return found


def _checked(page: Page, skip: frozenset[str]) -> Page:
    """The page; what is not left out must have an area, and lie in the image or near it.

    Where shapes that enclose no pixel are left out, they are of that kind from here on.
    """
    for item in page.items:
        if item.kind in skip:
            continue
        if item.shape is None:
            raise UserError(_refused(page, item, "has no area", item.kind))
        try:
            check_extent(item.shape.extent, page.size)
        except ValueError as error:
            raise UserError(
                f"{page.sources[0]}: {item.where} {error}; use the image that was annotated."
            ) from None
    if EMPTY not in skip:
        return page
    drawn = [item.kind in skip or area_of(_drawn([item], page)) > 0 for item in page.items]
    pairs = zip(page.items, drawn, strict=True)
    return replace(page, items=tuple(i if seen else replace(i, kind=EMPTY) for i, seen in pairs))


def _sorted_out(page: Page, how: Reading) -> Page:
    """The page without the kinds that are left out, regions to be ignored apart."""
    kept = [item for item in page.items if item.kind not in how.skip]
    return replace(
        page,
        items=tuple(item for item in kept if item.label not in how.ignore),
        ignored=tuple(item for item in kept if item.label in how.ignore),
    )


def _two_of_one_name(read: Sequence[Page]) -> str:
    """Which files annotate two images of one name."""
    id = next(id for id, count in Counter(page.id for page in read).items() if count > 1)
    first, second, *_ = (page for page in read if page.id == id)
    names = (str(page.sources[0] if page.sources else page.image) for page in (first, second))
    return (
        f"{' and '.join(names)} annotate two images named {id}, or one image twice; rename one or "
        "take it away."
    )


def _refuse_one_image_twice(read: Sequence[Page]) -> None:
    """As a copy of an annotation file does, or one that was renamed but names the old image."""
    first: dict[str, Page] = {}
    for page in read:
        other = first.setdefault(os.path.normpath(page.image), page)  # links stay as they are
        if other is not page and page.sources and other.sources:
            raise UserError(
                f"{other.sources[0]} and {page.sources[0]} both name the image {page.image}; "
                "correct one or take it away."
            )


def _refused(page: Page, item: Item, why: str, kind: str) -> str:
    return (
        f"{page.sources[0]}: {item.where} ({item.kind} of label {item.label!r}) {why}; correct it, "
        f"or leave out all such shapes with skip={kind}."
    )


def _objects(items: Iterable[Item]) -> list[list[Item]]:
    """Items of one label and group together, in the order of the first of each."""
    found: dict[tuple[str, ...], list[Item]] = {}
    for place_, item in enumerate(items):
        key = (item.label, item.group) if item.group else ("", "", str(place_))
        found.setdefault(key, []).append(item)
    return list(found.values())


def _drawn(parts: Sequence[Item], page: Page) -> JSON:
    """Run lengths of what all parts cover together."""
    rles = []
    for item in parts:
        assert item.shape is not None, "others are refused"
        with place(page.sources[0], item.where):
            rles.append(item.shape.draw(page.size))
    merged: JSON = coco_mask.merge(rles) if len(rles) > 1 else rles[0]
    return merged


def _notes(pages: Collection[Page], read: Iterable[Page], skip: frozenset[str]) -> Iterator[str]:
    """What must be said beside a number."""
    objects = [parts for page in pages for parts in _objects(page.items)]
    boxes = sum(all(item.box for item in parts) for parts in objects)
    if boxes:
        yield f"{boxes} of {len(objects)} objects are boxes, read as masks."
    regions = sum(len(page.ignored) for page in pages)
    if regions:
        yield f"{regions} regions do not count."
    left = Counter(item.kind for page in read for item in page.items if item.kind in skip)
    if left:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(left.items()))
        yield f"Shapes left out: {counts}."


@contextmanager
def place(path: Path, where: str) -> Iterator[None]:
    """What goes wrong inside is told with its place in a file, and a remedy if it names none.

    Raises:
        UserError: instead of ValueError, whose message goes on after the place.
    """
    try:
        yield
    except UserError:
        raise
    except ValueError as error:
        remedy = "." if ";" in str(error) else "; correct the file."
        raise UserError(f"{path}: {where} {error}{remedy}") from None


def item_of(
    where: str,
    kind: str,
    label: str,
    draw: Callable[[], Shape | None],
    *,
    skip: frozenset[str],
    group: str = "",
    box: bool = False,
) -> Item:
    """One item, whose shape is not looked at if its kind is left out.

    Raises:
        ValueError: the shape cannot be read.
    """
    try:
        shape = None if kind in skip else draw()
    except TooSmallError as error:
        if EMPTY not in skip:
            raise ValueError(
                f"{error}; correct it, or leave out all such shapes with skip={EMPTY}"
            ) from None
        return Item(where, EMPTY, label, None)
    return Item(where, kind, label, shape, group, box)
