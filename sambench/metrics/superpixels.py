"""How well superpixels can reproduce human segmentations: ASA, boundary recall, UE.

* Boundary recall: Martin et al., Learning to Detect Natural Image Boundaries, TPAMI 2004: the part
  of the drawn boundary pixels with a superpixel boundary within a square of 2 r + 1 pixels.
* UE, undersegmentation error of Neubert and Protzel, Superpixel Benchmark and Comparison, 2012:
  sum over regions G and superpixels S that meet of min(|S and G|, |S - G|), over all pixels.
* ASA, achievable segmentation accuracy: Liu et al., Entropy Rate Superpixel Segmentation, CVPR
  2011: every superpixel given to the region it has most of. The corrected undersegmentation error
  (Van den Bergh et al., SEEDS, ECCV 2012) is exactly 1 - ASA, as Stutz et al. note (Superpixels: An
  Evaluation of the State-of-the-Art, CVIU 2018), and so has no column of its own.

The older undersegmentation error of Levinshtein et al. (TurboPixels, TPAMI 2009) divides by the
area of each region; regions of a single pixel, which BSDS500 has, blow it up: it is left out.
Maps are (H, W) integers; pixels of one value are one region.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.truths import borders

TOLERANCE = 0.0025
"""Radius of boundary recall as a fraction of the image's diagonal (Stutz et al., section 4.1)."""


def radius_of(size: Sequence[int], tolerance: float) -> int:
    """Radius in pixels for a tolerance as a fraction of the diagonal of (H, W).

    Halves are rounded up, as in the benchmark of Stutz et al., which is written in C++.
    """
    return math.floor(tolerance * math.hypot(size[0], size[1]) + 0.5)


def overlaps(truth: NDArray[np.integer], labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Pixels that region g and superpixel s share, (G, S) int64."""
    regions, g = np.unique(truth, return_inverse=True)
    superpixels, s = np.unique(labels, return_inverse=True)
    shape = len(regions), len(superpixels)
    flat = np.bincount(g.ravel() * shape[1] + s.ravel(), minlength=shape[0] * shape[1])
    return flat.reshape(shape)


def image_record(
    labels: NDArray[np.integer],
    annotators: Sequence[NDArray[np.integer]],
    tolerance: float = TOLERANCE,
) -> JSON:
    """BR, UE and ASA against each annotator, and the number of superpixels.

    Args:
        labels: superpixels (H, W).
        annotators: maps (H, W); one of a single region has no boundary, its BR is None.
        tolerance: radius of boundary recall as a fraction of the diagonal.

    Raises:
        UserError: sizes differ.
    """
    from scipy.ndimage import maximum_filter

    radius = radius_of(labels.shape, tolerance)
    near = maximum_filter(borders(labels), 2 * radius + 1, mode="constant")
    record: JSON = {"superpixels": len(np.unique(labels)), "BR": [], "UE": [], "ASA": []}
    for truth in annotators:
        if truth.shape != labels.shape:
            raise UserError(
                f"superpixels of {labels.shape} and a truth of {truth.shape} pixels (height, "
                "width) cannot be compared; bring both to the size of the image."
            )
        drawn = borders(truth)
        record["BR"].append(float(near[drawn].mean()) if drawn.any() else None)
        shared = overlaps(truth, labels)
        outside = shared.sum(axis=0) - shared
        record["UE"].append(float(np.minimum(shared, outside).sum() / labels.size))
        record["ASA"].append(float(shared.max(axis=0).sum() / labels.size))
    return record
