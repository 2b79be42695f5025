"""Semantic: label each pixel with a class, each segment prompted from its truth.

The measure of PASCAL VOC (Everingham et al., IJCV 2015); the prompts are boxes or clicks of the
annotated segments, so it measures how well masks cover their class, not recognition. Of a dataset
that has one category, all else being void, no pixel can be of a wrong class: a box scores 1.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import JSON, Dataset, Estimator, Metric
from sambench.metrics import panoptic
from sambench.metrics.statistics import Statistic
from sambench.options import Range
from sambench.truths import Segments

from ._prompted import PromptedTask
from ._surface import FACTS, class_estimator, class_scores, declared

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Semantic(PromptedTask):
    """mIoU of classes whose masks are prompted with boxes or clicks of annotated segments.

    Attributes:
        surface: also measure Dice, NSD and HD95 of classes, NSD within this tolerance in pixels.
    """

    surface: Annotated[float | None, Range(0)] = None

    metrics = (
        Metric("mIoU", "IoU of each class over all pixels, mean over classes", "percent"),
        Metric("accuracy", "pixels of the right class", "percent"),
        Metric("mean_accuracy", "pixels of the right class, mean over classes", "percent"),
        *declared("classes"),
    )
    scoring: ClassVar[frozenset[str]] = frozenset({"surface"})
    paper: ClassVar[str] = "sambench run --task semantic --model sam_vit_h --dataset sceneparsing"
    facts: ClassVar[Mapping[str, Any]] = {
        "categories": "are given with the prompts: masks are measured, not recognition",
        "click": "pixel farthest from the segment's boundary, all its parts together",
        "void": "what no mask covers is wrong; void of the truth does not count",
        "crowd": "counts as its category but is not asked for",
        "mIoU": "of each class over all pixels of all images, mean over those that occur",
        **FACTS,
        "Dice": "of each class over all pixels of all images, mean over those that occur",
    }

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts, those of click and contours where there are any."""
        apart = FACTS if self.surface is None else {}
        return {k: v for k, v in super().stated.items() if k not in apart}

    def check(self, dataset: Dataset) -> None:
        """Warn of a dataset on which the number says little."""
        if len(dataset.categories) == 1:
            log.warning(
                "dataset %s has one category: where all else is void, any mask that covers the "
                "objects, even their box, has mIoU 1; see docs/dense.md",
                dataset.card.name,
            )

    def score(self, prediction: Segments, truth: Segments) -> JSON:
        """Pixels of one image, by class, and how far contours are apart where that is asked for."""
        record = panoptic.semantic_record(truth, prediction)
        if self.surface is None:
            return record
        contours = class_scores(truth, prediction, record["categories"], self.surface)
        return {**record, **contours}

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """mIoU, pixel accuracy, mean accuracy of classes, contours where these were asked for."""
        pixels = panoptic.semantic_estimator(records)
        if self.surface is None:
            return pixels
        contours = class_estimator(records)

        def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
            return {**pixels(weights), **contours(weights)}

        return Statistic(estimate, None, {**pixels.kinds, **contours.kinds})

    def by_category(self, records: Sequence[JSON]) -> Estimator:
        """IoU of each class."""
        return panoptic.iou_by_category(records)
