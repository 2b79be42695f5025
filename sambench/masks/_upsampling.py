"""Kernel that upsamples masks and measures them in one pass, without storing logits.

Import this module inside a function: it brings in numba.

Two lines of the step before are all that a line of an image needs, and where all of a mask's
logits are far below zero nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from sambench._compile import compiled, inner, inner_with_arrays


class Axis(NamedTuple):
    """Linear interpolation along an axis, to N places from those of a step before.

    Attributes:
        low: (N,) int64, the place before.
        high: (N,) int64, the place behind: the same or the next.
        near: (N,) float32, weight of the place before.
        far: (N,) float32, weight of the place behind.
    """

    low: NDArray[Any]
    high: NDArray[Any]
    near: NDArray[Any]
    far: NDArray[Any]


class Step(NamedTuple):
    """One bilinear interpolation, or none if both axes are empty."""

    rows: Axis
    columns: Axis


class Measured(NamedTuple):
    """What is to be known of n masks.

    Attributes:
        masks: (n, H, W) uint8; receives 1 where logits are above zero, else 0.
        above: (n,) int64; receives the number of pixels above +offset.
        below: (n,) int64; receives the number of pixels above -offset.
        boxes: (n, 4) int64; receives first and last pixel, XYXY, of one that is not empty.
    """

    masks: NDArray[Any]
    above: NDArray[Any]
    below: NDArray[Any]
    boxes: NDArray[Any]


class Range(NamedTuple):
    """From a first place to before a last one."""

    start: int
    stop: int


class Ring(NamedTuple):
    """The two lines of a step that were computed last, each interpolated along its row.

    Attributes:
        lines: (2, N) float32; line y lies at y % 2.
        held: (2,) int64, which lines these are.
        at: the places that are computed.
    """

    lines: NDArray[Any]
    held: NDArray[Any]
    at: Range


@intrinsic
def _intrinsic_fma(_context: Any, _a: Any, _b: Any, _c: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), generate


_fma = cast(Callable[[Any, Any, Any], Any], _intrinsic_fma)
"""float32 a * b + c, rounded once: the arithmetic of PyTorch's kernels, for equal bits."""


@inner_with_arrays
def _reached(some: NDArray[Any], axis: Axis) -> NDArray[Any]:
    """(N,) uint8: places that take from some (n,) uint8 of the step before."""
    reached = np.zeros(axis.low.size, np.uint8)
    for place in range(reached.size):  # a quarter of the time that indexing by arrays compiles
        reached[place] = some[axis.low[place]] | some[axis.high[place]]
    return reached


@inner
def _range(some: NDArray[Any]) -> Range:
    """From the first that is not zero to behind the last."""
    start, stop = 0, some.size
    while stop > 0 and not some[stop - 1]:
        stop -= 1
    while start < stop and not some[start]:
        start += 1
    return Range(start, stop)


@inner_with_arrays
def _ring(width: int, at: Range) -> Ring:
    """One that holds nothing yet."""
    held = np.empty(2, np.int64)
    held[0] = held[1] = -1
    return Ring(np.empty((2, width), np.float32), held, at)


@inner
def _across(row: NDArray[Any], axis: Axis, line: int, ring: Ring) -> None:
    """Interpolate within a row, and keep that as a line."""
    start, stop = ring.at
    low, high = axis.low[start:stop], axis.high[start:stop]
    near, far, out = axis.near[start:stop], axis.far[start:stop], ring.lines[line % 2, start:stop]
    for x in range(out.size):  # slices from 0: no test of each index for being negative
        out[x] = _fma(row[low[x]], near[x], row[high[x]] * far[x])
    ring.held[line % 2] = line


@inner
def _between(ring: Ring, axis: Axis, y: int, out: NDArray[Any]) -> None:
    """Interpolate between the two lines that y lies between."""
    start, stop = ring.at
    first, second = (
        ring.lines[axis.low[y] % 2, start:stop],
        ring.lines[axis.high[y] % 2, start:stop],
    )
    near, far, line = axis.near[y], axis.far[y], out[start:stop]
    for x in range(line.size):
        line[x] = _fma(first[x], near, second[x] * far)


@inner
def _count(
    ring: Ring, axis: Axis, y: int, offset: Any, mask: NDArray[Any], union: NDArray[Any]
) -> tuple[Any, Any, Any]:
    """As `_between`, but what is above +offset, -offset and zero is counted, not stored.

    Pixels above zero are set in a row of the mask, and in one that unites all its rows.
    """
    start, stop = ring.at
    first, second = (
        ring.lines[axis.low[y] % 2, start:stop],
        ring.lines[axis.high[y] % 2, start:stop],
    )
    near, far, mask, union = axis.near[y], axis.far[y], mask[start:stop], union[start:stop]
    above, below, area = np.int32(0), np.int32(0), np.int32(0)  # or vectors are half as long
    for x in range(mask.size):
        value = _fma(first[x], near, second[x] * far)
        pixel = np.uint8(value > 0)
        mask[x] = pixel
        union[x] |= pixel
        above = np.int32(above + np.int32(value > offset))
        below = np.int32(below + np.int32(value > -offset))
        area = np.int32(area + np.int32(pixel))
    return above, below, area


@inner_with_arrays
def _hot(logits: NDArray[Any], step: Step, floor: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows and columns that a step gives of (h, w) logits and that have any above a floor."""
    height, width = step.rows.high[-1] + 1, step.columns.high[-1] + 1
    rows, columns = np.zeros(height, np.uint8), np.zeros(width, np.uint8)
    for y in range(height):
        row, some = logits[y, :width], np.uint8(0)
        for x in range(row.size):
            hot = np.uint8(row[x] > floor)
            columns[x] |= hot
            some |= hot
        rows[y] = some
    return _reached(rows, step.rows), _reached(columns, step.columns)


@inner
def _once(logits: NDArray[Any], step: Step, y: int, ring: Ring) -> None:
    """Have both lines that y lies between, from logits (h, w)."""
    for line in (step.rows.low[y], step.rows.high[y]):
        if ring.held[line % 2] != line:
            _across(logits[line], step.columns, line, ring)


@inner
def _twice(
    logits: NDArray[Any],
    first: Step,
    second: Step,
    y: int,
    rings: tuple[Ring, Ring],
    scratch: NDArray[Any],
) -> None:
    """Have both lines that y lies between, from a frame that comes from logits (h, w)."""
    frame, ring = rings
    for line in (second.rows.low[y], second.rows.high[y]):
        if ring.held[line % 2] != line:
            _once(logits, first, line, frame)
            _between(frame, first.rows, line, scratch)
            _across(scratch, second.columns, line, ring)


@inner_with_arrays
def _upsample_one(
    logits: NDArray[Any], first: Step, second: Step, offset: Any, measured: Measured, n: int
) -> None:
    """Upsample and measure logits (h, w), the n-th."""
    twice = second.rows.low.size > 0
    # A mean of values below the floor is below -offset, whatever its rounding.
    rows, columns = _hot(logits, first, np.float32(-abs(offset) - 1e-3 * max(1, abs(offset))))
    framed = _range(columns)
    if twice:
        rows, columns = _reached(rows, second.rows), _reached(columns, second.columns)
    at = _range(columns)
    if twice and at.stop:
        framed = Range(second.columns.low[at.start], second.columns.high[at.stop - 1] + 1)
    scratch, union = np.empty(first.columns.low.size, np.float32), np.zeros(columns.size, np.uint8)
    rings = _ring(scratch.size, framed), _ring(union.size, at)
    axis, top, bottom = second.rows if twice else first.rows, -1, -1
    for y in range(rows.size):
        if not rows[y]:
            continue
        if twice:
            _twice(logits, first, second, y, rings, scratch)
        else:
            _once(logits, first, y, rings[1])
        above, below, area = _count(rings[1], axis, y, offset, measured.masks[n, y], union)
        measured.above[n] += above
        measured.below[n] += below
        if area:
            top, bottom = y if top < 0 else top, y
    if bottom >= 0:
        wide = _range(union)
        measured.boxes[n, 0], measured.boxes[n, 1] = wide.start, top
        measured.boxes[n, 2], measured.boxes[n, 3] = wide.stop - 1, bottom


@compiled
def upsample(
    logits: NDArray[Any], first: Step, second: Step, offset: Any, measured: Measured
) -> None:
    """Upsample masks and measure them.

    Args:
        logits: (n, h, w) float32.
        first: the step to a frame.
        second: the step from the frame to the image; empty if the frame is the image.
        offset: float32, see `Measured`.
        measured: zeros; receives all.
    """
    for n in range(len(logits)):
        _upsample_one(logits[n], first, second, offset, measured, n)
