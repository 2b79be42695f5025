"""Images that people drew shapes on: read and checked whole, masks are drawn when asked for.

An annotated image is a `Page` of `Item`s. All pages are read when the dataset is made, so that a
mistake in a file is told before a model runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pycocotools import mask as coco_mask

from sambench.errors import UserError
from sambench.interfaces import JSON, Instances

from ._instances import area_of, from_rles
from ._own import OwnInstances, Reading
from ._shapes import Shape, TooSmallError, check_extent

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
    """

    id: str
    image: Path
    sources: tuple[Path, ...]
    size: tuple[int, int]
    items: tuple[Item, ...]


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
        self.skip, self.decoding = how.skip, how.decoding
        read = _all_read(pages)
        if EMPTY in self.skip:
            read = [_empty_marked(page) for page in read]
        self.pages = {page.id: _without(page, self.skip) for page in read}
        if not self.pages:
            raise UserError(f"{self.card.name} found no images; {self.card.steps}.")
        if len(self.pages) < len(read):
            id = next(id for id, count in Counter(page.id for page in read).items() if count > 1)
            same = [str(page.sources[0] if page.sources else page.image) for page in read]
            places = [path for path, page in zip(same, read, strict=True) if page.id == id]
            raise UserError(
                f"{' and '.join(places[:2])} annotate two images named {id}, or one image twice; "
                "rename one or take it away."
            )
        self._names = dict(categories) if categories is not None else self._found_names()
        self._number = {name: id for id, name in self._names.items()}
        self.card = replace(self.card, note=" ".join(_notes(self.pages.values(), read, self.skip)))

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
        """See `Dataset`; there are no crowd regions."""
        return sum(len(_objects(self.pages[id].items)) for id in ids), 0

    def reading(self) -> JSON:
        """What is left out, and the names of the categories."""
        return {
            "reader": self.card.name,
            "skip": sorted(self.skip),
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
        return from_rles(page.size, rles, categories=numbers)


def _all_read(pages: Iterable[Callable[[], Page]]) -> list[Page]:
    """Read all pages; if some cannot be, tell the first and how many more there are."""
    found, problems = [], []
    for read in pages:
        try:
            found.append(read())
        except UserError as error:
            problems.append(str(error))
    if problems:
        more = len(problems) - 1
        others = f" (So it is with {more} more image{'s' * (more > 1)}.)" if more else ""
        raise UserError(problems[0] + others)
    return found


def _empty_marked(page: Page) -> Page:
    """The page with shapes that enclose no pixel named so."""
    items = tuple(
        replace(item, kind=EMPTY)
        if item.shape is not None and not area_of(_drawn([item], page))
        else item
        for item in page.items
    )
    return replace(page, items=items)


def _without(page: Page, skip: frozenset[str]) -> Page:
    """The page without the kinds that are left out; the others must have an area in the image."""
    kept = tuple(item for item in page.items if item.kind not in skip)
    for item in kept:
        if item.shape is None:
            raise UserError(_refused(page, item, "has no area", item.kind))
        try:
            check_extent(item.shape.extent, page.size)
        except ValueError as error:
            raise UserError(
                f"{page.sources[0]}: {item.where} {error}; use the image that was annotated."
            ) from None
    return replace(page, items=kept)


def _refused(page: Page, item: Item, why: str, kind: str) -> str:
    return (
        f"{page.sources[0]}: {item.where}, a {item.kind} labelled {item.label!r}, {why}; correct "
        f"it, or leave out all such shapes with skip={kind}."
    )


def _objects(items: Iterable[Item]) -> list[list[Item]]:
    """Items of one label and group together, in the order of the first of each."""
    found: dict[tuple[str, ...], list[Item]] = {}
    for place_, item in enumerate(items):
        key = (item.label, item.group) if item.group else ("", "", str(place_))
        found.setdefault(key, []).append(item)
    return list(found.values())


def _drawn(parts: list[Item], page: Page) -> JSON:
    """Run lengths of what all parts cover together."""
    rles = []
    for item in parts:
        assert item.shape is not None, "others are refused"
        with place(page.sources[0], item.where):
            rles.append(item.shape.draw(page.size))
    merged: JSON = coco_mask.merge(rles) if len(rles) > 1 else rles[0]
    return merged


def _notes(pages: Iterable[Page], read: Iterable[Page], skip: frozenset[str]) -> Iterator[str]:
    """What must be said beside a number."""
    objects = [parts for page in pages for parts in _objects(page.items)]
    boxes = sum(all(item.box for item in parts) for parts in objects)
    if boxes:
        yield f"{boxes} of {len(objects)} objects are boxes, read as masks."
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
) -> Iterator[Item]:
    """One item, or none if it encloses nothing and such shapes are left out.

    Raises:
        ValueError: the shape cannot be read; nothing of a kind that is left out is looked at.
    """
    try:
        shape = None if kind in skip else draw()
    except TooSmallError as error:
        if EMPTY not in skip:
            raise ValueError(
                f"{error}; correct it, or leave out all such shapes with skip={EMPTY}"
            ) from None
        yield Item(where, EMPTY, label, None)
        return
    yield Item(where, kind, label, shape, group, box)
