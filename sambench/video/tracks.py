"""Tracks: the masks of objects over the frames of a clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sambench.findings import Finding, Size, of_masks, of_size
from sambench.masks.rle import areas, boxes, decode
from sambench.shown import RLE, Layer
from sambench.truths import Instances, Truth

REMEDY = "Give each object one mask of the clip's size a frame, or None where nobody annotated it."


@dataclass(frozen=True)
class Tracks(Truth):
    """Truth of one clip of T frames: where each object is in each of them.

    Attributes:
        frames: T names of frames, those of the clip.
        size: (H, W) of every frame.
        masks: object id -> T COCO run-length encodings: None where nobody looked for the object in
            that frame, an empty mask where somebody did and it is not there.
        void: T encodings of pixels that belong to no object for certain, or None where a frame has
            none; () if no frame has. A metric says itself whether it counts them.
    """

    frames: tuple[str, ...]
    size: Size
    masks: Mapping[int, tuple[RLE | None, ...]]
    void: tuple[RLE | None, ...] = ()

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self.masks)

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of the objects."""
        return tuple(self.masks)

    def mask(self, id: int, frame: int) -> NDArray[np.bool_] | None:
        """The mask of an object in a frame, (H, W) bool; None where it is not annotated."""
        rle = self.masks[id][frame]
        return None if rle is None else decode([rle])[0]

    def annotated(self, id: int) -> tuple[int, ...]:
        """The frames, counted from 0, in which an object is annotated, be it seen or not."""
        return tuple(i for i, rle in enumerate(self.masks[id]) if rle is not None)

    def first(self, id: int) -> int:
        """The first frame, counted from 0, in which an object is seen: where it is prompted.

        Raises:
            ValueError: it is seen in none, which `problems` says.
        """
        seen = self.annotated(id)
        pixels = areas([rle for rle in self.masks[id] if rle is not None])
        found = next((i for i, area in zip(seen, pixels.tolist(), strict=True) if area), None)
        if found is None:
            raise ValueError(f"object {id} is seen in no frame")
        return found

    def instances(self, frame: int) -> Instances:
        """The objects that are seen in a frame, counted from 0."""
        known = [(id, own[frame]) for id, own in self.masks.items()]
        drawn = [(id, rle) for id, rle in known if rle is not None and areas([rle])[0]]
        rles = tuple(rle for _, rle in drawn)
        unsure = self.void[frame] if self.void else None
        return Instances(
            size=self.size,
            rles=rles,
            ids=tuple(id for id, _ in drawn),
            categories=np.zeros(len(rles), np.int64),
            boxes=boxes(rles),
            areas=areas(rles).astype(np.float64),
            crowd=np.zeros(len(rles), bool),
            ignore=None if unsure is None else decode([unsure])[0],
        )

    def problems(self, size: Size | None) -> Iterator[Finding]:
        """No frame or object, names or ids twice or odd, masks that are lacking or not the clip's.

        An object that is seen in no frame is one, too: there is nothing to prompt it with.
        """
        wrong = list(self._malformed(size or self.size))
        yield from (Finding("tracks", problem, REMEDY) for problem in wrong)
        for id in () if wrong else self.ids:
            if not areas([rle for rle in self.masks[id] if rle is not None]).any():
                problem = f"object {id} is seen in no frame"
                yield Finding("tracks", problem, "Leave out objects that never appear.")

    def _malformed(self, size: Size) -> Iterator[str]:
        yield from of_size("tracks", self.size, size)
        if not self.frames:
            yield "no frames"
        if len(set(self.frames)) != len(self.frames):
            twice = next(n for i, n in enumerate(self.frames) if n in self.frames[:i])
            yield f"frame {twice!r} is there twice"
        if not self.masks:
            yield "no objects"
        for id, own in self.masks.items():
            if isinstance(id, bool) or not isinstance(id, int) or id < 0:
                yield f"an object has the id {id!r}, not a whole number from 0"
            yield from self._of(f"object {id}", own, size)
        if self.void:
            yield from self._of("void", self.void, size)

    def _of(self, name: str, rles: tuple[RLE | None, ...], size: Size) -> Iterator[str]:
        """What is wrong with the masks of an object, or of void."""
        if len(rles) != len(self.frames):
            yield f"{name} has {len(rles)} masks, the clip {len(self.frames)} frames"
            return
        known = [(i, rle) for i, rle in enumerate(rles) if rle is not None]
        names = [f"{name}, frame {self.frames[i]}" for i, _ in known]
        yield from of_masks(names, [rle for _, rle in known], size)

    def doubts(self) -> Iterator[Finding]:
        """Objects of which nothing can be scored, annotated in no frame after their first."""
        for id in self.ids:
            first = self.first(id)
            if first == self.annotated(id)[-1]:
                problem = f"object {id} is annotated in no frame after {self.frames[first]}"
                remedy = "Leave out objects that are not annotated after the frame of the prompt."
                yield Finding("tracks", problem, remedy, minor=True)

    def objects(self) -> Instances:
        """Those that are seen in the first frame, the image that stands for the clip."""
        return self.instances(0)

    def layer(self) -> Layer:
        """Their masks in the first frame."""
        return Layer(masks=self.objects().rles)


def values_in(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The values of a label image in ascending order, as `np.unique` finds them, without sorting.

    Args:
        labels: of any shape, with a value at least.
    """
    low, high = int(labels.min()), int(labels.max())
    if high - low > labels.size:
        return np.unique(labels)
    return np.flatnonzero(np.bincount((labels - low).ravel())) + low
