"""Which predicted and annotated pixels may be matched, and what a match is worth."""

from __future__ import annotations

import math

import numpy as np

from sambench._compile import compiled, inner
from sambench.metrics.edges._matching import OFF, TIE, UNIT, Bools, Ints, Longs, Side, side

COST_PER_PIXEL = 100  # costs are integers: hundredths of a pixel
OUTLIER_COST = 100  # in multiples of the maximum distance


def outlier_cost(reach: float) -> int:
    """The benchmark's cost of an outlier link in integer units; reach is in pixels."""
    return math.ceil(OUTLIER_COST * reach * COST_PER_PIXEL)


def offsets_within(reach: float) -> tuple[Ints, Ints]:
    """All (row, column) offsets within reach (n, 2), nearest first, and their costs (n,)."""
    radius = math.ceil(reach)
    steps = np.arange(-radius, radius + 1, dtype=np.int32)
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    squared = (grid.astype(np.int64) ** 2).sum(axis=1)
    order = np.argsort(squared, kind="stable")
    order = order[squared[order] <= reach * reach]
    costs = np.rint(COST_PER_PIXEL * np.sqrt(squared[order])).astype(np.int32)
    return grid[order], costs


def place(pixels: Ints, shape: tuple[int, int], reach: float) -> Ints:
    """Which of the pixels lies where: an image of their indices, or -1, with a border of reach."""
    border = math.ceil(reach)
    height, width = shape
    image = np.full((height + 2 * border, width + 2 * border), -1, dtype=np.int32)
    rows, columns = np.divmod(pixels, np.int32(width))
    image[rows + border, columns + border] = np.arange(len(pixels), dtype=np.int32)
    return image


def pair_up(
    index: Ints, count: int, annotation: Bools, reach: float, unmatched: int, salt: np.uint64
) -> tuple[Side, Side]:
    """The predicted and the annotated side, nothing matched and no predicted pixel there yet.

    Args:
        index: the image that `place` returned.
        count: number of predicted pixels.
        annotation: (H, W) bool.
        reach: maximum distance in pixels.
        unmatched: cost of leaving a pixel unmatched, in integer units.
        salt: which of equally cheap matchings is taken.
    """
    offsets, costs = offsets_within(reach)
    border, width = math.ceil(reach), index.shape[1]
    rows, columns = np.nonzero(annotation)
    where = ((rows + border) * width + columns + border).astype(np.int32)
    strides = offsets[:, 0] * np.int32(width) + offsets[:, 1]
    gains = (unmatched - costs.astype(np.int64)) * UNIT
    start, back_start = np.zeros(len(where) + 1, np.int32), np.zeros(count + 2, np.int32)
    most = len(where) * len(strides)
    partner, gain = np.empty(most, np.int32), np.empty(most, np.int64)
    total = _pairs(index.ravel(), where, strides, gains, salt, start, partner, gain, back_start)
    partner, gain = partner[:total].copy(), gain[:total].copy()
    back, back_gain = np.empty(total, np.int32), np.empty(total, np.int64)
    _reversed(start, partner, gain, back_start, back, back_gain)
    return side(back_start[:-1], back, back_gain, OFF), side(start, partner, gain, 0)


@inner
def _tie(one: int, other: int, salt: np.uint64) -> np.int64:
    """A hash of two pixels, in [0, TIE)."""
    mixed = salt + np.uint64(one)
    mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + np.uint64(other)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
    return np.int64((mixed >> np.uint64(32)) % np.uint64(TIE))


@compiled
def _pairs(
    index: Ints, annotated: Ints, strides: Ints, gains: Longs, salt: np.uint64,
    start: Ints, partner: Ints, gain: Longs, back_start: Ints,
) -> int:  # fmt: skip
    """Adjacency lists (start, partner, gain) of the annotated pixels; returns how many pairs.

    How many pairs each predicted pixel has is counted two places behind it, see `_reversed`.
    """
    total = 0
    for i in range(len(annotated)):
        for k in range(len(strides)):
            other = index[annotated[i] + strides[k]]
            if other >= 0:
                partner[total] = other
                gain[total] = gains[k] - _tie(annotated[i] + strides[k], annotated[i], salt)
                back_start[other + 2] += 1
                total += 1
        start[i + 1] = total
    return total


@compiled
def _reversed(
    start: Ints, partner: Ints, gain: Longs, back_start: Ints, back: Ints, back_gain: Longs
) -> None:
    """Adjacency lists of the predicted pixels: start without its last place, partner, gain."""
    for i in range(1, len(back_start)):
        back_start[i] += back_start[i - 1]
    for i in range(len(start) - 1):
        for e in range(start[i], start[i + 1]):
            place = back_start[partner[e] + 1]
            back[place], back_gain[place] = i, gain[e]
            back_start[partner[e] + 1] += 1
