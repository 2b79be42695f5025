"""new_task: say in one line what it asks; `sambench list` shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from sambench.interfaces import (
    JSON,
    Curve,
    Embedding,
    Estimator,
    Layer,
    Metric,
    Model,
    Prediction,
    Prompts,
    Sample,
    Task,
)
from sambench.masks.rle import decode, encode
from sambench.metrics import iou as mask_metrics
from sambench.metrics.statistics import ratios
from sambench.options import Range
from sambench.truths import Instances


@dataclass(frozen=True)
class NewTask(Task):
    """Segment the object in its box, grown by a margin; mean IoU over objects.

    Attributes:
        margin: how much the box is grown on each side, in pixels.
    """

    margin: Annotated[float, Range(0)] = 0.0

    truth: ClassVar[type] = Instances
    needs = frozenset({"boxes"})
    metrics = (Metric("mIoU", "mean IoU over objects", unit="percent"),)  # the first one ranks
    paper: ClassVar[str] = "sambench run --task new_task.py --dataset DATASET"

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Prediction:
        """The question as prompts; plain values as the answer, no tensors."""
        truth: Instances = sample.truth
        if not len(truth):
            return []
        grown = truth.boxes + self.margin * np.array([-1, -1, 1, 1])
        answer = model.predict(embedding, Prompts(boxes=grown), multimask=True)
        return encode(answer.most_confident().binary()[:, 0])

    def score(self, prediction: Prediction, truth: Instances) -> JSON:
        """One image: all that the metrics need of it, as JSON values."""
        if not len(truth):
            return {"iou": []}
        return {"iou": mask_metrics.iou(truth.masks(), decode(prediction)).tolist()}

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """All images: the metrics, as a function of how often each image counts."""
        return ratios({"mIoU": [record["iou"] for record in records]})

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve]:
        """All images: lines to draw beside the metrics; leave it out if there are none."""
        values = np.array([value for record in records for value in record["iou"]])
        levels = tuple(level / 20 for level in range(21))
        share = tuple(float((values >= level).mean()) for level in levels) if len(values) else ()
        return [Curve("objects-IoU", levels[: len(share)], share, "IoU", "objects", unit="percent")]

    def layers(self, prediction: Prediction) -> Mapping[str, Layer]:
        """One image: what the image browser draws of the prediction, masks or a map (H, W)."""
        return {"Prediction": Layer(masks=prediction)}
