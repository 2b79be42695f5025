"""Open vocabulary: detect all objects of a dataset's classes, asked by their names: AP of masks.

As text-prompted models report COCO and LVIS: Carion et al., SAM 3: Segment Anything with Concepts
(arXiv 2511.16719), table 1; the measures are COCO's (Lin et al., 2014) and LVIS's (Gupta et al.,
2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from sambench.interfaces import (
    JSON,
    Dataset,
    Embedding,
    Estimator,
    Layer,
    Metric,
    Model,
    Sample,
)
from sambench.masks import rle
from sambench.metrics.detection import lvis
from sambench.metrics.detection.assignment import Detections
from sambench.options import Range
from sambench.truths import Instances as Truth

from ._coco_results import ImageDetections, image_id, read_results, write_results
from ._elsewhere import refuse_unasked, told_twice
from ._numbering import read_numbered
from ._objects import SINGLE, require_objects
from ._vocabulary import NamingTask
from .instances import AP_FACTS, AVERAGE_PRECISION, Instances

PER_PHRASE = 100
"""COCO's evaluator counts no more masks of an image and category."""


@dataclass(frozen=True)
class OpenVocabulary(NamingTask):
    """AP of the masks that a model gives for the names of a dataset's categories.

    Attributes:
        most: masks per image, the most confident of all categories; 0 takes 300 for LVIS, else 100
            of each category, which is what their evaluators count.
        fixed: LVIS's AP with a limit of 10,000 masks per category and none per image.
        evaluator: sambench's own, or pycocotools and lvis, which give no intervals.
    """

    most: Annotated[int, Range(0)] = 0
    fixed: bool = False
    evaluator: Literal["sambench", "official"] = "sambench"

    truth: ClassVar[type] = Truth
    asking: ClassVar[tuple[str, ...]] = (*NamingTask.asking, "most")
    metrics: ClassVar[tuple[Metric, ...]] = AVERAGE_PRECISION
    paper: ClassVar[str] = (
        "sambench run --task open_vocabulary --model hf:facebook/sam3,text=true --dataset coco"
    )
    scoring: ClassVar[frozenset[str]] = frozenset({"evaluator"})
    facts: ClassVar[Mapping[str, Any]] = {
        **AP_FACTS,
        **NamingTask.naming,
        "category": "the one whose name was asked",
        "boxAP": "of the tight boxes of the masks",
        "suppression": "none beside the model's own",
    }

    def check_images(self, dataset: Dataset, ids: Sequence[str]) -> None:
        """Refuse images without a single object."""
        require_objects(dataset, ids, SINGLE)

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> ImageDetections:
        """The masks of all names that are asked, as many names at a time as the model likes."""
        truth: Truth = sample.truth
        each, whole = self._limits(truth)
        rles: list[JSON] = []
        scores: list[float] = []
        categories: list[int] = []
        for answer in self.answers(model, embedding, self.wanted(truth.categories, truth.extra)):
            count = _count(answer.scores, scores, each, whole)
            rles += rle.encode(answer.binary(count)) if count else []
            scores += answer.scores[:count].tolist()
            categories += [answer.category] * count
        order = np.argsort(-np.array(scores), kind="stable")[:whole]
        kept = Detections(
            tuple(rles[i] for i in order),
            np.array(scores, dtype=np.float64)[order],
            np.array(categories, dtype=np.int64)[order],
        )
        return ImageDetections(image_id(sample), kept)

    def _limits(self, truth: Truth) -> tuple[int | None, int | None]:
        """Masks of a category and of an image that are kept at most."""
        if self.most:
            return None, self.most
        if "neg_category_ids" not in truth.extra:
            return PER_PHRASE, None
        return (None, None) if self.fixed else (None, lvis.MAX_DETS)

    @property
    def _of_masks(self) -> Instances:
        """The task that scores masks with scores, whoever made them."""
        return Instances(source="elsewhere", fixed=self.fixed, evaluator=self.evaluator)

    def score(self, prediction: ImageDetections, truth: Truth) -> JSON:
        """What AP needs of an image."""
        return self._of_masks.score(prediction, truth)

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """AP, Boundary AP and AP of boxes by size, LVIS's also by frequency."""
        return self._of_masks.estimator(records)

    def by_category(self, records: Sequence[JSON]) -> Estimator | None:
        """AP of the masks of each category; None for the official evaluators."""
        return self._of_masks.by_category(records)

    def layers(self, prediction: ImageDetections) -> Mapping[str, Layer]:
        """The masks, of hundreds the most confident."""
        return {"Prediction": prediction.layer()}

    def save(self, prediction: ImageDetections, stem: Path) -> Path:
        """Write COCO results JSON, which pycocotools reads too."""
        return write_results(prediction, stem)

    def load(self, stem: Path) -> ImageDetections:
        """Read COCO results JSON."""
        return read_results(stem)

    def load_all(self, path: Path, dataset: Dataset) -> Mapping[str, ImageDetections]:
        """Read COCO results JSON of all images, which are scored as they are."""
        refuse_unasked(self, self.asking)
        return told_twice(read_numbered(path, dataset), path)


def _count(own: np.ndarray, others: Sequence[float], each: int | None, whole: int | None) -> int:
    """How many of a category's masks, the best first, are to be kept so far."""
    count = len(own[:each])
    if whole is None or len(others) < whole:
        return count
    least = np.partition(np.array(others), -whole)[-whole]
    return int((own[:count] > least).sum())
