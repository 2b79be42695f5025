"""Average recall of class-agnostic proposals, all breakdowns in one pass.

All objects are of one category. Recall at each of the thresholds .50:.05:.95 is averaged. Size bins
are COCO's, by annotated area: objects outside a bin are ignored, not missed. A frequency bucket is
measured against its own objects alone (Kirillov et al., Segment Anything, ICCV 2023, appendix D.3).
Each of the seven numbers is that of ``pycocotools.cocoeval.COCOeval``, bit for bit, run on a file
in which every object and proposal has the same category, with the objects of that bucket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.metrics.detection import assignment
from sambench.metrics.detection.assignment import THRESHOLDS, Detections
from sambench.metrics.detection.lvis import FREQUENCIES, members
from sambench.metrics.statistics import RECALL, Statistic
from sambench.truths import Instances

BUDGETS = (10, 100, 1000)
CURVE = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Budgets for recall as a function of the number of proposals."""


def image_record(
    rles: Sequence[JSON],
    scores: NDArray[np.float64],
    truth: Instances,
    frequency: Mapping[int, str] | None = None,
    budgets: Sequence[int] = BUDGETS,
    *,
    iou_type: str = "segm",
    boxes: NDArray[np.float64] | None = None,
) -> JSON:
    """Match the proposals of one image.

    Args:
        rles: N masks.
        scores: (N,) rank them, the highest first, equal ones in the order given.
        truth: the objects; crowd regions ask for nothing.
        frequency: "r", "c" or "f" of each category id of LVIS; None leaves these buckets out.
        budgets: numbers of proposals to measure at, such as `CURVE`.
        iou_type: "segm", "bbox" or "boundary", see `assignment.overlaps`.
        boxes: (N, 4) XYXY; by default those of the masks.

    Returns:
        ``budgets``; ``proposals``, the number given; by bucket (the letter in the metric's name,
        empty for all) the number of ``truths`` and, at each threshold and budget, how many were
        ``matched``.

    Raises:
        UserError: unknown `iou_type`, a category without frequency, masks of another size than the
            image, damaged encodings.
    """
    anything = np.zeros(len(rles), dtype=np.int64)
    proposals = Detections(tuple(rles), scores, anything, boxes)
    ranked = proposals.take(assignment.by_score(proposals.scores)[: max(budgets)])
    roles = _roles(truth, frequency)
    iou = assignment.overlaps(ranked, truth, iou_type, by_category=False)
    matched = assignment.match(iou, np.stack(list(roles.values())), truth.crowd)
    found = {
        bucket: _found(matched[b], role, budgets) for b, (bucket, role) in enumerate(roles.items())
    }
    return {
        "budgets": list(budgets),
        "proposals": len(proposals),
        "truths": {bucket: int((role == 0).sum()) for bucket, role in roles.items()},
        "matched": {bucket: numbers.tolist() for bucket, numbers in found.items()},
    }


def _roles(truth: Instances, frequency: Mapping[int, str] | None) -> dict[str, NDArray[np.int8]]:
    """By bucket what each object is to it: 0 counted, 1 ignored, 2 absent; (G,) each."""
    inside = assignment.within(truth.areas) & ~truth.crowd
    roles = {
        area: (~counted).astype(np.int8)
        for area, counted in zip(assignment.RANGES, inside, strict=True)
    }
    if frequency is not None:
        for letter in FREQUENCIES:
            own = members(truth.categories, frequency, letter)
            roles[letter] = np.where(own, truth.crowd, 2).astype(np.int8)
    return roles


def _found(
    matched: NDArray[np.int64], role: NDArray[np.int8], budgets: Sequence[int]
) -> NDArray[np.int64]:
    """How many counted objects the first n proposals found: (T, D) -> (T, budgets)."""
    counted = np.append(role == 0, False)[matched]
    total = np.cumsum(np.pad(counted, ((0, 0), (1, 0))), axis=1)
    return total[:, np.minimum(budgets, matched.shape[1])]


def average_recall(records: Sequence[JSON]) -> Statistic:
    """AR over all images.

    Args:
        records: of `image_record`, all with the same budgets and buckets; in any order.

    Returns:
        A function of how often each record counts. It gives AR@n, ARs@n, ARm@n, ARl@n and, with
        frequencies, ARr@n, ARc@n, ARf@n for each budget n; NaN where there is no object. And
        ``proposals``, the mean number of proposals of an image, without which recall says little.

    Raises:
        UserError: the records differ in budgets or buckets.
    """
    kinds = {(*record["budgets"], *record["truths"]) for record in records}
    if len(kinds) > 1:
        raise UserError(
            "records differ in budgets or buckets; make them all with the same options."
        )
    budgets = records[0]["budgets"] if records else []
    buckets = list(records[0]["truths"]) if records else []
    truths = np.array([[r["truths"][b] for b in buckets] for r in records], dtype=np.float64)
    matched = np.array([[r["matched"][b] for b in buckets] for r in records], dtype=np.float64)
    matched = matched.reshape(len(records), len(buckets) * len(THRESHOLDS) * len(budgets))
    proposals = np.array([r["proposals"] for r in records], dtype=np.float64)

    def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
        found = (weights @ matched).reshape(len(buckets), len(THRESHOLDS), len(budgets))
        total = weights @ truths.reshape(len(records), len(buckets))
        result = {
            f"AR{bucket}@{budget}": _ratio(found[b, :, n], total[b])
            for b, bucket in enumerate(buckets)
            for n, budget in enumerate(budgets)
        }
        return {**result, "proposals": _ratio(weights @ proposals, weights.sum())}

    recalls = matched.reshape(len(records), len(buckets), len(THRESHOLDS), len(budgets)).mean(2)

    def many(
        weights: NDArray[np.float64], names: frozenset[str] | None
    ) -> dict[str, NDArray[np.float64]]:
        del names  # all cost as much as one
        found = np.tensordot(weights, recalls, axes=1)
        total = weights @ truths.reshape(len(records), len(buckets))
        result = {
            f"AR{bucket}@{budget}": _shares(found[:, b, n], total[:, b])
            for b, bucket in enumerate(buckets)
            for n, budget in enumerate(budgets)
        }
        return {**result, "proposals": _shares(weights @ proposals, weights.sum(axis=1))}

    names = [f"AR{bucket}@{budget}" for bucket in buckets for budget in budgets]
    return Statistic(estimate, many, dict.fromkeys(names, RECALL))


def _shares(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.full(parts.shape, np.nan)
    np.divide(parts, wholes, out=known, where=wholes > 0)
    return known


def _ratio(part: NDArray[np.float64] | float, whole: float) -> float:
    return float(np.mean(part / whole)) if whole else float("nan")
