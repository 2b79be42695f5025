"""Semantic: label each pixel with a class, each segment prompted from its truth.

The measure of PASCAL VOC (Everingham et al., IJCV 2015); the prompts are boxes or clicks of the
annotated segments, so it measures how well masks cover their class, not recognition. Of a dataset
that has one category, all else being void, no pixel can be of a wrong class: a box scores 1.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sambench.interfaces import JSON, Dataset, Estimator, Metric
from sambench.metrics import panoptic
from sambench.truths import Segments

from ._prompted import PromptedTask

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Semantic(PromptedTask):
    """mIoU of classes whose masks are prompted with boxes or clicks of annotated segments."""

    metrics = (
        Metric("mIoU", "IoU of each class over all pixels, mean over classes", "percent"),
        Metric("accuracy", "pixels of the right class", "percent"),
        Metric("mean_accuracy", "pixels of the right class, mean over classes", "percent"),
    )
    paper: ClassVar[str] = "sambench run --task semantic --model sam_vit_h --dataset sceneparsing"
    facts: ClassVar[Mapping[str, Any]] = {
        "categories": "are given with the prompts: masks are measured, not recognition",
        "click": "pixel farthest from the segment's boundary, all its parts together",
        "void": "what no mask covers is wrong; void of the truth does not count",
        "crowd": "counts as its category but is not asked for",
        "mIoU": "of each class over all pixels of all images, mean over those that occur",
    }

    def check(self, dataset: Dataset) -> None:
        """Warn of a dataset on which the number says little."""
        if len(dataset.categories) == 1:
            log.warning(
                "dataset %s has one category: where all else is void, any mask that covers the "
                "objects, even their box, has mIoU 1; see docs/dense.md",
                dataset.card.name,
            )

    def score(self, prediction: Segments, truth: Segments) -> JSON:
        """Pixels of one image, by class."""
        return panoptic.semantic_record(truth, prediction)

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """mIoU, pixel accuracy, mean accuracy of classes."""
        return panoptic.semantic_estimator(records)

    def by_category(self, records: Sequence[JSON]) -> Estimator:
        """IoU of each class."""
        return panoptic.iou_by_category(records)
