"""From masks to an edge map: what Segment Anything's section 7.2 and appendix D.2 describe.

The gradient of each mask's probability, kept on the mask's outer boundary, and the maximum over all
masks. The paper does not define how wide the outer boundary is; the choices are named here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Boundary = Literal["sobel", "outer", "inner", "both", "all"]
"""Pixels of a mask's boundary: where Sobel of the binary mask is not zero (two pixels wide, either
side), those just outside (dilation less mask), just inside (mask less erosion), both, or all
pixels."""


def edge_map(logits: Iterable[Tensor], size: tuple[int, int], boundary: Boundary) -> Tensor:
    """Strongest boundary of any mask at each pixel, not normalised.

    Args:
        logits: masks a few at a time, each (n, H, W) float at the size of the image.
        size: (H, W) of the image.
        boundary: which pixels of a mask's gradient count.

    Returns:
        (H, W) float, the maximum over all masks; zero where there is none.
    """
    import torch

    strongest: Tensor | None = None
    for chunk in logits:
        gradient = sobel(chunk.sigmoid()) * on_boundary(chunk > 0, boundary)
        peak = gradient.amax(dim=0)
        strongest = peak if strongest is None else torch.maximum(strongest, peak)
    return torch.zeros(size) if strongest is None else strongest


def sobel(maps: Tensor) -> Tensor:
    """Gradient magnitude of maps (n, H, W), by Sobel; an image is continued at its edge."""
    from torch.nn.functional import pad

    padded = pad(maps[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    smooth_rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    smooth_columns = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    gx = smooth_rows[:, :, 2:] - smooth_rows[:, :, :-2]
    gy = smooth_columns[:, 2:] - smooth_columns[:, :-2]
    return (gx * gx + gy * gy).sqrt()


def on_boundary(masks: Tensor, boundary: Boundary) -> Tensor:
    """Boundary pixels of masks (n, H, W) bool; the border of the image is not a boundary."""
    import torch

    if boundary == "all":
        return torch.ones_like(masks)
    if boundary == "sobel":
        return sobel(masks.float()) > 0
    dilated, eroded = _extreme(masks), ~_extreme(~masks)
    if boundary == "outer":
        return dilated & ~masks
    return (masks if boundary == "inner" else dilated) & ~eroded


def _extreme(masks: Tensor) -> Tensor:
    """Dilation of masks (n, H, W) bool by a 3x3 square."""
    from torch.nn.functional import max_pool2d

    return max_pool2d(masks.float()[:, None], 3, stride=1, padding=1)[:, 0] > 0
