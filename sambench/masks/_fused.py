"""Kernel for a GPU that upsamples masks and measures them in one pass: the twin of `_upsampling`.

Import this module inside a function: it brings in triton, which comes with PyTorch for GPUs. A
program does one row of one mask and reads the mask's low-resolution logits alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from sambench.masks.transfer import upload

if TYPE_CHECKING:
    from sambench.masks._upsampling import Axis, Step

BLOCK = 256
"""Pixels of a row that are computed together."""


def _across(line: Any, low: Any, high: Any, near: Any, far: Any, some: Any) -> Any:
    """Interpolate within a line of logits, at places of a frame."""
    first, second = tl.load(line + low, mask=some), tl.load(line + high, mask=some)
    return tl.fma(first, near, second * far)


across = triton.jit(_across)


def _frame(logits: Any, width: Any, rows: Any, columns: Any, x: Any, some: Any) -> Any:
    """Values of a row of the first step's frame, at columns x."""
    row_low, row_high, row_near, row_far = rows
    low_at, high_at, near_at, far_at = columns
    low, high = tl.load(low_at + x, mask=some), tl.load(high_at + x, mask=some)
    near, far = tl.load(near_at + x, mask=some), tl.load(far_at + x, mask=some)
    above = across(logits + row_low * width, low, high, near, far, some)
    below = across(logits + row_high * width, low, high, near, far, some)
    return tl.fma(above, row_near, below * row_far)


frame = triton.jit(_frame)


def _at(axis: Any, y: Any) -> Any:
    """An axis at one place."""
    low, high, near, far = axis
    return tl.load(low + y), tl.load(high + y), tl.load(near + y), tl.load(far + y)


at = triton.jit(_at)


def _again(
    logits: Any, width: Any, row: Any, columns: Any, second_columns: Any, x: Any, some: Any
) -> Any:
    """Interpolate within a row of the frame, at columns x of the image."""
    low_at, high_at, near_at, far_at = second_columns
    low, high = tl.load(low_at + x, mask=some), tl.load(high_at + x, mask=some)
    near, far = tl.load(near_at + x, mask=some), tl.load(far_at + x, mask=some)
    first = frame(logits, width, row, columns, low, some)
    return tl.fma(first, near, frame(logits, width, row, columns, high, some) * far)


again = triton.jit(_again)


def _measure(
    logits: Any,
    height: Any,
    width: Any,
    rows: Any,
    columns: Any,
    second_rows: Any,
    second_columns: Any,
    size: Any,
    offset: Any,
    masks: Any,
    counts: Any,
    ends: Any,
    TWICE: tl.constexpr,  # noqa: N803 (as triton writes constants)
    STORED: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
) -> None:
    """Row `program_id(0)` of mask `program_id(1)`, see `measure`."""
    y, n = tl.program_id(0), tl.program_id(1)
    tall, wide = size
    logits += n.to(tl.int64) * height * width
    above = tl.zeros([BLOCK], tl.int32)
    below = tl.zeros([BLOCK], tl.int32)
    left = tl.full([BLOCK], 1 << 30, tl.int32)
    right = tl.full([BLOCK], -1, tl.int32)
    for start in range(0, wide, BLOCK):
        x = start + tl.arange(0, BLOCK)
        some = x < wide
        if TWICE:
            y_low, y_high, y_near, y_far = at(second_rows, y)
            first = again(logits, width, at(rows, y_low), columns, second_columns, x, some)
            last = again(logits, width, at(rows, y_high), columns, second_columns, x, some)
            value = tl.fma(first, y_near, last * y_far)
        else:
            value = frame(logits, width, at(rows, y), columns, x, some)
        inside = some & (value > 0)
        above += (some & (value > offset)).to(tl.int32)
        below += (some & (value > -offset)).to(tl.int32)
        left = tl.minimum(left, tl.where(inside, x, 1 << 30))
        right = tl.maximum(right, tl.where(inside, x, -1))
        if STORED:
            place = masks + (n.to(tl.int64) * tall + y) * wide + x
            tl.store(place, inside.to(tl.uint8), mask=some)
    tl.atomic_add(counts + 2 * n, tl.sum(above))
    tl.atomic_add(counts + 2 * n + 1, tl.sum(below))
    last_x = tl.max(right)
    tl.atomic_min(ends + 4 * n, tl.min(left))
    tl.atomic_min(ends + 4 * n + 1, tl.where(last_x >= 0, y, 1 << 30))
    tl.atomic_max(ends + 4 * n + 2, last_x)
    tl.atomic_max(ends + 4 * n + 3, tl.where(last_x >= 0, y, -1))


_kernel = triton.jit(_measure)


def measure(
    logits: Tensor,
    steps: tuple[Step, Step],
    size: tuple[int, int],
    offset: float,
    *,
    stored: bool,
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Upsample masks and measure them.

    Args:
        logits: (n, h, w) float32.
        steps: to a frame, and from it to the image; the second is empty if the frame is the image.
        size: (H, W) of the image.
        offset: of the stability score.
        stored: whether the masks themselves are wanted.

    Returns:
        Masks (n, H, W) bool or None, pixels above +offset and -offset (n, 2) int32, boxes (n, 4)
        int64 XYXY, zeros for an empty one.
    """
    n, height, width = logits.shape
    device, (first, second) = logits.device, steps
    masks = torch.empty((n, *size) if stored else 1, dtype=torch.uint8, device=device)
    counts = torch.zeros(n, 2, dtype=torch.int32, device=device)
    ends = torch.full((n, 4), 1 << 30, dtype=torch.int32, device=device)
    ends[:, 2:] = -1
    twice = second.rows.low.size > 0
    rows, columns = _on(first.rows, device), _on(first.columns, device)
    more = (_on(second.rows, device), _on(second.columns, device)) if twice else (rows, columns)
    tables = rows, columns, *more
    if n:
        _kernel[(size[0], n)](
            logits.contiguous(), height, width, *tables, size, offset, masks, counts, ends,
            TWICE=twice, STORED=stored, BLOCK=BLOCK,
        )  # fmt: skip
    boxes = torch.where(ends[:, 2:3] >= 0, ends, 0).long()
    return masks.view(torch.bool) if stored else None, counts, boxes


def _on(axis: Axis, device: torch.device) -> tuple[Tensor, ...]:
    """An axis on a device, places as int32."""
    places = (upload(part.astype("int32"), device) for part in (axis.low, axis.high))
    return *places, *(upload(part, device) for part in (axis.near, axis.far))
