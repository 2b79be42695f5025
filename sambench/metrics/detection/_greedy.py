"""Kernels for average precision: greedy matching, and precision at given recalls.

Import this module inside a function: it brings in numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench._compile import compiled

_EPS = float(np.spacing(1.0))  # COCOeval adds it to the denominator of precision


@compiled
def match(
    iou: NDArray[Any],
    thresholds: NDArray[Any],
    role: NDArray[Any],
    crowd: NDArray[Any],
    matched: NDArray[Any],
) -> None:
    """COCO's greedy matching, for B views of the same truth.

    In order of score each detection takes the free object of highest IoU that reaches the
    threshold, the last one of equal ones, and an ignored object only where no other is left.
    Crowd regions are never used up.

    Args:
        iou: (D, G) float64, detections in descending order of score.
        thresholds: (T,) float64.
        role: (B, G) int8, what each object is to a view: 0 counted, 1 ignored, 2 absent.
        crowd: (G,) bool.
        matched: (B, T, D) int64; receives the index of the object, -1 for none.
    """
    taken = np.empty(len(crowd), dtype=np.bool_)
    for view in range(len(role)):
        for t in range(len(thresholds)):
            taken[:] = False
            for d in range(len(iou)):
                best, found = min(thresholds[t], 1 - 1e-10), -1
                for wanted in range(2):
                    for g in range(len(crowd)):
                        if role[view, g] != wanted or (taken[g] and not crowd[g]):
                            continue
                        if iou[d, g] >= best:
                            best, found = iou[d, g], g
                    if found >= 0:
                        taken[found] = True
                        break
                matched[view, t, d] = found


@compiled
def precision_curves(
    weights: NDArray[Any],
    truths: NDArray[Any],
    punished: NDArray[Any],
    start: NDArray[Any],
    events: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    splits: NDArray[Any],
    recalls: NDArray[Any],
    precision: NDArray[Any],
    recall: NDArray[Any],
) -> None:
    """Interpolated precision at given recalls, from the matched detections alone.

    Precision peaks at true positives, so only they need a look; the false positives before one of
    them are the punishable detections before it less those of them that were matched.

    Args:
        weights: (n,) float64, how often each image counts.
        truths: (K,) float64 weighted numbers of objects per category.
        punished: (P,) float64 running sum of the weights of detections that count as false
            positives unless matched, over all categories; 0 first.
        start: (K,) index into `punished` at which each category begins.
        events: of every matched detection its image, the index into `punished` behind it, and 1
            for a true positive + 2 if it was punishable: (E,) each, in groups of equal threshold
            and category, each in order of score.
        splits: (T * K + 1,) where the groups begin.
        recalls: (R,) ascending.
        precision: (T, R, K) float64 of zeros; receives the result.
        recall: (T, K) float64 of zeros; receives the final recall.
    """
    images, behind, kind = events
    categories = len(truths)
    found, peak = np.empty(len(images)), np.empty(len(images))
    for group in range(len(splits) - 1):
        t, k = divmod(group, categories)
        if truths[k] == 0:
            continue
        positive, matched = 0.0, 0.0
        first, n = splits[group], splits[group + 1] - splits[group]
        for e in range(n):
            weight = weights[images[first + e]]
            positive += weight if kind[first + e] & 1 else 0.0
            matched += weight if kind[first + e] & 2 else 0.0
            false = punished[behind[first + e]] - punished[start[k]] - matched
            found[e] = positive / truths[k]
            peak[e] = positive / (false + positive + _EPS)
        for e in range(n - 2, -1, -1):
            peak[e] = max(peak[e], peak[e + 1])
        recall[t, k] = positive / truths[k]
        e = 0
        for r in range(len(recalls)):
            while e < n and found[e] < recalls[r]:
                e += 1
            if e == n:
                break
            precision[t, r, k] = peak[e]
