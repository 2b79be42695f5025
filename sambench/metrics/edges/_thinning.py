"""Thinning of a map at many thresholds, as a list of what changes from one to the next.

The two sub-iterations are those of Z. Guo and R. W. Hall, "Parallel thinning with two-subiteration
algorithms", CACM 1989 (algorithm A1), in the form that MATLAB's bwmorph documents after L. Lam,
S.-W. Lee and C. Y. Suen, "Thinning methodologies", PAMI 1992: a pixel that is on goes off if
G1: its neighbourhood has one crossing from off to on,
G2: 2 <= min(n1, n2) <= 3, where n1 and n2 count pairs of adjoining neighbours that hold a pixel,
G3: (x2 or x3 or not x8) and x1 is false; in the second sub-iteration the same turned by 180
degrees. x1 ... x8 are the neighbours from the east, counter-clockwise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sambench._compile import compiled, inner, inner_with_arrays

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
ON = 256  # bit of a code that says that the pixel itself is on


class Events(NamedTuple):
    """What thinning changes from one threshold to the next lower one.

    Attributes:
        pixels: (C,) the pixels that are on in any thinned map, as row * width + column.
        changes: (M,) indices into `pixels`, first those that go off, then those that come on.
        removed: (T,) where in `changes` the removals of step s begin; step 0 is the highest
            threshold.
        added: (T + 1,) where in `changes` the additions of step s begin; they end where the
            removals of step s + 1 begin.
    """

    pixels: Ints
    changes: Ints
    removed: NDArray[np.int64]
    added: NDArray[np.int64]


def _goes_off(code: int, second: bool) -> bool:
    """The conditions above for an 8-neighbourhood; bit i of the code is neighbour x(i + 1)."""
    x = [bool(code >> i & 1) for i in range(8)]
    crossings = sum(not x[i] and (x[i + 1] or x[(i + 2) % 8]) for i in (0, 2, 4, 6))
    n1 = sum(x[i] or x[i + 1] for i in (0, 2, 4, 6))
    n2 = sum(x[i + 1] or x[(i + 2) % 8] for i in (0, 2, 4, 6))
    turn = 4 if second else 0
    blocked = (x[1 + turn] or x[2 + turn] or not x[(7 + turn) % 8]) and x[turn]
    return crossings == 1 and 2 <= min(n1, n2) <= 3 and not blocked


def _table(second: bool) -> NDArray[np.bool_]:
    table = np.zeros(512, dtype=bool)
    table[ON:] = [_goes_off(code, second) for code in range(256)]
    return table


TABLES = np.stack((_table(False), _table(True)))


class Work(NamedTuple):
    """Scratch for an image of S pixels, C of which are on; made here, as numba takes long to.

    Attributes:
        full, codes: (S,) zeros; the neighbours of each that are on, before and after thinning.
        was_on: (S,) zeros; whether the pixel is on in the thinned map before.
        queued: (S,) zeros; in which queues a pixel stands.
        queues: (2, C) pixels to be looked at again in each sub-iteration.
        sizes: (2,) how many.
        going: (C,) pixels that go off.
        pixels: (C,) receives those that are on in any thinned map.
    """

    full: NDArray[np.uint16]
    codes: NDArray[np.uint16]
    was_on: NDArray[np.bool_]
    queued: NDArray[np.uint8]
    queues: Ints
    sizes: Ints
    going: Ints
    pixels: Ints


def _work_for(size: int, on: int) -> Work:
    some, sizes = np.empty((4, on), np.int32), np.empty(2, np.int32)
    codes = np.zeros((2, size), np.uint16)
    flags = np.zeros(size, np.bool_), np.zeros(size, np.uint8)
    return Work(*codes, *flags, some[:2], sizes, *some[2:])  # type: ignore[call-arg] # 2 each


def thinning_events(levels: NDArray[np.int16], steps: int) -> Events:
    """Thin a map at each of many thresholds.

    Args:
        levels: (H, W), how many of the thresholds, from the lowest, the pixel reaches.
        steps: number of thresholds T.
    """
    height, width = levels.shape
    padded = np.zeros((height + 2, width + 2), dtype=np.int16)
    padded[1:-1, 1:-1] = levels
    flat = padded.ravel()
    order = np.argsort(-flat, kind="stable")[: np.count_nonzero(flat)]
    counts = np.bincount(flat, minlength=steps + 1)[:0:-1]
    ends = np.cumsum(counts)  # how many pixels are on at each step, from the highest threshold
    row = width + 2
    around = np.array([1, 1 - row, -row, -1 - row, -1, row - 1, row, row + 1], np.int32)
    name = np.full(padded.size, -1, np.int32)
    work, removed, added = _work_for(padded.size, len(order)), *np.zeros((2, steps + 1), np.int64)
    known, changes, total = _events(
        order.astype(np.int32), ends, name, around, TABLES, work, removed, added
    )
    pixels, changes = work.pixels[:known].copy(), changes[:total].copy()
    rows, columns = np.divmod(pixels, np.int32(row))
    return Events((rows - 1) * np.int32(width) + columns - 1, changes, removed, added)


@inner
def _switch_off(
    pixels: Ints, count: np.int64, codes: NDArray[np.uint16], around: Ints, queues: Ints,
    sizes: Ints, queued: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Take pixels off; their neighbours that are on have to be looked at again, in both queues."""
    for i in range(count):
        codes[pixels[i]] &= ON - 1
    for i in range(count):
        for k in range(8):
            near = pixels[i] + around[k]
            codes[near] &= ~(1 << ((k + 4) % 8))  # seen from there, this pixel is opposite
            if codes[near] & ON:
                for queue in range(2):
                    if not queued[near] & (1 << queue):
                        queued[near] |= 1 << queue
                        queues[queue, sizes[queue]] = near
                        sizes[queue] += 1


@inner
def _thin(
    on: Ints, codes: NDArray[np.uint16], around: Ints, tables: NDArray[np.bool_],
    queues: Ints, sizes: Ints, queued: NDArray[np.uint8], going: Ints,
) -> None:  # fmt: skip
    """Thin to convergence: codes change; pixels are looked at again only when a neighbour went."""
    sizes[:] = 0
    for turn in range(2):  # the first time every pixel is looked at
        for i in range(sizes[turn]):
            queued[queues[turn, i]] &= ~(1 << turn)
        sizes[turn] = 0
        count = np.int64(0)
        for pixel in on:
            if tables[turn, codes[pixel]]:
                going[count] = pixel
                count += 1
        _switch_off(going, count, codes, around, queues, sizes, queued)
    turn = 0
    while sizes[0] or sizes[1]:
        count = np.int64(0)
        for i in range(sizes[turn]):
            pixel = queues[turn, i]
            queued[pixel] &= ~(1 << turn)
            if tables[turn, codes[pixel]]:
                going[count] = pixel
                count += 1
        sizes[turn] = 0
        _switch_off(going, count, codes, around, queues, sizes, queued)
        turn = 1 - turn


@inner_with_arrays
def _append(array: Ints, size: np.int64, value: int) -> Ints:
    """Write at the end of an array that grows."""
    if size == len(array):
        grown = np.empty(2 * size, dtype=np.int32)
        for i in range(size):  # a slice takes numba two seconds to compile
            grown[i] = array[i]
        array = grown
    array[size] = value
    return array


@inner
def _switch_on(pixels: Ints, codes: NDArray[np.uint16], around: Ints) -> None:
    for pixel in pixels:
        codes[pixel] |= ON
        for k in range(8):
            codes[pixel + around[k]] |= 1 << ((k + 4) % 8)


@compiled
def _events(
    order: Ints, ends: Longs, name: Ints, around: Ints, tables: NDArray[np.bool_], work: Work,
    removed: Longs, added: Longs,
) -> tuple[int, Ints, np.int64]:  # fmt: skip
    """Thin each prefix of the pixels in order and note the differences (see `Events`).

    The name of each pixel of the image, -1, becomes its place among those that are on in any.
    Returns how many these are, the changes, and how many those are.
    """
    full, codes, was_on = work.full, work.codes, work.was_on
    changes, total = np.empty(1024, np.int32), np.int64(0)
    begin, known = 0, 0
    for step in range(len(ends)):
        on = order[: ends[step]]
        removed[step] = added[step] = total
        if ends[step] > begin:  # otherwise the map is the same
            _switch_on(order[begin : ends[step]], full, around)
            begin = ends[step]
            for pixel in on:
                codes[pixel] = full[pixel]
            _thin(on, codes, around, tables, work.queues, work.sizes, work.queued, work.going)
            for pixel in on:
                if was_on[pixel] and not codes[pixel] & ON:
                    was_on[pixel] = False
                    changes = _append(changes, total, name[pixel])
                    total += 1
            added[step] = total
            for pixel in on:
                if not was_on[pixel] and codes[pixel] & ON:
                    was_on[pixel] = True
                    if name[pixel] < 0:
                        name[pixel] = known
                        work.pixels[known] = pixel
                        known += 1
                    changes = _append(changes, total, name[pixel])
                    total += 1
    removed[len(ends)] = added[len(ends)] = total
    return known, changes, total
