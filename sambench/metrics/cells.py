"""Segmentation accuracy of label images: the measure of microscopy (mSA, SA50, SA75).

At a threshold of IoU, matched pairs of objects are true positives, and TP / (TP + FP + FN) is the
segmentation accuracy: average precision as the Data Science Bowl 2018 (Caicedo et al., Nature
Methods 2019), StarDist (Schmidt et al., MICCAI 2018) and Cellpose (Stringer et al., Nature Methods
2021) define it. mSA is its mean over thresholds .50:.05:.95 (Archit et al., Segment Anything for
Microscopy, Nature Methods 2025).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = np.arange(0.5, 1.0, 0.05)


def components(labels: NDArray[np.int64], *, diagonal: bool) -> NDArray[np.int64]:
    """Connected parts of equal value in a label image (H, W), numbered from 1; 0 is background.

    Args:
        labels: (H, W), 0 is background.
        diagonal: whether pixels that touch at a corner are connected.
    """
    from scipy.ndimage import find_objects, label

    structure = np.ones((3, 3)) if diagonal else None
    parts, count = np.zeros(labels.shape, dtype=np.int64), 0
    for value, box in enumerate(find_objects(labels), 1):
        if box is None:
            continue
        own, more = label(labels[box] == value, structure=structure)
        parts[box][own > 0] = own[own > 0] + count
        count += more
    return parts


def overlaps(predicted: NDArray[np.int64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """IoU of the objects of two label images (H, W) numbered from 1, (predicted, true)."""
    shape = int(predicted.max(initial=0)) + 1, int(truth.max(initial=0)) + 1
    pairs = np.ravel_multi_index((predicted.ravel(), truth.ravel()), shape)
    common = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)
    union = common.sum(axis=1, keepdims=True) + common.sum(axis=0, keepdims=True) - common
    found: NDArray[np.float64] = (common / np.maximum(union, 1))[1:, 1:]
    return found


def true_positives(
    iou: NDArray[np.float64], thresholds: NDArray[np.float64] = THRESHOLDS
) -> NDArray[np.int64]:
    """How many pairs reach each threshold when as many as possible are matched, one to one.

    Args:
        iou: (P, T), see `overlaps`.
        thresholds: (N,).

    Returns:
        (N,) int64.
    """
    from scipy.optimize import linear_sum_assignment

    found = np.zeros(len(thresholds), dtype=np.int64)
    for number, threshold in enumerate(thresholds):
        reached = iou >= threshold
        if reached.any():
            # Of matchings with equally many pairs the one of the highest IoU.
            pairs = linear_sum_assignment(-reached.astype(float) - iou / (2 * min(iou.shape)))
            found[number] = np.count_nonzero(reached[pairs])
    return found


def accuracy(positives: NDArray[np.int64], predicted: int, true: int) -> NDArray[np.float64]:
    """TP / (TP + FP + FN) at each threshold; NaN where there is no object on either side."""
    union = predicted + true - positives
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = positives / union.astype(np.float64)
    return found
