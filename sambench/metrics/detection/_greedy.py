"""Kernels for average precision: greedy matching, and precision at given recalls.

Import this module inside a function: it brings in numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench._compile import compiled, inner_with_arrays

_EPS = float(np.spacing(1.0))  # COCOeval adds it to the denominator of precision
LANES = 16
"""Weightings that `average_curves` takes side by side: two cache lines of float64."""
_ROUNDING = 1e-9
"""Above the error of a product, below the distance of any two recalls."""


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


@inner_with_arrays
def _peaks(
    weights: NDArray[Any],
    objects: NDArray[Any],
    punished: NDArray[Any],
    events: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    levels: int,
    peak: NDArray[Any],
    level: NDArray[Any],
    recall: NDArray[Any],
) -> None:
    """Precision at each event, how many recalls are reached up to it, and the final recall."""
    images, behind, kind = events
    positive, matched = np.zeros(LANES), np.zeros(LANES)
    step = 1.0 / (levels - 1)  # numpy.linspace multiplies by it
    for e in range(len(images)):
        row, passed = weights[images[e]], punished[behind[e]]
        true, wrong = float(kind[e] & 1), float(kind[e] >> 1)
        for lane in range(len(row)):
            positive[lane] += true * row[lane]
            matched[lane] += wrong * row[lane]
            hits = positive[lane]
            peak[e, lane] = hits / (passed[lane] - matched[lane] + hits + _EPS)
            found = hits / objects[lane]
            reached = np.floor(found * (levels - 1) + _ROUNDING)
            above = 1.0 if found < reached * step else 0.0
            level[e + 1, lane] = reached + 1.0 - above
    for lane in range(LANES):
        recall[lane] = positive[lane] / objects[lane]


@inner_with_arrays
def _area(peak: NDArray[Any], level: NDArray[Any], levels: int, precision: NDArray[Any]) -> None:
    """Mean over recalls of the highest precision at or behind each."""
    # Loops over a length that only running tells are vectorized, those over a constant unrolled.
    lanes, highest = len(precision), np.zeros(len(precision))
    for e in range(len(peak) - 1, -1, -1):
        for lane in range(lanes):
            highest[lane] = max(highest[lane], peak[e, lane])
            precision[lane] += highest[lane] * (level[e + 1, lane] - level[e, lane])
    for lane in range(lanes):
        precision[lane] /= levels


@compiled
def average_curves(
    weights: NDArray[Any],
    truths: NDArray[Any],
    first: NDArray[Any],
    punishable: NDArray[Any],
    events: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    splits: NDArray[Any],
    levels: int,
    precision: NDArray[Any],
    recall: NDArray[Any],
) -> None:
    """As `precision_curves`, averaged over the recalls k / (levels - 1), for `LANES` weightings.

    Args:
        weights: (n, LANES) float64, how often each image counts.
        truths: (K, LANES) float64 weighted numbers of objects per category.
        first: (K + 1,) where the punishable detections of each category begin.
        punishable: (P,) image of each punishable detection, by category, in order of score.
        events: as there, the index into `punishable`.
        splits: as there.
        levels: number of recalls.
        precision: (T, K, LANES) float64 of zeros; receives the result.
        recall: (T, K, LANES) float64 of zeros; receives the final recall.
    """
    longest, most = 0, 0
    for k in range(len(truths)):
        longest = max(longest, first[k + 1] - first[k])
    for group in range(len(splits) - 1):
        most = max(most, splits[group + 1] - splits[group])
    punished = np.zeros((longest + 1, LANES))
    peak, level = np.empty((most, LANES)), np.zeros((most + 1, LANES))
    objects = np.empty(LANES)
    for k in range(len(truths)):
        for p in range(first[k + 1] - first[k]):
            row = weights[punishable[first[k] + p]]
            for lane in range(len(row)):
                punished[p + 1, lane] = punished[p, lane] + row[lane]
        for lane in range(LANES):
            objects[lane] = max(truths[k, lane], _ROUNDING)
        for t in range(len(precision)):
            begin, end = splits[t * len(truths) + k], splits[t * len(truths) + k + 1]
            part = events[0][begin:end], events[1][begin:end] - first[k], events[2][begin:end]
            _peaks(weights, objects, punished, part, levels, peak, level, recall[t, k])
            _area(peak[: end - begin], level, levels, precision[t, k])
