"""Object masks of any origin -> `Instances`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from sambench.interfaces import JSON
from sambench.truths import Instances


def encode(mask: NDArray[Any]) -> JSON:
    """(H, W) mask, non-zero is foreground -> COCO run-length encoding."""
    rle: JSON = coco_mask.encode(np.asfortranarray(mask != 0, dtype=np.uint8))
    return rle


def box_of(rle: JSON) -> NDArray[np.float64]:
    """Tight box (x0, y0, x1, y1) of a mask, its far edges outside the last pixel."""
    x, y, w, h = coco_mask.toBbox(rle)
    return np.array([x, y, x + w, y + h], dtype=np.float64)


def area_of(rle: JSON) -> float:
    """Number of pixels of a mask."""
    return float(coco_mask.area(rle))


def from_rles(
    size: tuple[int, int],
    rles: Sequence[JSON],
    *,
    ids: Sequence[int] | None = None,
    categories: Sequence[int] | None = None,
    ignore: NDArray[np.bool_] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Instances:
    """Instances of a dataset that annotates masks alone: boxes and areas are the masks' own.

    Args:
        size: (H, W).
        rles: N run-length encodings.
        ids: N ids; 1 to N if None.
        categories: N category ids; all 0 if None.
        ignore: (H, W) pixels that do not count.
        extra: see `Instances`.
    """
    count = len(rles)
    return Instances(
        size=size,
        rles=tuple(rles),
        ids=tuple(ids if ids is not None else range(1, count + 1)),
        categories=np.array(categories if categories is not None else [0] * count, dtype=np.int64),
        boxes=np.array([box_of(rle) for rle in rles], dtype=np.float64).reshape(-1, 4),
        areas=np.array([area_of(rle) for rle in rles], dtype=np.float64),
        crowd=np.zeros(count, dtype=bool),
        ignore=ignore,
        extra=extra or {},
    )


def from_labels(
    labels: NDArray[Any],
    background: Iterable[int] = (0,),
    ignore: Iterable[int] = (),
) -> Instances:
    """Label map (H, W) -> one object for each value that is neither background nor ignored.

    Objects come in ascending order of their value, which is also their id.
    """
    skipped, ignored = {*background, *ignore}, list(ignore)
    values = [int(value) for value in np.unique(labels) if int(value) not in skipped]
    unknown = np.isin(labels, ignored)
    return from_rles(
        (labels.shape[0], labels.shape[1]),
        [encode(labels == value) for value in values],
        ids=values,
        ignore=unknown if unknown.any() else None,
    )


def without_empty(truth: Instances) -> Instances:
    """The same without masks that have no pixel: nothing could be clicked."""
    keep = np.array([area_of(rle) > 0 for rle in truth.rles], dtype=bool)
    if keep.all():
        return truth
    return replace(
        truth,
        rles=tuple(rle for rle, kept in zip(truth.rles, keep, strict=True) if kept),
        ids=tuple(id for id, kept in zip(truth.ids, keep, strict=True) if kept),
        categories=truth.categories[keep],
        boxes=truth.boxes[keep],
        areas=truth.areas[keep],
        crowd=truth.crowd[keep],
    )


UNKNOWN = 128
"""Grey value of the band along an object's boundary that no metric counts."""


def from_trimap(grey: NDArray[np.int64]) -> Instances:
    """Grey values (H, W) of GrabCut's kind: above 128 the object, 128 unknown -> one object."""
    unknown = grey == UNKNOWN
    ignore = unknown if unknown.any() else None
    return from_rles((grey.shape[0], grey.shape[1]), [encode(grey > UNKNOWN)], ignore=ignore)
