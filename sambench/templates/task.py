"""new_task: say in one line what it asks; `sambench list` shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from sambench.interfaces import JSON, Embedding, Estimator, Model, Prediction, Prompts, Sample, Task
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
    metric: ClassVar[str] = "mIoU"
    needs: ClassVar[frozenset[str]] = frozenset({"boxes"})
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
