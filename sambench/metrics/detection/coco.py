"""COCO's average precision and recall from records of single images.

The numbers are those of ``pycocotools.cocoeval.COCOeval``, bit for bit, if the records come in
ascending order of image id: detections of equal score rank in the order of the records. Unlike
COCOeval, an object with annotation id 0 can be found; and a metric without any object is NaN, where
COCOeval gives -1.

Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import JSON
from sambench.metrics.detection import assignment
from sambench.metrics.detection.accumulate import Tally, areas_of, kind
from sambench.metrics.detection.assignment import Detections
from sambench.metrics.statistics import ONE_CATEGORY, Statistic
from sambench.truths import Instances

__all__ = ["Detections", "average_precision", "category_precision", "image_record"]


def image_record(
    detections: Detections, truth: Instances, iou_type: str = "segm", max_dets: int = 100
) -> JSON:
    """Match the detections of one image.

    Args:
        detections: in any order; equal scores rank in the order given.
        truth: the objects of the image; crowd regions ask for nothing and excuse detections.
        iou_type: "segm", "bbox" or "boundary", see `assignment.overlaps`.
        max_dets: how many detections count in each category, the most confident ones.

    Returns:
        The record, see `assignment.record`.

    Raises:
        UserError: unknown `iou_type`, masks of another size than the image, damaged encodings.
    """
    return assignment.record(detections.take(_ranked(detections, max_dets)), truth, iou_type)


def _ranked(detections: Detections, max_dets: int) -> NDArray[np.int64]:
    """Indices by category, then by descending score, at most max_dets of each category."""
    order = assignment.by_score(detections.scores)
    order = order[np.argsort(detections.categories[order], kind="stable")]
    categories = detections.categories[order]
    rank = np.arange(len(order)) - np.searchsorted(categories, categories)
    return order[rank < max_dets]


def average_precision(records: Sequence[JSON], budgets: Sequence[int] = (1, 10, 100)) -> Statistic:
    """AP over all images.

    Args:
        records: of `image_record`, in ascending order of image id.
        budgets: numbers of detections per image and category at which to measure recall; the last
            one is the `max_dets` of the records.

    Returns:
        A function of how often each record counts. It gives AP, AP50, AP75, APs, APm, APl, AR@n
        for each budget, and ARs@n, ARm@n, ARl@n for the last; NaN where there is no object.
    """
    tally = Tally.of(records)

    def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
        curves = tally.curves(weights)
        recalls = {f"AR@{budget}": tally.recall_within(weights, budget) for budget in budgets[:-1]}
        last = {f"AR{name}@{budgets[-1]}": curves.recall(name) for name in assignment.RANGES}
        return {**curves.precisions(), **recalls, **last}

    def many(
        weights: NDArray[np.float64], names: frozenset[str] | None
    ) -> dict[str, NDArray[np.float64]]:
        found = tally.averages(weights, areas_of(names))
        within = {f"AR@{budget}": budget for budget in budgets[:-1]}
        recalls = {
            name: tally.recalls_within(weights, budget)
            for name, budget in within.items()
            if names is None or name in names
        }
        return {**found.precisions(), **recalls, **found.recalls(str(budgets[-1]))}

    names = estimate(np.ones(tally.images))
    return Statistic(estimate, many, {name: kind(name) for name in names})


def category_precision(records: Sequence[JSON]) -> Statistic:
    """AP of each category, named by its id, over all images; NaN where it has no object.

    Args:
        records: as for `average_precision`.
    """
    tally = Tally.of(records)

    def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
        curves = tally.curves(weights, [""])
        values = curves.precision[""].mean(axis=(0, 1))
        present = np.where(curves.present[""], values, np.nan)
        return dict(zip(ids, present.tolist(), strict=True))

    def many(
        weights: NDArray[np.float64], names: frozenset[str] | None
    ) -> dict[str, NDArray[np.float64]]:
        del names  # all cost as much as one
        found = tally.averages(weights, [""])
        values = np.where(found.present[""], found.precision[""].mean(axis=0), np.nan)
        return dict(zip(ids, values, strict=True))

    ids = [str(id) for id in tally.categories.tolist()]
    return Statistic(estimate, many, dict.fromkeys(ids, ONE_CATEGORY))
