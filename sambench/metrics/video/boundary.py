"""Boundary accuracy F: how much of two contours is within a small distance of the other one.

A pixel is of a mask's contour where the two-by-two pixels of which it is the upper left one are not
all alike; beyond the right and lower border of the image they go on as they are (D. Martin's
seg2bmap). Precision is the share of the predicted contour's pixels within the distance of a pixel
of the true one, recall the other way round, F their harmonic mean. The distance is .008 of the
image's diagonal, rounded up to whole pixels.

Martin, Fowlkes and Malik, Learning to Detect Natural Image Boundaries Using Local Brightness,
Color, and Texture Cues, PAMI 2004; Perazzi et al., CVPR 2016, who took it to video.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sambench.masks.rle import Runs
from sambench.metrics.video import _contours
from sambench.metrics.video.region import pair
from sambench.shown import RLE

BOUND = 0.008
"""The distance as a part of the diagonal."""


def reach(size: tuple[int, int]) -> int:
    """The distance in pixels within which contours of images of size (H, W) agree."""
    return int(np.ceil(BOUND * np.linalg.norm(size)))


def boundary_f(predicted: Sequence[RLE], truth: Sequence[RLE]) -> NDArray[np.float64]:
    """F of each frame.

    Args:
        predicted: T COCO run-length encodings of an object.
        truth: T of what is annotated, of the same size.

    Returns:
        (T,) in [0, 1]; 1 where neither mask has a contour, 0 where one alone has. A mask that fills
        the image has none.

    Raises:
        UserError: there are more of one than of the other, their sizes differ, or one is damaged.
    """
    return boundary_of_runs(*pair(predicted, truth))


def boundary_of_runs(predicted: Runs, truth: Runs) -> NDArray[np.float64]:
    """As `boundary_f`, of runs that have been read."""
    found = np.ones(len(truth.areas))
    if not len(found):
        return found
    counts = np.zeros((len(found), 4), dtype=np.int64)
    first = predicted.begins, predicted.ends, predicted.splits, predicted.boxes
    second = truth.begins, truth.ends, truth.splits, truth.boxes
    halves = half_heights(reach(truth.size))
    _contours.agreement(first, second, truth.size, halves, counts)
    contour, near, true_contour, true_near = counts.T
    both = (contour > 0) & (true_contour > 0)
    found[(contour > 0) != (true_contour > 0)] = 0
    precision = near[both] / contour[both]
    recall = true_near[both] / true_contour[both]
    total = precision + recall
    found[both] = np.divide(
        2 * precision * recall, total, out=np.zeros_like(total), where=total > 0
    )
    return found


def half_heights(radius: int) -> NDArray[np.int64]:
    """How many rows up and down are within a distance in pixels, at 0 to `radius` columns."""
    return np.array([math.isqrt(radius**2 - step**2) for step in range(radius + 1)], np.int64)
