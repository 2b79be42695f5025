"""Open semantic: label each pixel with the class whose name has the highest score there.

Zero-shot semantic segmentation from class names; the measure is PASCAL VOC's (Everingham et al.,
IJCV 2015).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import JSON, Embedding, Estimator, Layer, Metric, Model, Sample
from sambench.metrics import panoptic
from sambench.truths import Segments

from ._prompted import load_segments, save_segments
from ._vocabulary import NamingTask
from .semantic import Semantic

BACKGROUND = -1
"""The category of what no name stands for."""


@dataclass(frozen=True)
class OpenSemantic(NamingTask):
    """mIoU of classes that are asked by their names.

    Attributes:
        background: what is void in the truth does not count; or it is a class of its own, which no
            name asks for: what no mask covers is of it. For datasets whose void is all that is none
            of their classes, such as coco.
    """

    background: Literal["void", "class"] = "void"

    truth: ClassVar[type] = Segments
    metrics: ClassVar[tuple[Metric, ...]] = Semantic.metrics[:3]
    paper: ClassVar[str] = (
        "sambench run --task open_semantic --model hf:facebook/sam3,text=true "
        "--dataset sceneparsing"
    )
    scoring: ClassVar[frozenset[str]] = frozenset({"background"})
    facts: ClassVar[Mapping[str, Any]] = {
        **NamingTask.naming,
        "pixel": "is of the class of the mask of highest score that covers it, the first of equals",
        "void": "what no mask covers is wrong, or background; void of the truth does not count, "
        "or is background",
        "crowd": "counts as its category",
        "mIoU": "of each class over all pixels of all images, mean over those that occur",
    }

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Segments:
        """The label of each pixel, from as many names at a time as the model likes."""
        truth: Segments = sample.truth
        best = np.full(truth.size, -np.inf)
        labels = np.zeros(truth.size, dtype=np.int64)
        asked = self.wanted(truth.categories, {})
        for number, answer in enumerate(self.answers(model, embedding, asked), start=1):
            useful = int((answer.scores > best.min()).sum())
            for score, mask in zip(
                answer.scores, answer.binary(useful) if useful else (), strict=False
            ):
                better = mask & (score > best)
                best[better], labels[better] = score, number
        return _compact(labels, np.array(asked, dtype=np.int64))

    def score(self, prediction: Segments, truth: Segments) -> JSON:
        """Pixels of one image, by class."""
        if self.background == "class":
            prediction, truth = _filled(prediction), _filled(truth)
        return panoptic.semantic_record(truth, prediction)

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """mIoU, pixel accuracy, mean accuracy of classes."""
        return panoptic.semantic_estimator(records)

    def by_category(self, records: Sequence[JSON]) -> Estimator:
        """IoU of each class; that of the background is -1."""
        return panoptic.iou_by_category(records)

    def layers(self, prediction: Segments) -> Mapping[str, Layer]:
        """The masks of all classes."""
        return {"Prediction": prediction.layer()}

    def save(self, prediction: Segments, stem: Path) -> Path:
        """Write a PNG of labels and a JSON of what they are."""
        return save_segments(prediction, stem)

    def load(self, stem: Path) -> Segments:
        """Read what `save` wrote."""
        return load_segments(stem)


def _compact(labels: NDArray[np.int64], categories: NDArray[np.int64]) -> Segments:
    """Segments of the labels that have a pixel, label n being the n-th of the categories."""
    present = np.unique(labels[labels > 0])
    number = np.zeros(len(categories) + 1, dtype=np.int64)
    number[present] = np.arange(1, len(present) + 1)
    none = np.zeros(len(present), dtype=bool)
    return Segments(number[labels], categories[present - 1], none, none)


def _filled(segments: Segments) -> Segments:
    """What is void as one more segment, of the background."""
    if not (segments.labels == 0).any():
        return segments
    labels = np.where(segments.labels == 0, len(segments) + 1, segments.labels)
    return replace(
        segments,
        labels=labels,
        categories=np.append(segments.categories, BACKGROUND),
        things=np.append(segments.things, False),
        crowd=np.append(segments.crowd, False),
        ids=(),
    )
