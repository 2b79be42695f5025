"""From a model's low-resolution logits to masks at the size of the image.

On a CPU, float32 logits are upsampled and measured in one pass that stores no logits; its bits
are those of `torch.nn.functional.interpolate`. On a GPU with triton its twin does that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from sambench.masks.geometry import boxes_of
from sambench.masks.transfer import upload

if TYPE_CHECKING:
    from sambench.masks._upsampling import Axis, Step

log = logging.getLogger(__name__)
Size = tuple[int, int]
Resize = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Upsampling:
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
class Upsampled:
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


def upsample(
    resize: Resize, logits: Tensor, offset: float | None, *, stored: bool = True
) -> Upsampled:
    """Upsample masks and measure them.

    Args:
        resize: brings the logits to the size of the image; an `Upsampling` is fastest.
        logits: (n, h, w) float.
        offset: of the stability score; None does not compute it.
        stored: whether the masks are wanted themselves; otherwise a GPU need not give them.
    """
    if _one_pass_does(resize, logits):
        return _in_one_pass(resize, logits, offset)
    if logits.device.type == "cuda" and _is_short(resize) and _kernel_works(logits.device):
        return _by_kernel(resize, logits, offset, stored=stored)
    full = resize(logits)
    masks = full > 0
    if offset is None:
        stability = torch.full((len(masks),), torch.nan, device=masks.device)
    else:
        stability = _count(full > offset) / _count(full > -offset)
    return Upsampled(masks, boxes_of(masks), stability)


def binary(resize: Resize, logits: Tensor, size: Size) -> NDArray[np.bool_]:
    """Upsampled logits > 0, a few masks at a time: (n, h, w) float -> (n, H, W) bool.

    Args:
        resize: brings logits to the size of the image.
        logits: (n, h, w) float.
        size: (H, W) of the image.
    """
    step = masks_at_once(size, logits.device.type)
    masks = np.empty((len(logits), *size), dtype=bool)
    for start in range(0, len(logits), step):
        part = logits[start : start + step]
        if _one_pass_does(resize, part):
            some = _in_one_pass(resize, part, None).masks
        else:
            some = resize(part) > 0
        masks[start : start + step] = some.cpu().numpy()
    return masks


def masks_at_once(size: Size, device: str) -> int:
    """How many masks to upsample to (H, W) together: bounds memory and time, not results.

    Few stay in a processor's cache and under the size from which each allocation is mapped anew,
    which halves the time; a GPU wants many. Models pass through about 1024 x 1024 on the way.

    Args:
        size: (H, W).
        device: kind of the logits' device, such as cpu or cuda.
    """
    budget = 1 << (22 if device == "cpu" else 27)
    return max(1, budget // max(size[0] * size[1], 1 << 20))


def _is_short(resize: Resize) -> TypeGuard[Upsampling]:
    return isinstance(resize, Upsampling) and len(resize.steps) <= 2


def _one_pass_does(resize: Resize, logits: Tensor) -> TypeGuard[Upsampling]:
    return _is_short(resize) and (logits.device.type, logits.dtype) == ("cpu", torch.float32)


def _count(masks: Tensor) -> Tensor:
    """Pixels of masks (n, H, W) bool, (n,) int64."""
    if masks.device.type != "cpu":
        return masks.sum(dim=(1, 2))
    # NumPy counts a contiguous array of bytes several times faster than torch sums it.
    return torch.tensor([np.count_nonzero(mask) for mask in masks.numpy()])


def _in_one_pass(resize: Upsampling, logits: Tensor, offset: float | None) -> Upsampled:
    from sambench.masks._upsampling import Measured, upsample

    n = len(logits)
    masks, (above, below) = np.zeros((n, *resize.size), np.uint8), np.zeros((2, n), np.int64)
    measured = Measured(masks, above, below, np.zeros((n, 4), np.int64))
    values = logits.detach().contiguous().numpy()
    upsample(values, *_axes(resize), np.float32(offset or 0), measured)
    stability = torch.from_numpy(above) / torch.from_numpy(below)
    if offset is None:
        stability.fill_(torch.nan)
    return Upsampled(
        torch.from_numpy(masks.view(bool)), torch.from_numpy(measured.boxes), stability
    )


def _by_kernel(
    resize: Upsampling, logits: Tensor, offset: float | None, *, stored: bool
) -> Upsampled:
    """As `_in_one_pass`, on a GPU."""
    from sambench.masks._fused import measure

    given = logits.float(), _axes(resize), resize.size, offset or 0.0
    masks, counts, boxes = measure(*given, stored=stored)
    stability = counts[:, 0] / counts[:, 1]
    if offset is None:
        stability.fill_(torch.nan)
    empty = torch.empty(0, dtype=torch.bool, device=logits.device)
    return Upsampled(empty if masks is None else masks, boxes, stability)


@cache
def _kernel_works(device: torch.device) -> bool:
    """Whether the kernel runs on a GPU, and gives there what the CPU's gives."""
    if find_spec("triton") is None:
        return False
    resize = Upsampling((40, 50), (((14, 16), (56, 64)), ((51, 64), (40, 50))))
    logits = 4 * torch.arange(512, dtype=torch.float32).sin().view(2, 16, 16)
    expected = _in_one_pass(resize, logits, 1.0)
    try:
        found = _by_kernel(resize, upload(logits, device), 1.0, stored=True)
        same = all(
            torch.equal(a.cpu(), b) for a, b in zip(_parts(found), _parts(expected), strict=True)
        )
    except Exception as error:  # noqa: BLE001 (a compiler's, a driver's: the steps do it, too)
        log.warning("masks are measured in steps, without the kernel for %s: %s", device, error)
        return False
    if not same:
        log.warning("masks are measured in steps: the kernel for %s gives other numbers", device)
    return same


def _parts(masks: Upsampled) -> tuple[Tensor, Tensor, Tensor]:
    return masks.masks, masks.boxes, masks.stability


@lru_cache(maxsize=8)
def _axes(resize: Upsampling) -> tuple[Step, Step]:
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
