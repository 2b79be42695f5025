"""Semantic: label each pixel with a class, each segment prompted from its truth.

The measure of PASCAL VOC (Everingham et al., IJCV 2015); the prompts are boxes or clicks of the
annotated segments, so that it tells how well masks cover their class and not what they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sambench.interfaces import JSON, Embedding, Estimator, Model, Sample, Segments, Task
from sambench.metrics import panoptic

from ._prompted import Choice, Prompt, Top, answered, load_segments, save_segments


@dataclass(frozen=True)
class Semantic(Task):
    """mIoU of classes whose masks are prompted with boxes or clicks of annotated segments.

    Attributes:
        prompt: the tight box of a segment, or a click at its centre.
        mask: the model's single answer, or the most confident of several.
        top: which of two masks lies above the other: that of the higher predicted IoU, or the
            smaller one.
    """

    prompt: Prompt = "box"
    mask: Choice = "confident"
    top: Top = "confident"

    truth: ClassVar[type] = Segments
    metric: ClassVar[str] = "mIoU"
    paper: ClassVar[str] = "sambench run --task semantic --model sam_vit_h --dataset sceneparsing"
    facts: ClassVar[Mapping[str, Any]] = {
        "categories": "are given with the prompts: masks are measured, not recognition",
        "click": "pixel farthest from the segment's boundary, all its parts together",
        "void": "what no mask covers is wrong; void of the truth does not count",
        "crowd": "counts as its category but is not asked for",
        "mIoU": "of each class over all pixels of all images, mean over those that occur",
    }

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]  # read only, from the options
        """Kind of prompt that these options use."""
        return frozenset({"boxes" if self.prompt == "box" else "points"})

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Segments:
        """One mask for each segment, laid over each other."""
        return answered(model, embedding, sample.truth, self.prompt, self.mask, self.top)

    def score(self, prediction: Segments, truth: Segments) -> JSON:
        """Pixels of one image, by class."""
        return panoptic.semantic_record(truth, prediction)

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """mIoU, pixel accuracy, mean accuracy of classes."""
        return panoptic.semantic_estimator(records)

    def by_category(self, records: Sequence[JSON]) -> Estimator:
        """IoU of each class."""
        return panoptic.iou_by_category(records)

    def save(self, prediction: Segments, stem: Path) -> Path:
        """Write a PNG of labels and a JSON of what they are."""
        return save_segments(prediction, stem)

    def load(self, stem: Path) -> Segments:
        """Read what `save` wrote."""
        return load_segments(stem)
