"""Kernel: contours of two masks over many frames, and how much of each is near the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench._compile import compiled, inner

Mask = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
"""Begins, ends, splits and boxes of T masks, as `sambench.masks.rle.Runs` has them."""


@inner
def _paint(mask: Mask, frame: int, height: int, left: int, filled: NDArray[Any]) -> None:
    """Set the runs of one frame in columns of zeros, of which the first is column `left`."""
    begins, ends, splits, _ = mask
    for run in range(splits[frame], splits[frame + 1]):
        position, end = begins[run], ends[run]
        while position < end:
            column = position // height
            stop = min(end, (column + 1) * height)
            for row in range(position - column * height, stop - column * height):
                filled[column - left, row] = 1
            position = stop


@inner
def _trace(
    filled: NDArray[Any],
    part: tuple[int, int, int, int],
    edge: NDArray[Any],
    pad: int,
    places: NDArray[Any],
) -> int:
    """Mark a mask's contour in `edge`; how many pixels it has.

    Args:
        filled: the columns of the mask from the first one to look at, to the one after the last one
            to look at, or to the last of the image.
        part: how many columns to look at, how many there are, the row to begin and that to end at.
        edge: zeros, receives 1 where the contour is, `pad` columns and rows further.
        pad: see there.
        places: (P, 2) receives columns and rows of the contour.
    """
    columns, known, top, bottom = part
    last, count = filled.shape[1] - 1, 0
    for column in range(columns):
        right = min(column + 1, known - 1)
        for row in range(top, bottom):
            below, own = min(row + 1, last), filled[column, row]
            same = own == filled[right, row] and own == filled[column, below]
            if not (same and own == filled[right, below]):
                edge[column + pad, row + pad] = 1
                places[count, 0] = column + pad
                places[count, 1] = row + pad
                count += 1
    return count


@inner
def _near(places: NDArray[Any], count: int, other: NDArray[Any], disc: NDArray[Any]) -> int:
    """How many places have a pixel of the other contour within the disc."""
    near = 0
    for place in range(count):
        column, row = places[place, 0], places[place, 1]
        for step in range(len(disc)):
            if other[column + disc[step, 0], row + disc[step, 1]]:
                near += 1
                break
    return near


@inner
def _clear(places: NDArray[Any], count: int, edge: NDArray[Any]) -> None:
    for place in range(count):
        edge[places[place, 0], places[place, 1]] = 0


@compiled
def agreement(
    first: Mask, second: Mask, size: tuple[int, int], disc: NDArray[Any], counts: NDArray[Any]
) -> None:
    """Count the pixels of both contours, and those within a distance of the other one.

    Args:
        first: T masks.
        second: T masks of the same size.
        size: (H, W).
        disc: (K, 2) offsets of the pixels within the distance, nearest first.
        counts: (T, 4) int64; receives the pixels of the first contour, those of them that are near
            the second, the pixels of the second, and those of them that are near the first.
    """
    height, width = size
    pad = disc.max()
    filled = np.zeros((width, height), np.uint8)
    edge = np.zeros((width + 2 * pad, height + 2 * pad), np.uint8)
    other = np.zeros_like(edge)
    places = np.empty((width * height, 2), np.int32)
    others = np.empty_like(places)
    for frame in range(len(counts)):
        # The box of both masks, and what is left of it and above: no contour is outside.
        left, top, right, bottom = width, height, 0, 0
        for boxes in (first[3], second[3]):
            if boxes[frame, 2] > boxes[frame, 0]:
                left = min(left, max(boxes[frame, 0] - 1, 0))
                top = min(top, max(boxes[frame, 1] - 1, 0))
                right, bottom = max(right, boxes[frame, 2]), max(bottom, boxes[frame, 3])
        known = min(right + 1, width) - left
        part = right - left, known, top, bottom
        _paint(first, frame, height, left, filled)
        count = _trace(filled, part, edge, pad, places)
        filled[: max(known, 0)] = 0
        _paint(second, frame, height, left, filled)
        other_count = _trace(filled, part, other, pad, others)
        filled[: max(known, 0)] = 0
        counts[frame, 0], counts[frame, 2] = count, other_count
        counts[frame, 1] = _near(places, count, other, disc)
        counts[frame, 3] = _near(others, other_count, edge, disc)
        _clear(places, count, edge)
        _clear(others, other_count, other)
