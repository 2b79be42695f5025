"""Panoptic quality and mean IoU of segments.

* PQ, SQ, RQ: Kirillov et al., Panoptic Segmentation, CVPR 2019, section 4, with the treatment of
  void and crowd of its reference code, panopticapi: void pixels are taken out of a predicted
  segment before IoU; a prediction that is not matched and lies by more than half on void and on the
  crowd region of its category (the last one, where there are several) is not an error.
* mIoU: Everingham et al., The Pascal Visual Object Classes Challenge: A Retrospective, IJCV 2015:
  intersection over union of each class over all pixels of all images, mean over classes. Void
  pixels do not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON, Estimator
from sambench.metrics.statistics import CATEGORIES, Kind, Statistic
from sambench.truths import Segments

THRESHOLD = 0.5
"""Above it a match is unique."""
MATCHED = Kind(
    100, True, "SQ of fewer than 100 images is too low: a category counts as 0 until it is matched"
)
"""Of the study's populations, intervals from 30 and 50 images held the SQ of one in 79 and 84 %."""


def shared_pixels(truth: Segments, answer: Segments) -> NDArray[np.int64]:
    """Pixels that segments share, (1 + G, 1 + P) int64; the first row and column are void.

    Raises:
        UserError: sizes differ.
    """
    if truth.size != answer.size:
        raise UserError(
            f"segments of {answer.size} and a truth of {truth.size} pixels (height, width) cannot "
            "be compared; bring both to the size of the image."
        )
    shape = len(truth) + 1, len(answer) + 1
    pairs = truth.labels.ravel() * shape[1] + answer.labels.ravel()
    return np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)


def panoptic_record(truth: Segments, answer: Segments) -> JSON:
    """Matches of one image, by category.

    Returns:
        ``categories``; for each whether it is ``things``, the sum of IoU over matches
        (``iou_sum``), and the numbers of ``tp``, ``fp`` and ``fn``.
    """
    shared = shared_pixels(truth, answer)
    iou = _iou(shared)
    iou[truth.crowd] = 0
    iou[truth.categories[:, None] != answer.categories] = 0
    matched = iou > THRESHOLD
    missed = ~matched.any(axis=1) & ~truth.crowd
    extra = ~matched.any(axis=0) & ~_excused(shared, truth, answer)
    best = np.where(matched, iou, 0).sum(axis=1)
    things = dict(zip(answer.categories.tolist(), answer.things.tolist(), strict=True))
    things |= dict(zip(truth.categories.tolist(), truth.things.tolist(), strict=True))
    names = sorted(things)
    return {
        "categories": names,
        "things": [things[name] for name in names],
        "iou_sum": [float(best[truth.categories == name].sum()) for name in names],
        "tp": [int(matched[truth.categories == name].sum()) for name in names],
        "fp": [int(extra[answer.categories == name].sum()) for name in names],
        "fn": [int(missed[truth.categories == name].sum()) for name in names],
    }


def _iou(shared: NDArray[np.int64]) -> NDArray[np.float64]:
    """IoU (G, P) of segments, without the void pixels of the predicted ones."""
    common = shared[1:, 1:]
    known = shared[1:].sum(axis=0)[1:]  # of each predicted segment
    union = shared.sum(axis=1)[1:, None] + known - common
    return np.asarray(np.divide(common, union, out=np.zeros(common.shape), where=union > 0))


def _excused(shared: NDArray[np.int64], truth: Segments, answer: Segments) -> NDArray[np.bool_]:
    """Predicted segments (P,) that lie by more than half on void and a crowd of their category."""
    last = {category: g for g, category in enumerate(truth.categories.tolist()) if truth.crowd[g]}
    crowd = np.zeros(len(truth), dtype=bool)
    crowd[list(last.values())] = True  # panopticapi keeps one crowd region of each category
    on_crowd = crowd[:, None] & (truth.categories[:, None] == answer.categories)
    lost = shared[0, 1:] + (shared[1:, 1:] * on_crowd).sum(axis=0)
    excused: NDArray[np.bool_] = lost > 0.5 * shared.sum(axis=0)[1:]
    return excused


def panoptic_estimator(records: Sequence[JSON]) -> Statistic:
    """PQ, SQ and RQ: means over categories that occur, of all, of things, and of stuff."""
    names, counts = by_category(records, ("iou_sum", "tp", "fp", "fn"))
    things = _are_things(records, names)
    groups = {"": np.ones_like(things), "_things": things, "_stuff": ~things}

    def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
        iou, tp, fp, fn = np.einsum("i,ick->kc", weights, counts)
        below = tp + fp / 2 + fn / 2
        occurs = below > 0
        sq = iou / np.maximum(tp, np.finfo(float).tiny)
        values = {"PQ": iou / np.where(occurs, below, 1), "SQ": np.where(tp > 0, sq, 0)}
        values["RQ"] = tp / np.where(occurs, below, 1)
        return {
            f"{name}{ending}": _mean(value[occurs & group])
            for ending, group in groups.items()
            for name, value in values.items()
        }

    kinds = {"PQ": CATEGORIES, "SQ": MATCHED, "RQ": CATEGORIES}
    return Statistic(
        estimate, None, {f"{name}{of}": kind for of in groups for name, kind in kinds.items()}
    )


def quality_by_category(records: Sequence[JSON]) -> Estimator:
    """PQ of each category; NaN where it does not occur."""
    names, counts = by_category(records, ("iou_sum", "tp", "fp", "fn"))

    def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
        iou, tp, fp, fn = np.einsum("i,ick->kc", weights, counts)
        return _ratios(names, iou, tp + fp / 2 + fn / 2)

    return estimate


def semantic_record(truth: Segments, answer: Segments) -> JSON:
    """Pixels of one image by category, without void: in common, ``marked``, and of the ``truth``.

    Crowd regions count as their category. Pixels that the answer leaves void are wrong.
    """
    names = sorted({*truth.categories.tolist(), *answer.categories.tolist()})
    shared = shared_pixels(truth, answer)[1:]
    rows = [truth.categories == name for name in names]
    columns = [np.concatenate([[False], answer.categories == name]) for name in names]
    return {
        "categories": names,
        "common": [
            int(shared[row][:, column].sum()) for row, column in zip(rows, columns, strict=True)
        ],
        "marked": [int(shared[:, column].sum()) for column in columns],
        "truth": [int(shared[row].sum()) for row in rows],
    }


def semantic_estimator(records: Sequence[JSON]) -> Statistic:
    """Mean IoU over classes that occur, pixel accuracy, and its mean over classes of the truth."""
    _, counts = by_category(records, ("common", "marked", "truth"))

    def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
        common, marked, truth = np.einsum("i,ick->kc", weights, counts)
        union = marked + truth - common
        pixels = truth.sum()
        return {
            "mIoU": _mean((common / np.where(union > 0, union, 1))[union > 0]),
            "accuracy": float(common.sum() / pixels) if pixels > 0 else float("nan"),
            "mean_accuracy": _mean((common / np.where(truth > 0, truth, 1))[truth > 0]),
        }

    return Statistic(estimate, None, {"mIoU": CATEGORIES, "mean_accuracy": CATEGORIES})


def iou_by_category(records: Sequence[JSON]) -> Estimator:
    """IoU of each class; NaN where it does not occur."""
    names, counts = by_category(records, ("common", "marked", "truth"))

    def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
        common, marked, truth = np.einsum("i,ick->kc", weights, counts)
        return _ratios(names, common, marked + truth - common)

    return estimate


def by_category(
    records: Sequence[JSON], columns: Sequence[str]
) -> tuple[list[int], NDArray[np.float64]]:
    """All categories in ascending order, and columns of the records as (images, categories, n)."""
    names = sorted({name for record in records for name in record["categories"]})
    place = {name: index for index, name in enumerate(names)}
    counts = np.zeros((len(records), len(names), len(columns)))
    for number, record in enumerate(records):
        at = [place[name] for name in record["categories"]]
        for k, column in enumerate(columns):
            counts[number, at, k] = record[column]
    return names, counts


def _are_things(records: Sequence[JSON], names: Sequence[int]) -> NDArray[np.bool_]:
    known = {
        name: thing
        for record in records
        for name, thing in zip(record["categories"], record["things"], strict=True)
    }
    return np.array([known[name] for name in names], dtype=bool)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _ratios(
    names: Sequence[int], above: NDArray[np.float64], below: NDArray[np.float64]
) -> dict[str, float]:
    return {
        str(name): float(a / b) if b > 0 else float("nan")
        for name, a, b in zip(names, above, below, strict=True)
    }
