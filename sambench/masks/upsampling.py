"""From a model's low-resolution logits to masks at the size of the image.

On a CPU, float32 logits are enlarged and measured in one pass that stores no logits; its bits
are those of `torch.nn.functional.interpolate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sambench.masks.geometry import boxes_of

if TYPE_CHECKING:
    from sambench.masks._upsampling import Axis, Step

Size = tuple[int, int]
Resize = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Enlargement:
    """Bilinear interpolations, one after another, that bring (n, h, w) logits to (n, H, W).

    Attributes:
        size: (H, W), the first rows and columns of what the last step gives.
        steps: for each the size of what it takes, first rows and columns of what came before, and
            the size of what it gives.
    """

    size: Size
    steps: tuple[tuple[Size, Size], ...]

    def __call__(self, logits: Tensor) -> Tensor:
        """(n, h, w) -> (n, H, W) float32."""
        full = logits.float()[:, None]
        for (height, width), target in self.steps:
            full = F.interpolate(full[..., :height, :width], target, mode="bilinear")
        return full[:, 0, : self.size[0], : self.size[1]]


@dataclass(frozen=True)
class Enlarged:
    """n masks at the size of the image.

    Attributes:
        masks: (n, H, W) bool, logits > 0.
        boxes: (n, 4) int64 XYXY, first and last pixel; zeros for an empty mask.
        stability: (n,) float32: IoU of the masks thresholded at +offset and -offset; NaN where it
            was not asked for or nothing is above -offset. Kirillov et al., Segment Anything, 2023,
            appendix B.
    """

    masks: Tensor
    boxes: Tensor
    stability: Tensor


def enlarge(resize: Resize, logits: Tensor, offset: float | None) -> Enlarged:
    """Enlarge masks and measure them.

    Args:
        resize: brings the logits to the size of the image; an `Enlargement` is fastest.
        logits: (n, h, w) float.
        offset: of the stability score; None does not compute it.
    """
    if _one_pass_does(resize, logits):
        return _in_one_pass(resize, logits, offset)
    full = resize(logits)
    masks = full > 0
    if offset is None:
        stability = torch.full((len(masks),), torch.nan, device=masks.device)
    else:
        stability = _count(full > offset) / _count(full > -offset)
    return Enlarged(masks, boxes_of(masks), stability)


def binary(resize: Resize, logits: Tensor) -> Tensor:
    """Enlarged logits > 0: (n, h, w) float -> (n, H, W) bool."""
    if _one_pass_does(resize, logits):
        return _in_one_pass(resize, logits, None).masks
    return resize(logits) > 0


def _one_pass_does(resize: Resize, logits: Tensor) -> TypeGuard[Enlargement]:
    return (
        isinstance(resize, Enlargement)
        and len(resize.steps) <= 2
        and (logits.device.type, logits.dtype) == ("cpu", torch.float32)
    )


def _count(masks: Tensor) -> Tensor:
    """Pixels of masks (n, H, W) bool, (n,) int64."""
    if masks.device.type != "cpu":
        return masks.sum(dim=(1, 2))
    # NumPy counts a contiguous array of bytes several times faster than torch sums it.
    return torch.tensor([np.count_nonzero(mask) for mask in masks.numpy()])


def _in_one_pass(resize: Enlargement, logits: Tensor, offset: float | None) -> Enlarged:
    from sambench.masks._upsampling import Found, enlarge

    n = len(logits)
    masks, (above, below) = np.zeros((n, *resize.size), np.uint8), np.zeros((2, n), np.int64)
    found = Found(masks, above, below, np.zeros((n, 4), np.int64))
    values = logits.detach().contiguous().numpy()
    enlarge(values, *_axes(resize), np.float32(offset or 0), found)
    stability = torch.from_numpy(above) / torch.from_numpy(below)
    if offset is None:
        stability.fill_(torch.nan)
    return Enlarged(torch.from_numpy(masks.view(bool)), torch.from_numpy(found.boxes), stability)


@lru_cache(maxsize=8)
def _axes(resize: Enlargement) -> tuple[Step, Step]:
    """The kernel's tables of both steps; those of a second that is not there are empty."""
    from sambench.masks._upsampling import Step

    steps = [*resize.steps, ((0, 0), (0, 0))][:2]
    kept = [*(source for source, _ in resize.steps[1:]), resize.size, (0, 0)]
    first, second = (
        Step(*map(_axis, source, target, some))
        for (source, target), some in zip(steps, kept, strict=False)
    )
    return first, second


def _axis(source: int, target: int, kept: int) -> Axis:
    """Where the first places of a target lie in a source, in the arithmetic of PyTorch."""
    from sambench.masks._upsampling import Axis

    scale = np.float64(np.float32(source) / np.float32(max(target, 1)))
    at = np.maximum((scale * (np.arange(kept) + 0.5) - 0.5).astype(np.float32), np.float32(0))
    low = np.minimum(at.astype(np.int64), source - 1)
    far = np.clip(at - low.astype(np.float32), 0, 1).astype(np.float32)
    high = low if source == target else np.minimum(low + 1, source - 1)
    return Axis(low, high, np.float32(1) - far, far)
