"""Overlap of masks: IoU and Boundary IoU.

Two empty masks agree: their IoU is 1, as in the DAVIS evaluation (Perazzi et al., A Benchmark
Dataset and Evaluation Methodology for Video Object Segmentation, CVPR 2016). An empty mask and one
that is not have IoU 0.

Boundary IoU: Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation Evaluation,
CVPR 2021.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError

DILATION_RATIO = 0.02
"""Width of a boundary, as a fraction of the image's diagonal (Boundary IoU, section 5)."""


def iou(
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    ignore: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Intersection over union of masks.

    Args:
        first: (..., H, W) bool.
        second: (..., H, W) bool; leading dimensions broadcast.
        ignore: (H, W) bool, pixels that do not count.

    Returns:
        (...) float64; 1 where both masks are empty.

    Raises:
        UserError: heights or widths differ.
    """
    if first.shape[-2:] != second.shape[-2:]:
        raise UserError(
            f"masks of {first.shape[-2:]} and {second.shape[-2:]} pixels cannot be compared; "
            "bring both to the size of the image."
        )
    if ignore is not None:
        first, second = first & ~ignore, second & ~ignore
    common = np.count_nonzero(first & second, axis=(-2, -1))
    union = np.count_nonzero(first | second, axis=(-2, -1))
    return np.where(union == 0, 1.0, common / np.maximum(union, 1))


def boundary(mask: NDArray[np.bool_], ratio: float = DILATION_RATIO) -> NDArray[np.bool_]:
    """Pixels of a mask within a distance of its contour; the image's border is a contour too.

    Iterated 3x3 erosions are one minimum over a square, which needs only the mask's own box.

    Args:
        mask: (H, W) bool.
        ratio: the distance, as a fraction of the image's diagonal; at least one pixel.

    Returns:
        (H, W) bool.
    """
    from scipy.ndimage import minimum_filter

    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return mask.copy()
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    distance = max(1, round(ratio * math.sqrt(mask.shape[0] ** 2 + mask.shape[1] ** 2)))
    inside = minimum_filter(mask[box].view(np.uint8), 2 * distance + 1, mode="constant", cval=0)
    contour = np.zeros_like(mask)
    contour[box] = mask[box] & (inside == 0)
    return contour


def boundary_iou(
    first: NDArray[np.bool_], second: NDArray[np.bool_], ratio: float = DILATION_RATIO
) -> float:
    """IoU of the boundaries of two masks, each (H, W) bool; 1 where both masks are empty."""
    return float(iou(boundary(first, ratio), boundary(second, ratio)))
