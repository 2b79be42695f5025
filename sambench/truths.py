"""Truths: what is annotated of an image, in the forms that tasks compare answers with.

Masks are COCO run lengths or arrays (H, W) at the size of the image; boxes are (x0, y0, x1, y1) in
its pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

RLE = dict[str, Any]
"""A mask as COCO run lengths: ``{"size": [H, W], "counts": bytes}``."""


@dataclass(frozen=True)
class Layer:
    """What can be drawn over an image: masks, or a map.

    Attributes:
        masks: N run-length encoded masks, each drawn in a colour of its own.
        map: (H, W) in [0, 1], such as the strength of boundaries; it is drawn instead of masks.
    """

    masks: Sequence[RLE] = ()
    map: NDArray[Any] | None = None


@runtime_checkable
class Drawable(Protocol):
    """A truth that can be drawn."""

    def layer(self) -> Layer:
        """It as a layer over its image."""


def layer_of(truth: Any) -> Layer | None:
    """A truth as a layer over its image; None if it is of a kind that cannot be drawn."""
    return truth.layer() if isinstance(truth, Drawable) else None


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
class Instances:
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

    def layer(self) -> Layer:
        """The masks of all objects."""
        return Layer(masks=self.rles)


@dataclass(frozen=True)
class Boundaries:
    """Truth of one image: the boundaries that each annotator drew, each (H, W) bool."""

    annotators: tuple[NDArray[np.bool_], ...]

    def layer(self) -> Layer:
        """How many of the annotators drew each pixel, as a part of them."""
        return Layer(map=np.mean(self.annotators, axis=0)) if self.annotators else Layer()


@dataclass(frozen=True)
class Concepts:
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

    def layer(self) -> Layer:
        """The masks of all phrases, by the first annotator of each."""
        return Layer(masks=[rle for own in self.annotations for rle in own[0]])


@dataclass(frozen=True)
class Regions:
    """Truth of one image: the partition that each annotator made of it.

    Attributes:
        annotators: for each an (H, W) integer map; pixels of one value are one region.
    """

    annotators: tuple[NDArray[np.int64], ...]

    def layer(self) -> Layer:
        """How many of the annotators drew a border through each pixel, as a part of them."""
        return Layer(map=np.mean([borders(labels) for labels in self.annotators], axis=0))


@dataclass(frozen=True)
class Segments:
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

    def layer(self) -> Layer:
        """The masks of all segments but crowd regions, which no answer is asked for."""
        from pycocotools import mask as coco_mask

        masks = (self.mask(int(i)) for i in np.flatnonzero(~self.crowd))
        return Layer(masks=[coco_mask.encode(np.asfortranarray(m, np.uint8)) for m in masks])
