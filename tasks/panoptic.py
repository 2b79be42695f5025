"""Panoptic: partition an image into things and stuff, each segment prompted from its truth.

The measure of Kirillov et al., Panoptic Segmentation, CVPR 2019; the prompts are boxes or clicks of
the annotated segments, so it measures how well masks fit together, not recognition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from sambench.interfaces import JSON, Estimator, Metric
from sambench.metrics import panoptic
from sambench.truths import Segments

from ._prompted import PromptedTask

_QUALITIES = (
    Metric("PQ", "panoptic quality, mean over categories", "percent"),
    Metric("SQ", "segmentation quality, IoU of matched segments, mean over categories", "percent"),
    Metric("RQ", "recognition quality, F1 of matches at IoU .50, mean over categories", "percent"),
)


def _qualities(kind: str) -> tuple[Metric, ...]:
    """PQ, SQ and RQ of things or of stuff."""
    return tuple(
        replace(
            whole,
            name=f"{whole.name}_{kind}",
            description=f"{whole.description} of {kind}",
            group="kind",
            member=kind,
            of=whole.name,
        )
        for whole in _QUALITIES
    )


@dataclass(frozen=True)
class Panoptic(PromptedTask):
    """PQ of masks prompted with the boxes or clicks of annotated segments."""

    metrics = (*_QUALITIES, *_qualities("things"), *_qualities("stuff"))
    paper: ClassVar[str] = "sambench run --task panoptic --model sam_vit_h --dataset coco_panoptic"
    facts: ClassVar[Mapping[str, Any]] = {
        "categories": "are given with the prompts: masks are measured, not recognition",
        "click": "pixel farthest from the segment's boundary, all its parts together",
        "void": "what no mask covers stays void; void of the truth is taken out of IoU",
        "crowd": "is not asked for; an answer that lies on it by more than half is no error",
        "PQ": "sum of IoU above 0.5 / (TP + FP/2 + FN/2) of a category, mean over those that occur",
    }

    def score(self, prediction: Segments, truth: Segments) -> JSON:
        """Matches of one image, by category."""
        return panoptic.panoptic_record(truth, prediction)

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """PQ, SQ and RQ of all categories, of things and of stuff."""
        return panoptic.panoptic_estimator(records)

    def by_category(self, records: Sequence[JSON]) -> Estimator:
        """PQ of each category."""
        return panoptic.quality_by_category(records)
