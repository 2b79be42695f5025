"""Kernels for run-length encodings.

Import this module inside a function: it brings in numba.

Runs are counted column by column, as COCO's encoding does: pixel (row r, column c) of an (H, W)
mask has position c * H + r.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench._compile import compiled


def changes(
    mask: NDArray[Any],
    words: NDArray[Any],
    words_above: NDArray[Any],
    found: NDArray[Any],
    positions: NDArray[Any],
) -> int:
    """Positions at which a mask changes along its columns, in ascending order.

    Rows are compared with the row above, eight pixels at once, so memory is read in order and no
    transpose is needed; what was found is then sorted by counting how much lies in each column.

    Args:
        mask: (H, W) uint8 of 0 and 1.
        words: the mask from its second row on, as uint64; fewer than eight pixels are left over.
        words_above: as many words from the mask's first pixel on.
        found: (H * W,) int64, scratch.
        positions: (H * W,) int64; receives the result.

    Returns:
        How many were found.
    """
    column_ends = np.zeros(mask.shape[1] + 1, dtype=np.int64)  # made here: numba takes long to
    return _changes(mask.ravel(), words, words_above, found, positions, column_ends)


@compiled
def _changes(
    flat: NDArray[Any],
    words: NDArray[Any],
    words_above: NDArray[Any],
    found: NDArray[Any],
    positions: NDArray[Any],
    column_ends: NDArray[Any],
) -> int:
    """As `changes`, of the mask's pixels row by row, with (W + 1,) zeros."""
    width = len(column_ends) - 1
    height = len(flat) // width
    n = 0
    for column in range(width):
        above = flat[(height - 1) * width + column - 1] if column else 0
        if flat[column] != above:
            found[n] = column
            n += 1
    for word in range(len(words)):
        if words[word] != words_above[word]:
            start = width + 8 * word
            for i in range(start, start + 8):
                found[n] = i
                n += flat[i] ^ flat[i - width]
    for i in range(width + 8 * len(words), height * width):
        found[n] = i
        n += flat[i] ^ flat[i - width]
    for i in range(n):
        column_ends[found[i] % width + 1] += 1
    for column in range(width):
        column_ends[column + 1] += column_ends[column]
    for i in range(n):
        row, column = divmod(found[i], width)
        positions[column_ends[column]] = column * height + row
        column_ends[column] += 1
    return n


@compiled
def compress(positions: NDArray[Any], pixels: int, text: NDArray[Any]) -> int:
    """Write the counts string of COCO's encoding.

    A count is written as its difference from the count two before it, five bits a character from
    the lowest, the sixth bit set where more follow.

    Args:
        positions: (n,) int64 ascending positions of the changes of one mask.
        pixels: H * W.
        text: (7 * (n + 1),) uint8 or longer; receives the characters.

    Returns:
        The length of the string.
    """
    length = 0
    last, before, previous = 0, 0, 0
    for i in range(len(positions) + 1):
        position = positions[i] if i < len(positions) else pixels
        count = position - previous
        value = count - before if i > 2 else count
        previous, before, last = position, last, count
        while True:
            bits = value & 31
            value >>= 5
            more = value != -1 if bits & 16 else value != 0
            text[length] = bits + (32 if more else 0) + 48
            length += 1
            if not more:
                break
    return length


@compiled
def runs(
    text: NDArray[Any],
    text_splits: NDArray[Any],
    begins: NDArray[Any],
    ends: NDArray[Any],
    splits: NDArray[Any],
    pixels: NDArray[Any],
) -> None:
    """Read counts strings: the opposite of `compress`, for N masks at once.

    Args:
        text: (L,) uint8, N strings one after the other.
        text_splits: (N + 1,) where each begins.
        begins: (L,) int64; receives the positions at which foreground runs begin.
        ends: (L,) int64; receives the positions before which they end.
        splits: (N + 1,) int64 of zeros; receives where the runs of each mask begin.
        pixels: (N,) int64; receives how many pixels each string covers, -1 for a damaged one.
    """
    n = 0
    for i in range(len(pixels)):
        at, stop = text_splits[i], text_splits[i + 1]
        before, last, position, index = 0, 0, 0, 0
        while at < stop:
            value, shift, more = 0, 0, True
            while more and at < stop:
                bits = int(text[at]) - 48
                value |= (bits & 31) << shift
                more = bits & 32 != 0
                shift += 5
                at += 1
                if not more and bits & 16:
                    value |= -1 << shift
            value += before if index > 2 else 0
            if more or value < 0:
                position = -1
                break
            before, last = last, value
            if index % 2 and value:
                begins[n], ends[n] = position, position + value
                n += 1
            position += value
            index += 1
        pixels[i] = position
        splits[i + 1] = n


@compiled
def measure(
    begins: NDArray[Any],
    ends: NDArray[Any],
    splits: NDArray[Any],
    height: int,
    areas: NDArray[Any],
    boxes: NDArray[Any],
) -> None:
    """Area and tight box of N masks given as runs.

    Args:
        begins: (R,) as `runs` writes them.
        ends: (R,).
        splits: (N + 1,).
        height: H.
        areas: (N,) int64 of zeros; receives the numbers of pixels.
        boxes: (N, 4) int64 of zeros; receives x0, y0, x1, y1; x1 and y1 lie behind the last pixel.
    """
    for i in range(len(areas)):
        if splits[i] == splits[i + 1]:
            continue
        top, bottom = height, 0
        for run in range(splits[i], splits[i + 1]):
            areas[i] += ends[run] - begins[run]
            if begins[run] // height != (ends[run] - 1) // height:
                top, bottom = 0, height
            else:
                top = min(top, begins[run] % height)
                bottom = max(bottom, (ends[run] - 1) % height + 1)
        boxes[i, 0], boxes[i, 1] = begins[splits[i]] // height, top
        boxes[i, 2], boxes[i, 3] = (ends[splits[i + 1] - 1] - 1) // height + 1, bottom


@compiled
def paint(
    begins: NDArray[Any], ends: NDArray[Any], splits: NDArray[Any], columns: NDArray[Any]
) -> None:
    """Set the runs of N masks in (N, W * H) bool columns of zeros."""
    for i in range(len(columns)):
        for run in range(splits[i], splits[i + 1]):
            columns[i, begins[run] : ends[run]] = True


@compiled
def intersections(
    first: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    second: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    pairs: tuple[NDArray[Any], NDArray[Any]],
    areas: NDArray[Any],
) -> None:
    """Pixels that two masks have in common, for P pairs.

    Args:
        first: begins, ends and splits of some masks.
        second: the same of other masks of equal size.
        pairs: indices into first (P,) and into second (P,).
        areas: (P,) int64 of zeros; receives the result.
    """
    begins, ends, splits = first
    other_begins, other_ends, other_splits = second
    for pair in range(len(areas)):
        i, i_end = splits[pairs[0][pair]], splits[pairs[0][pair] + 1]
        j, j_end = other_splits[pairs[1][pair]], other_splits[pairs[1][pair] + 1]
        while i < i_end and j < j_end:
            common = min(ends[i], other_ends[j]) - max(begins[i], other_begins[j])
            if common > 0:
                areas[pair] += common
            if ends[i] < other_ends[j]:
                i += 1
            else:
                j += 1
