"""Geometry of masks and boxes: tight boxes, non-maximum suppression, small regions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TOGETHER, ROUNDS = 4096, 24
"""Boxes that suppress each other at once on a GPU, and in how many rounds."""


def boxes_of(masks: Tensor) -> Tensor:
    """Boxes of masks (n, H, W) bool: (n, 4) int64 XYXY, first and last pixel; zeros if empty."""
    if not masks.numel():
        return torch.zeros(len(masks), 4, dtype=torch.int64, device=masks.device)
    pixels = masks.view(torch.uint8)
    ends = []
    for lines in (pixels.amax(dim=1), pixels.amax(dim=2)):  # columns, rows
        last = lines.shape[1] - 1
        ends.append((lines.argmax(dim=1), last - lines.flip(1).argmax(dim=1), lines.amax(dim=1)))
    (x0, x1, some), (y0, y1, _) = ends
    return torch.stack([x0, y0, x1, y1], dim=1) * some[:, None]


def nms(
    boxes: NDArray[np.float32], scores: NDArray[np.floating], threshold: float
) -> NDArray[np.int64]:
    """Greedy non-maximum suppression of boxes, in the arithmetic of torchvision's.

    It runs on the host, as a loop of decisions; `surviving` is its twin on a GPU.

    Args:
        boxes: (N, 4) XYXY.
        scores: (N,); of equal ones the first comes first.
        threshold: an IoU above it suppresses.

    Returns:
        Indices of those kept, by descending score.
    """
    boxes = np.asarray(boxes, np.float32)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = np.argsort(-np.asarray(scores), kind="stable")
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[left, :2])
        high = np.minimum(boxes[best, 2:], boxes[left, 2:])
        sides = (high - low).clip(min=0)
        common = sides[:, 0] * sides[:, 1]
        with np.errstate(invalid="ignore"):  # two boxes without area: NaN suppresses nothing
            overlap = common / (areas[best] + areas[left] - common)
        left = left[~(overlap.astype(np.float64) > threshold)]
    return np.array(kept, dtype=np.int64)


def surviving(
    boxes: Tensor, scores: Tensor, valid: Tensor, threshold: float
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """As `nms`, on a GPU: whatever stays, no host decides.

    A box stays if no better one that stays overlaps it. That settles box by box, the best first,
    so that rounds for all boxes together arrive there when they change nothing more: after as many
    as the longest chain of boxes that decide on each other.

    Args:
        boxes: (N, 4) XYXY.
        scores: (N,); of equal ones the first comes first.
        valid: (N,) bool: others neither stay nor suppress.
        threshold: an IoU above it suppresses.

    Returns:
        Indices by descending score (N,) and whether these stay (N,) bool; and whether all of this
        is settled, () bool. If not, or with more than `TOGETHER` boxes, `nms` has to decide.
    """
    order = scores.argsort(descending=True, stable=True)
    valid = valid[order]
    if len(boxes) > TOGETHER:  # as many pairs would need gigabytes
        return (order, valid), torch.zeros((), dtype=torch.bool, device=boxes.device)
    boxes = boxes[order].float()
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    sides = (high - low).clamp(min=0)
    common = sides[..., 0] * sides[..., 1]
    overlap = common / (areas[:, None] + areas - common)
    worse = (overlap.double() > threshold).triu(1)  # column j is suppressed by row i before it
    stays = before = valid
    for _ in range(ROUNDS):
        before, stays = stays, valid & ~(worse & stays[:, None]).any(dim=0)
    return (order, stays), (stays == before).all()


def without_small(
    mask: NDArray[np.bool_], area: int, *, holes: bool
) -> tuple[NDArray[np.bool_], bool]:
    """Fill small holes of a mask, or remove its small islands; diagonal neighbours touch.

    Where all islands are small the largest stays.

    Args:
        mask: (H, W) bool.
        area: regions of fewer pixels are small.
        holes: fill holes, otherwise remove islands.

    Returns:
        The mask, and whether anything was small.
    """
    from scipy.ndimage import label

    regions, _ = label(mask ^ holes, structure=np.ones((3, 3)))
    sizes = np.bincount(regions.ravel())
    small = sizes < area
    small[0] = False  # what is no region
    if not small.any():
        return mask, False
    if not holes and small[1:].all():
        small[1 + sizes[1:].argmax()] = False
    changed: NDArray[np.bool_] = mask ^ small[regions]
    return changed, True
