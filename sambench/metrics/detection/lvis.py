"""LVIS average precision from records of single images.

LVIS is annotated by category and image: only categories known to be present or absent in an image
are judged there, and where a category is annotated in part, what matches nothing is excused.

The numbers are those of the ``lvis`` package, bit for bit, if the records come in ascending order
of image id; like it, empty masks take part in the limit on detections and in nothing else, and
crowd flags play no role.

Gupta et al., LVIS: A Dataset for Large Vocabulary Instance Segmentation, CVPR 2019. The limit per
category: Dave et al., Evaluating Large-Vocabulary Object Detectors: The Devil is in the Details,
2021 ("AP-fixed").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.metrics.detection import assignment
from sambench.metrics.detection.accumulate import Tally, areas_of, kind
from sambench.metrics.detection.assignment import Detections
from sambench.metrics.statistics import Statistic
from sambench.truths import Instances

MAX_DETS = 300
"""Detections per image, before categories that are not judged in the image are dropped."""
PER_CATEGORY = 10_000
"""Detections per category over all images, of AP-fixed."""
FREQUENCIES = ("r", "c", "f")
"""Rare: in up to 10 training images; common: in up to 100; frequent."""


def image_record(
    detections: Detections,
    truth: Instances,
    iou_type: str = "segm",
    max_dets: int | None = MAX_DETS,
) -> JSON:
    """Match the detections of one image.

    Args:
        detections: in any order; equal scores rank in the order given.
        truth: the objects; ``truth.extra`` has ``neg_category_ids`` and
            ``not_exhaustive_category_ids``.
        iou_type: "segm", "bbox" or "boundary", see `assignment.overlaps`.
        max_dets: how many detections of the image count, the most confident ones. None keeps all,
            for a limit per category in `average_precision`.

    Returns:
        The record, see `assignment.record`.

    Raises:
        UserError: unknown `iou_type`, truth of another data set, masks of another size than the
            image, damaged encodings.
    """
    negative, partial = _federated(truth)
    truth = assignment.take_truths(truth, np.flatnonzero(truth.areas > 0))
    truth = assignment.without_crowd(truth)
    detections = detections.take(assignment.by_score(detections.scores)[:max_dets])
    judged = np.isin(detections.categories, np.union1d(truth.categories, negative))
    judged &= detections.areas(iou_type) > 0
    if max_dets is not None:
        detections, judged = detections.take(np.flatnonzero(judged)), judged[judged]
    order = np.argsort(detections.categories, kind="stable")
    unpunished = ~judged | np.isin(detections.categories, partial)
    return assignment.record(detections.take(order), truth, iou_type, unpunished[order])


def _federated(truth: Instances) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids of categories known to be absent, and of those annotated in part."""
    names = "neg_category_ids", "not_exhaustive_category_ids"
    missing = [name for name in names if name not in truth.extra]
    if missing:
        raise UserError(
            f"LVIS AP needs {' and '.join(missing)} of every image; use a data set in LVIS format."
        )
    negative, partial = (np.asarray(truth.extra[name], dtype=np.int64) for name in names)
    return negative, partial


def average_precision(
    records: Sequence[JSON],
    frequency: Mapping[int, str],
    *,
    per_category: int | None = None,
    max_dets: int | None = MAX_DETS,
) -> Statistic:
    """LVIS AP over all images.

    Args:
        records: of `image_record`, in ascending order of image id.
        frequency: "r", "c" or "f" of each category id.
        per_category: AP-fixed: how many detections of a category count over all images
            (`PER_CATEGORY`), for records made with ``max_dets=None``.
        max_dets: that of the records; it names the recall.

    Returns:
        A function of how often each record counts. It gives AP, AP50, AP75, APs, APm, APl, APr,
        APc, APf and AR@n, ARs@n, ARm@n, ARl@n with n = `max_dets` ("all" if None); NaN where there
        is no object.

    Raises:
        UserError: a category has no frequency.
    """
    tally = Tally.of(records, per_category)
    among = {letter: members(tally.categories, frequency, letter) for letter in FREQUENCIES}
    label = "all" if max_dets is None else max_dets

    def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
        curves = tally.curves(weights)
        groups = {f"AP{letter}": curves.average(among=among[letter]) for letter in FREQUENCIES}
        recalls = {f"AR{area}@{label}": curves.recall(area) for area in assignment.RANGES}
        return {**curves.precisions(), **groups, **recalls}

    def many(
        weights: NDArray[np.float64], names: frozenset[str] | None
    ) -> dict[str, NDArray[np.float64]]:
        found = tally.averages(weights, areas_of(names))
        whole = FREQUENCIES if "" in found.precision else ()
        groups = {f"AP{letter}": found.average(among=among[letter]) for letter in whole}
        return {**found.precisions(), **groups, **found.recalls(str(label))}

    names = estimate(np.ones(tally.images))
    return Statistic(estimate, many, {name: kind(name) for name in names})


def members(
    categories: NDArray[np.int64], frequency: Mapping[int, str], letter: str
) -> NDArray[np.bool_]:
    """Which categories are rare ("r"), common ("c") or frequent ("f"): (n,) -> (n,) bool.

    Raises:
        UserError: a category has no frequency.
    """
    unknown = [int(c) for c in categories if frequency.get(int(c)) not in FREQUENCIES]
    if unknown:
        raise UserError(
            f"category {unknown[0]} has no frequency r, c or f; use the categories of the same "
            "LVIS file as the annotations."
        )
    return np.array([frequency[int(c)] == letter for c in categories], dtype=bool)
