"""The square that SAM's network sees, for evaluations that work there instead of in the image.

The longer side of an image becomes 1024 pixels, zeros fill the square to the right and below, and
the decoder answers on a grid of 256 x 256 over it (Kirillov et al., Segment Anything, 2023,
appendix A). EdgeSAM (Zhou et al., 2023) brings the ground truth there as well.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from sambench.masks.upsampling import Upsampling
from sambench.prompts import Masks

SIDE = 1024
GRID = 256
TIMES = SIDE // GRID
ROUNDING = 1e-6
"""A coordinate that came from a whole number of cells is one, whatever its rounding."""
Size = tuple[int, int]


def inner_size(size: Size) -> Size:
    """(h, w) of an image (H, W) in the square, at least one pixel."""
    scale = SIDE / max(size)
    height, width = (max(int(length * scale + 0.5), 1) for length in size)
    return height, width


def pixels_of_cell(size: Size) -> float:
    """How many pixels of an image (H, W) one cell of the grid covers."""
    return (max(size) / GRID) ** 2


def to_image(x: float, y: float, size: Size) -> tuple[float, float]:
    """A point of the square in pixels of an image (H, W)."""
    height, width = inner_size(size)
    return x * size[1] / width, y * size[0] / height


def of_cell(x: float, y: float, size: Size) -> tuple[float, float]:
    """The first pixel of a cell of the grid, in pixels of an image (H, W)."""
    return to_image(x * TIMES, y * TIMES, size)


def to_cell(x: float, y: float, size: Size) -> tuple[float, float]:
    """The cell of the grid in which a point of an image (H, W) lies."""
    height, width = inner_size(size)
    column, row = x * width / size[1] / TIMES, y * height / size[0] / TIMES
    return int(column + ROUNDING), int(row + ROUNDING)


def enlarged(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask (H, W) in the square, without what fills it up: each pixel that of the nearest."""
    pixels = torch.from_numpy(np.ascontiguousarray(mask)).view(torch.uint8)[None, None]
    nearest: NDArray[np.uint8] = F.interpolate(pixels, inner_size(mask.shape))[0, 0].numpy()
    return nearest.view(bool)


def dilated(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask (H, W) that went to the square and back, with every pixel that it touched.

    It goes there by the nearest pixel and back by bilinear interpolation with a threshold of zero.
    """
    there = torch.from_numpy(enlarged(mask)).float()[None, None]
    back: NDArray[np.float32] = F.interpolate(there, mask.shape, mode="bilinear")[0, 0].numpy()
    return back > 0


def share(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How much of each cell of the grid a mask (h, w) of the square holds, (256, 256) in [0, 1].

    Looked at are four pixels in the middle of a cell, as bilinear interpolation does.
    """
    square = np.zeros((SIDE, SIDE), np.float32)
    square[: mask.shape[0], : mask.shape[1]] = mask
    cells: NDArray[np.float32] = F.interpolate(
        torch.from_numpy(square)[None, None], (GRID, GRID), mode="bilinear"
    )[0, 0].numpy()
    return cells


def answer_on_grid(answer: Masks) -> NDArray[np.bool_]:
    """The mask of each of B prompts on the grid, (B, 256, 256), of an answer with C = 1.

    Of a model with another grid it is the mask at the size of the image, in each cell of which it
    holds half.
    """
    height, width = inner_size(answer.size)
    if answer.logits.shape[2:] == (GRID, GRID) and _is_padded(answer, (height, width)):
        above: Tensor = answer.logits[:, 0] > 0
        return above.cpu().numpy()
    return np.stack([share(enlarged(mask)) >= 0.5 for mask in answer.binary()[:, 0]])


def _is_padded(answer: Masks, inner: Size) -> bool:
    """Whether the logits are of the square, not of an image that was stretched to one."""
    resize = answer.resize
    if not isinstance(resize, Upsampling):
        return False
    last = resize.steps[-1]
    return last == (inner, answer.size) or (inner == answer.size and len(resize.steps) == 1)


def errors_on_grid(
    mask: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    ignore: NDArray[np.bool_] | None = None,
    *,
    touched: bool,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Missed and extra cells of the grid, each (256, 256) bool.

    A cell that is only partly in the image may be extra, not missed.

    Args:
        mask: (H, W) bool, the object.
        predicted: (256, 256) bool.
        ignore: (H, W) bool, pixels that are neither right nor wrong.
        touched: a cell is the object's that it touches, or else that it holds half of.
    """
    held = share(enlarged(mask))
    own = held > 0 if touched else held >= 0.5
    inside = share(np.ones(inner_size(mask.shape), dtype=bool))
    missed, extra = own & ~predicted & (inside == 1), predicted & ~own & (inside > 0)
    if ignore is not None:
        counts = share(enlarged(ignore)) == 0
        missed, extra = missed & counts, extra & counts
    return missed, extra
