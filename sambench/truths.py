"""Truths: what is annotated of an image, in the forms that tasks compare answers with.

Masks are COCO run lengths or arrays (H, W) at the size of the image; boxes are (x0, y0, x1, y1) in
its pixels. Each truth says itself what is wrong with it: a run refuses such an image, and the
checks of datasets report it. A type of one's own is a subclass of `Truth`, here or in a plug-in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.findings import Finding, Size, of_array, of_ids, of_maps, of_masks, of_size
from sambench.shown import RLE, Layer

T = TypeVar("T")
BOX_SLACK = 2.0
"""Annotated boxes come from polygons; their masks' own boxes may differ by a little, in pixels."""
BOXES = "Give boxes as x0, y0, x1, y1 in pixels of the image: COCO's own are x, y, w, h."


class Truth(ABC):
    """What is annotated of one image."""

    @abstractmethod
    def problems(self, size: Size | None) -> Iterator[Finding]:
        """What is wrong, so that a number computed from it would be: a run refuses the image.

        Every image of a run is looked at, so this should take far less time than its score.

        Args:
            size: (H, W) of the image; None where it is not at hand, as when predictions from files
                are scored: then parts of the truth are compared with each other.
        """

    def doubts(self) -> Iterator[Finding]:
        """What may be a mistake, in a truth without problems: runs take it, checks report it."""
        yield from ()

    def objects(self) -> Instances | None:
        """Its objects, for checks to count and contact sheets to mark; None if it has none."""
        return None

    def layer(self) -> Layer | None:
        """What to draw of it over its image; None if it cannot be drawn."""
        return None


def problems(truth: object, kind: type, size: Size | None) -> Iterator[Finding]:
    """What is wrong with a truth; one that cannot be examined is wrong.

    Args:
        truth: what a dataset gave.
        kind: the type that it was asked for.
        size: as for `Truth.problems`.
    """
    remedy = f"Return what {kind.__name__} describes, a subclass of sambench.interfaces.Truth."
    if not isinstance(truth, Truth) or not isinstance(truth, kind):
        given = f"its truth is of type {type(truth).__name__}"
        problem = given if type(truth) is kind else f"{given}, not {kind.__name__}"
        yield Finding("truth", problem, remedy)
        return
    try:
        yield from truth.problems(size)
    except Exception as error:  # noqa: BLE001 (whatever a truth holds, it is a finding)
        problem = f"its {kind.__name__} cannot be examined ({type(error).__name__}: {error})"
        yield Finding("truth", problem, remedy)


def require_sound(truth: T, kind: type, size: Size | None) -> T:
    """The truth itself, with which nothing may be wrong; the arguments are those of `problems`.

    Raises:
        UserError: something is.
    """
    found = list(problems(truth, kind, size))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise UserError(f"its truth is broken: {found[0].problem}{more}. {found[0].remedy}")
    return truth


def _findings(check: str, wrong: Iterable[str], remedy: str) -> Iterator[Finding]:
    return (Finding(check, problem, remedy) for problem in wrong)


@dataclass(frozen=True)
class Instances(Truth):
    """Truth of one image: N object masks.

    Attributes:
        size: (H, W).
        rles: N COCO run-length encodings, ``{"size": [H, W], "counts": bytes}``.
        ids: N annotation ids.
        categories: (N,) int category ids; 0 where the dataset has none.
        boxes: (N, 4) float XYXY as annotated.
        areas: (N,) float as annotated, which is what COCO's size bins use.
        crowd: (N,) bool, a region of many objects that COCO does not count.
        ignore: (H, W) bool or None: pixels that no metric may count.
        extra: what an evaluator needs beside (LVIS: negative and not-exhaustive categories).
    """

    size: tuple[int, int]
    rles: tuple[RLE, ...]
    ids: tuple[int, ...]
    categories: NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    ignore: NDArray[np.bool_] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rles)

    def mask(self, index: int) -> NDArray[np.bool_]:
        """The mask of one object, (H, W) bool."""
        from pycocotools import mask as coco_mask

        mask: NDArray[np.bool_] = coco_mask.decode(self.rles[index]).astype(bool)
        return mask

    def masks(self) -> NDArray[np.bool_]:
        """All masks, (N, H, W) bool."""
        empty: NDArray[np.bool_] = np.zeros((0, *self.size), dtype=bool)
        return np.stack([self.mask(i) for i in range(len(self))]) if len(self) else empty

    def objects(self) -> Instances:
        """Itself."""
        return self

    def problems(self, size: Size | None) -> Iterator[Finding]:
        """Masks that are not the image's, parts of unequal length, impossible areas and boxes."""
        size = size or self.size
        remedy = "Give N masks of the image's size, and for each an id, category, box and so on."
        wrong = [*self._malformed(size)]
        yield from _findings("masks", wrong, remedy)
        if not wrong:
            yield from _findings("boxes", self._impossible(size), BOXES)

    def _malformed(self, size: Size) -> Iterator[str]:
        count, named = len(self), len(self.ids) == len(self)
        names = [f"annotation {self.ids[i]}" if named else f"mask {i}" for i in range(count)]
        yield from of_size("masks", self.size, size)
        yield from of_masks(names, self.rles, size)
        yield from of_ids(self.ids, count)
        yield from of_array("categories", self.categories, (count,), "iu")
        yield from of_array("boxes", self.boxes, (count, 4), "if")
        yield from of_array("crowd", self.crowd, (count,), "b")
        if self.ignore is not None:
            yield from of_array("ignore", self.ignore, size, "b")
        wrong = list(of_array("areas", self.areas, (count,), "iuf"))
        yield from wrong
        for index in () if wrong else np.flatnonzero(~(self.areas >= 0) | np.isinf(self.areas)):
            yield f"{names[index]}: its area is {self.areas[index]:g}"

    def _impossible(self, size: Size) -> Iterator[str]:
        """Boxes that no object of the image has."""
        height, width = size
        (x0, y0, x1, y1), far = self.boxes.T, np.array([width, height, width, height])
        reasons = {
            "is not finite": ~np.isfinite(self.boxes).all(axis=1),
            "ends before it begins": (x1 < x0) | (y1 < y0),
            "lies outside of the image": (x0 > width) | (y0 > height) | (x1 < 0) | (y1 < 0),
            "reaches out by more than the image's own size": (
                (self.boxes < -far) | (self.boxes > 2 * far)
            ).any(axis=1),
        }
        impossible = np.any([*reasons.values()], axis=0)
        if impossible.any():
            spans = self._spans()
            for index in np.flatnonzero(impossible).tolist():
                reason = next(reason for reason, found in reasons.items() if found[index])
                yield self._of_box(index, spans, f" {reason}")

    def _spans(self) -> NDArray[np.float64]:
        from sambench.masks.rle import boxes

        return boxes(self.rles)

    def _of_box(self, index: int, spans: NDArray[np.float64], reason: str = "") -> str:
        box = [round(float(side), 1) for side in self.boxes[index]]
        span = spans[index].astype(int).tolist()
        return f"annotation {self.ids[index]}: box {box}{reason}, its mask spans {span}"

    def doubts(self) -> Iterator[Finding]:
        """Masks without a pixel, masks that are there twice, boxes that do not fit their masks."""
        spans, first = self._spans(), dict[Any, int]()
        full = (spans[:, 2:] > spans[:, :2]).all(axis=1)
        off = np.abs(spans - self.boxes).max(axis=1, initial=0) > BOX_SLACK
        for index in np.flatnonzero(~full).tolist():
            problem = f"annotation {self.ids[index]}: no pixel"
            yield Finding("masks", problem, "Leave out masks without a pixel.")
        for index in np.flatnonzero(full).tolist():
            twin = self.ids[first.setdefault(self.rles[index]["counts"], index)]
            if twin != self.ids[index]:
                problem = f"annotation {self.ids[index]}: the same mask as {twin}"
                remedy = "Keep one of each, or say in the card's note why they are there."
                yield Finding("duplicates", problem, remedy, minor=True)
        for index in np.flatnonzero(full & off & ~self.crowd).tolist():
            yield Finding("boxes", self._of_box(index, spans), BOXES, minor=True)

    def layer(self) -> Layer:
        """The masks of all objects."""
        return Layer(masks=self.rles)


@dataclass(frozen=True)
class Boundaries(Truth):
    """Truth of one image: the boundaries that each annotator drew, each (H, W) bool."""

    annotators: tuple[NDArray[np.bool_], ...]

    def problems(self, size: Size | None) -> Iterator[Finding]:
        """No annotator, drawings of another size or dtype."""
        remedy = "Give (H, W) bool of the image's size for each annotator."
        return _findings("boundaries", of_maps("boundaries", self.annotators, size, "b"), remedy)

    def doubts(self) -> Iterator[Finding]:
        """Nobody drew anything."""
        if not any(drawn.any() for drawn in self.annotators):
            remedy = "Leave out images of which no boundary is known."
            yield Finding("boundaries", "nobody drew a boundary", remedy)

    def layer(self) -> Layer:
        """How many of the annotators drew each pixel, as a part of them."""
        return Layer(map=np.mean(self.annotators, axis=0)) if self.annotators else Layer()


@dataclass(frozen=True)
class Concepts(Truth):
    """Truth of one image: P noun phrases, and the masks of all that each of them names.

    Attributes:
        size: (H, W).
        phrases: P noun phrases.
        annotations: for each phrase, for each annotator, the COCO run-length encodings of its
            instances; a phrase without any is a negative.
        exhaustive: (P,) bool, whether every instance is marked; no metric counts other phrases.
    """

    size: tuple[int, int]
    phrases: tuple[str, ...]
    annotations: tuple[tuple[tuple[RLE, ...], ...], ...]
    exhaustive: NDArray[np.bool_]

    def problems(self, size: Size | None) -> Iterator[Finding]:
        """Phrases that are empty or there twice, parts of unequal length, masks of other images."""
        remedy = "Give each phrase a text, and for each annotator the masks, of the image's size."
        return _findings("phrases", self._malformed(size or self.size), remedy)

    def _malformed(self, size: Size) -> Iterator[str]:
        count = len(self.phrases)
        yield from of_size("phrases' masks", self.size, size)
        yield from of_array("exhaustive", self.exhaustive, (count,), "b")
        for place, phrase in enumerate(self.phrases):
            if not isinstance(phrase, str) or not phrase.strip():
                yield f"phrase {place} is {phrase!r}, without text"
            elif phrase in self.phrases[:place]:
                yield f"phrase {phrase!r} occurs twice"
        if len(self.annotations) != count:
            yield f"{len(self.annotations)} annotations of {count} phrases"
            return
        annotators = sorted({len(own) for own in self.annotations})
        if annotators and (len(annotators) > 1 or not annotators[0]):
            yield f"its phrases have {' or '.join(map(str, annotators))} annotators"
        masks = [
            (f"{phrase!r}, annotator {number}, mask {index}", rle)
            for phrase, own in zip(self.phrases, self.annotations, strict=True)
            for number, rles in enumerate(own)
            for index, rle in enumerate(rles)
        ]
        yield from of_masks([name for name, _ in masks], [rle for _, rle in masks], size)

    def doubts(self) -> Iterator[Finding]:
        """Masks without a pixel."""
        from sambench.masks.rle import areas

        for phrase, own in zip(self.phrases, self.annotations, strict=True):
            empty = sum(int((areas(rles) == 0).sum()) for rles in own)
            if empty:
                problem = f"{phrase!r}: {empty} masks have no pixel"
                yield Finding("phrases", problem, "Leave out masks without a pixel.")

    def layer(self) -> Layer:
        """The masks of all phrases, by the first annotator of each."""
        return Layer(masks=[rle for own in self.annotations for rle in own[0]])


@dataclass(frozen=True)
class Regions(Truth):
    """Truth of one image: the partition that each annotator made of it.

    Attributes:
        annotators: for each an (H, W) integer map; pixels of one value are one region.
    """

    annotators: tuple[NDArray[np.int64], ...]

    def problems(self, size: Size | None) -> Iterator[Finding]:
        """No annotator, maps of another size or dtype."""
        remedy = "Give (H, W) integers of the image's size for each annotator."
        return _findings("regions", of_maps("regions", self.annotators, size, "iu"), remedy)

    def layer(self) -> Layer:
        """How many of the annotators drew a border through each pixel, as a part of them."""
        return Layer(map=np.mean([borders(labels) for labels in self.annotators], axis=0))


def borders(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels (H, W) with another label above, below, left or right: both sides of a border."""
    edges = np.zeros(labels.shape, dtype=bool)
    beside, below = labels[:, :-1] != labels[:, 1:], labels[:-1] != labels[1:]
    edges[:, :-1] |= beside
    edges[:, 1:] |= beside
    edges[:-1] |= below
    edges[1:] |= below
    return edges


@dataclass(frozen=True)
class Segments(Truth):
    """Truth or answer of one image: each pixel is of one of N segments, or of none.

    Attributes:
        labels: (H, W) int, n on the n-th segment counted from 1, 0 where nothing is known (void).
        categories: (N,) int category ids.
        things: (N,) bool, an object that can be counted; else stuff, such as sky.
        crowd: (N,) bool, a region of many objects that no answer is asked for.
        ids: N ids of the dataset's own.
    """

    labels: NDArray[np.int64]
    categories: NDArray[np.int64]
    things: NDArray[np.bool_]
    crowd: NDArray[np.bool_]
    ids: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.categories)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.labels.shape[0], self.labels.shape[1]

    def mask(self, index: int) -> NDArray[np.bool_]:
        """The mask of one segment, counted from 0, (H, W) bool."""
        mask: NDArray[np.bool_] = self.labels == index + 1
        return mask

    def problems(self, size: Size | None) -> Iterator[Finding]:
        """Labels that are not the image's or no segment's, segments without a pixel."""
        remedy = "Give (H, W) int64 of the image's size: 0 for void, 1 to N for the N segments."
        return _findings("segments", self._malformed(size or self.size), remedy)

    def _malformed(self, size: Size) -> Iterator[str]:
        count = len(self)
        yield from of_array("categories", self.categories, (count,), "iu")
        yield from of_array("things", self.things, (count,), "b")
        yield from of_array("crowd", self.crowd, (count,), "b")
        if self.ids:
            yield from of_ids(self.ids, count)
        yield from of_array("labels", self.labels, size, "i")
        if self.labels.dtype.kind != "i" or not self.labels.size:
            return
        if self.labels.dtype.itemsize < 4:
            yield f"labels of dtype {self.labels.dtype}, in which products overflow"
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high > count:
            yield f"labels from {low} to {high} of {count} segments"
            return
        for index in np.flatnonzero(np.bincount(self.labels.ravel(), minlength=count + 1)[1:] == 0):
            yield f"segment {index + 1} has no pixel"

    def layer(self) -> Layer:
        """The masks of all segments but crowd regions, which no answer is asked for."""
        from pycocotools import mask as coco_mask

        masks = (self.mask(int(i)) for i in np.flatnonzero(~self.crowd))
        return Layer(masks=[coco_mask.encode(np.asfortranarray(m, np.uint8)) for m in masks])
