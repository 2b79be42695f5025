"""The objects of an image that are trained on: which, and as the network's grid sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from sambench.truths import Instances

LARGEST = 0.9
"""Masks of more than this part of the image are left out (Kirillov et al., 2023, appendix A)."""


@dataclass(frozen=True)
class Objects:
    """N objects of one image.

    Attributes:
        masks: (N, H, W) bool.
        boxes: (N, 4) XYXY in pixels.
        valid: (H, W) bool, pixels that count.
    """

    masks: NDArray[np.bool_]
    boxes: NDArray[np.float64]
    valid: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the image."""
        return self.valid.shape[0], self.valid.shape[1]

    def take(self, rows: slice | NDArray[np.int64]) -> Objects:
        """Some of them."""
        return Objects(self.masks[rows], self.boxes[rows], self.valid)


def choose(truth: Instances, most: int, random: Generator) -> Objects:
    """Draw at most so many objects; crowds, empty masks and those over 90 % are left out."""
    valid = np.ones(truth.size, bool) if truth.ignore is None else ~truth.ignore
    rows = [i for i in range(len(truth)) if not truth.crowd[i] and truth.areas[i] > 0]
    if len(rows) > most:
        rows = sorted(random.choice(rows, most, replace=False).tolist())
    masks = np.array([truth.mask(i) for i in rows], bool).reshape(-1, *truth.size) & valid
    areas = masks.sum(axis=(1, 2))
    kept = np.flatnonzero((areas > 0) & (areas <= LARGEST * valid.size))
    return Objects(masks[kept], truth.boxes[rows][kept].reshape(-1, 4), valid)


def grid_valid(valid: NDArray[np.bool_], side: int) -> Tensor:
    """Pixels that count (H, W) -> cells of the network's masks that count, (side, side) bool."""
    return _on_grid(valid, side) >= 0.5


def on_grid(masks: NDArray[np.bool_], side: int) -> Tensor:
    """Masks (N, H, W) as the network's low-resolution masks would show them, (N, side, side) float.

    The image is padded to a square to the right and below, as the network's input is; a cell is
    foreground where half of it is. An object that has no such cell gets those it covers most.
    """
    grids = torch.zeros(len(masks), side, side)
    for grid, mask in zip(grids, masks, strict=True):
        covered = _on_grid(mask, side)
        grid[covered >= min(0.5, float(covered.max()))] = 1
    return grids


def _on_grid(mask: NDArray[np.bool_], side: int) -> Tensor:
    """How much of each cell a mask covers, (side, side)."""
    height, width = mask.shape
    longest = max(height, width)
    pixels = torch.from_numpy(mask).float()
    square = F.pad(pixels, (0, longest - width, 0, longest - height))
    return F.adaptive_avg_pool2d(square[None], side)[0]
