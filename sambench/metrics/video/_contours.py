"""Kernel: contours of two masks over many frames, and how much of each is near the other.

A column of a mask is a row of bits, 64 to a word, so that neighbours above and below are shifts,
and those beside are the words of the next column: no pixel is looked at by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench._compile import compiled, inner

Mask = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
"""Begins, ends, splits and boxes of T masks, as `sambench.masks.rle.Runs` has them."""
Bits = NDArray[Any]
"""(columns, words) uint64; bit b of word w is row 64 w + b."""
ONE, TOP, ALL = np.uint64(1), np.uint64(63), np.uint64(2**64 - 1)
PAIRS, FOURS, BYTES = np.uint64(2**64 // 3), np.uint64(2**64 // 5), np.uint64(2**64 // 17)
SUM = np.uint64(2**64 // 255)
TWO, FOUR, HIGH = np.uint64(2), np.uint64(4), np.uint64(56)


@inner
def _count(word: Any) -> Any:
    """Bits that are set, summed in pairs, fours, bytes and all of them."""
    word = word - ((word >> ONE) & PAIRS)
    word = (word & FOURS) + ((word >> TWO) & FOURS)
    return (((word + (word >> FOUR)) & BYTES) * SUM) >> HIGH


@inner
def _paint(mask: Mask, frame: int, height: int, left: int, filled: Bits) -> None:
    """Set the runs of one frame in columns of zeros, of which the first is column `left`."""
    begins, ends, splits, _ = mask
    for run in range(splits[frame], splits[frame + 1]):
        position = begins[run]
        while position < ends[run]:
            column = position // height
            row = position - column * height
            stop = min(ends[run] - column * height, height)
            position += stop - row
            for word in range(row >> 6, ((stop - 1) >> 6) + 1):
                bits = ALL
                if row > word << 6:
                    bits &= ALL << np.uint64(row - (word << 6))
                if stop < (word + 1) << 6:
                    bits &= ALL >> np.uint64(((word + 1) << 6) - stop)
                filled[column - left, word] |= bits


@inner
def _below(column: Bits, word: int, last: Any) -> Any:
    """Of each row of a word the one below; of the last row of the image itself."""
    bits = column[word] >> ONE
    if word + 1 < len(column):
        return bits | (column[word + 1] << TOP)
    return bits | (column[word] & last)


@inner
def _trace(filled: Bits, columns: int, known: int, last: Any, edge: Bits) -> int:
    """Find a mask's contour; how many pixels it has.

    Args:
        filled: the columns of the mask from the first one to look at, to the one after the last one
            to look at, or to the last of the image.
        columns: how many to look at.
        known: how many there are.
        last: the bit of the image's last row in its last word.
        edge: receives the contour.
    """
    count = 0
    for column in range(columns):
        own, right = filled[column], filled[min(column + 1, known - 1)]
        for word in range(filled.shape[1]):
            bits = own[word]
            differs = (bits ^ right[word]) | (bits ^ _below(own, word, last))
            edge[column, word] = differs | (bits ^ _below(right, word, last))
            count += _count(edge[column, word])
    return count


@inner
def _grow(column: Bits) -> None:
    """Add what is above and below of a column, in place."""
    words, before = len(column), np.uint64(0)
    for word in range(words):
        own = column[word]
        bits = own | (own << ONE) | (own >> ONE) | (before >> TOP)
        if word + 1 < words:
            bits |= column[word + 1] << TOP
        column[word], before = bits, own


@inner
def _reach(edge: Bits, columns: int, halves: NDArray[Any], column: Bits, reached: Bits) -> None:
    """Add all that is within the distance of a contour to zeros, `reached`.

    A contour's column is grown up and down step by step; what it has grown to is within the
    distance in the columns that are so far away. `column` is scratch.
    """
    for place in range(columns):
        found = np.uint64(0)
        for word in range(len(column)):
            column[word] = edge[place, word]
            found |= column[word]
        height = 0
        for step in range(len(halves) - 1, -1, -1) if found else range(0):
            while height < halves[step]:
                _grow(column)
                height += 1
            for target in (place - step, place + step):
                if 0 <= target < columns:
                    for word in range(len(column)):
                        reached[target, word] |= column[word]


@inner
def _within(edge: Bits, columns: int, reached: Bits) -> int:
    """How many pixels of a contour are reached; `reached` is zeros afterwards."""
    within = 0
    for place in range(columns):
        for word in range(edge.shape[1]):
            within += _count(edge[place, word] & reached[place, word])
            reached[place, word] = 0
    return within


@compiled
def agreement(
    first: Mask, second: Mask, size: tuple[int, int], halves: NDArray[Any], counts: NDArray[Any]
) -> None:
    """Count the pixels of both contours, and those within a distance of the other one.

    Args:
        first: T masks.
        second: T masks of the same size.
        size: (H, W).
        halves: (R + 1,) int64, how many rows up and down are within the distance R at 0 to R
            columns.
        counts: (T, 4) int64; receives the pixels of the first contour, those of them that are near
            the second, the pixels of the second, and those of them that are near the first.
    """
    height, width = size
    words = (height + 63) >> 6
    last = ONE << np.uint64((height - 1) & 63)
    filled = np.zeros((width, words), np.uint64)
    edge, other = np.empty_like(filled), np.empty_like(filled)
    reached, scratch = np.zeros_like(filled), np.empty(words, np.uint64)
    for frame in range(len(counts)):
        # The columns of both masks, and the one before: no contour is outside.
        left, right = width, 0
        for boxes in (first[3], second[3]):
            if boxes[frame, 2] > boxes[frame, 0]:
                left = min(left, max(boxes[frame, 0] - 1, 0))
                right = max(right, boxes[frame, 2])
        columns, known = max(right - left, 0), max(min(right + 1, width) - left, 0)
        _paint(first, frame, height, left, filled)
        counts[frame, 0] = _trace(filled, columns, known, last, edge)
        filled[:known] = 0
        _paint(second, frame, height, left, filled)
        counts[frame, 2] = _trace(filled, columns, known, last, other)
        filled[:known] = 0
        _reach(other, columns, halves, scratch, reached)
        counts[frame, 1] = _within(edge, columns, reached)
        _reach(edge, columns, halves, scratch, reached)
        counts[frame, 3] = _within(other, columns, reached)
