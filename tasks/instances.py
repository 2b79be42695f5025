"""Instances: segment the object in each box, a detector's or the annotated one.

The experiment of Segment Anything, section 7.4 and appendix D.4 (Kirillov et al., 2023), with the
rules of its successors as presets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import (
    JSON,
    Curve,
    Dataset,
    Embedding,
    Estimator,
    Histogram,
    Layer,
    Marks,
    Masks,
    Metric,
    Model,
    Prediction,
    Prompts,
    Sample,
    Task,
)
from sambench.masks import rle
from sambench.metrics import iou as mask_metrics
from sambench.metrics.detection import coco as detection
from sambench.metrics.detection import lvis
from sambench.metrics.detection.assignment import Detections
from sambench.metrics.statistics import Statistic, by_group
from sambench.options import Range
from sambench.truths import Instances as Truth

from . import _official
from ._annotated import (
    OVERLAP,
    OVERLAP_FACTS,
    View,
    mean_iou,
    object_boxes,
    overlap_drawings,
    overlaps,
    require_answers,
)
from ._box_file import (
    NONE,
    Boxes,
    Coverage,
    check_boxes,
    check_convention,
    check_coverage,
    read_boxes,
)
from ._chosen import Chosen, most_confident_first, read_chosen, run_lengths, write_chosen
from ._coco_results import ImageDetections, image_id, require_image
from ._confidence import CHOICE, DECLARED
from ._elsewhere import refuse_unasked, told_twice
from ._numbering import check_numbering, read_numbered
from ._objects import SINGLE, GroundTruth, category_counts, require_objects
from ._prefixed import prefixed
from ._sizes import by_frequency, by_size
from ._surface import FACTS, declared, object_scores

KINDS = {"segm": "", "boundary": "Boundary", "bbox": "box"}
"""Types of IoU, by what AP's name begins with."""


def _precisions(start: str, words: str) -> tuple[Metric, ...]:
    """AP of a type of IoU, at single thresholds, by size and by frequency."""
    whole = Metric(f"{start}AP", f"AP of {words} over IoU .50:.05:.95", "percent")
    strict = (Metric(f"{start}AP{t}", f"AP of {words} at IoU .{t}", "percent") for t in (50, 75))
    return whole, *strict, *by_size(whole), *by_frequency(whole)


BUDGETS = {
    **{str(most): f"{most} masks per image and category" for most in (1, 10, 100)},
    str(lvis.MAX_DETS): f"{lvis.MAX_DETS} masks per image",
    "all": "any number of masks",
}
"""How many detections recall is measured with, by what stands in its name."""


def _recall(budget: str, words: str) -> tuple[Metric, ...]:
    """AR of masks within a number of detections, and by size."""
    whole = Metric(f"AR@{budget}", f"AR of masks over IoU .50:.05:.95, {words}", "percent")
    return whole, *by_size(whole)


AVERAGE_PRECISION = (
    *_precisions("", "masks"),
    *(metric for budget in BUDGETS.items() for metric in _recall(*budget)),
    *_precisions("Boundary", "masks by the lesser of mask and Boundary IoU"),
    *_precisions("box", "boxes"),
)
"""What may be measured of masks with scores: of COCO, of LVIS, and of LVIS without a limit."""
AP_FACTS = {
    "category": "the detector's",
    "AP": "COCO: 100 detections per image and category; LVIS: 300 per image; both of mask IoU",
    "BoundaryAP": "the lesser of mask IoU and Boundary IoU at 2 % of the diagonal",
    "boxAP": "of the boxes that were prompted with",
}
"""What holds of masks with scores."""


@dataclass(frozen=True)
class Instances(Task):
    """Masks of the objects in boxes: AP for a detector's boxes, mIoU for annotated ones.

    Attributes:
        detections: COCO results JSON with a detector's boxes; the annotated boxes if there is none.
        mask: the mask taken: the most confident of three; the single one; or the one of three that
            overlaps most with the box as a filled rectangle.
        refine: prompt once more with the box and the mask taken, and keep the single mask or the
            most confident of three; or not.
        confidence: the score of a mask: the detector's, or that times the predicted IoU.
        max_boxes: boxes per image, the most confident; 0 takes 300 for LVIS, else all.
        min_score: boxes of a lower score are left out; none are where it is not given.
        coverage: exact: the file has boxes for every image of the dataset and for no other; any:
            images without boxes count as such, other images are left out.
        crowd: also segment the annotated boxes of crowd regions.
        view: of annotated boxes: the model looks at the image, or at the image stretched to a
            square of 1024 x 1024, with the box of the stretched mask; its logits go straight to the
            size of the image.
        ground_truth: of annotated boxes, what counts as the object: exact: its mask; dilated: every
            pixel that this touches once it was brought to SAM's square and back.
        fixed: LVIS's AP with a limit of 10,000 detections per category and none per image.
        evaluator: sambench's own, or pycocotools and lvis, which give no intervals.
        source: elsewhere: masks and scores that another program saved, to be scored by AP.
        surface: of annotated boxes, also measure Dice, NSD and HD95, NSD within this tolerance: in
            pixels, or in the unit of the dataset's spacing.
    """

    detections: Path | None = None
    mask: Literal["confident", "single", "box-iou"] = "confident"
    refine: Literal["no", "single", "confident"] = "no"
    confidence: Literal["detector", "times-iou"] = "detector"
    max_boxes: Annotated[int, Range(0)] = 0
    min_score: float | None = None
    coverage: Coverage = "exact"
    crowd: bool = False
    view: View = "image"
    ground_truth: GroundTruth = "exact"
    fixed: bool = False
    evaluator: Literal["sambench", "official"] = "sambench"
    source: Literal["prompts", "elsewhere"] = "prompts"
    surface: Annotated[float | None, Range(0)] = None

    truth: ClassVar[type] = Truth
    needs = frozenset({"boxes"})
    paper: ClassVar[str] = (
        "sambench run --task instances --preset sam --detections vitdet_h.json --model sam_vit_h "
        "--dataset coco"
    )
    scoring: ClassVar[frozenset[str]] = frozenset({"evaluator", "surface"})
    foreign: ClassVar[Mapping[str, Any]] = {"source": "elsewhere"}
    facts: ClassVar[Mapping[str, Any]] = {**AP_FACTS, **OVERLAP_FACTS, **FACTS}
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sam": {"refine": "single"},
        "efficientvit": {"crowd": True},
        "tinysam": {},
        "edgesam": {"mask": "single", "ground_truth": "dilated"},
        "efficientsam": {"mask": "box-iou"},
        "efficientsam-annotated": {"mask": "confident"},
        "hq-sam": {"mask": "single", "view": "stretched"},
    }
    left_open: ClassVar[Mapping[str, tuple[str, ...]]] = {"efficientsam-annotated": ("crowd",)}

    def __getstate__(self) -> dict[str, Any]:
        """The options: a detector's boxes stay behind when a task goes to a scoring process."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def scored(self) -> bool:
        """Whether masks have scores and are measured by AP."""
        return self.detections is not None or self.source == "elsewhere"

    @property
    def chooses(self) -> bool:
        """Whether what is measured is the most confident mask of several."""
        last = self.mask if self.refine == "no" else self.refine
        return last == "confident" and not self.scored

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts of AP where masks have scores, else those of the mean IoU."""
        if self.scored:
            return AP_FACTS
        return OVERLAP_FACTS if self.surface is None else {**OVERLAP_FACTS, **FACTS}

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """AP of masks with scores, mIoU of those of annotated boxes."""
        if self.scored:
            return AVERAGE_PRECISION
        return (*OVERLAP, *declared("objects"), CHOICE, *DECLARED)

    @cached_property
    def boxes(self) -> dict[str, Boxes]:
        """The detector's boxes by image id."""
        assert self.detections is not None
        return read_boxes(self.detections)

    def check(self, dataset: Dataset) -> None:
        """Refuse a file of detections of another dataset, and what would change nothing."""
        if self.source == "elsewhere":
            names = [field.name for field in fields(self)]
            refuse_unasked(self, [n for n in names if n not in {"source", "evaluator", "fixed"}])
        if self.detections is not None:
            check_boxes(self.boxes, self.detections, dataset, self.coverage)

    def check_images(self, dataset: Dataset, ids: Sequence[str]) -> None:
        """Refuse images without a single object, or that the file of detections lacks."""
        if self.detections is not None:
            if self.coverage == "exact":
                check_coverage(self.boxes, self.detections, dataset, ids)
            check_convention(self.boxes, self.detections, dataset, ids)
            found = {id: (b.corners, b.categories) for id, b in self.boxes.items()}
            check_numbering(found, self.detections, dataset, ids)
        if self.scored:
            require_objects(dataset, ids, SINGLE)
        elif not self.crowd:
            require_objects(dataset, ids, "segment them with --crowd true")

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> ImageDetections:
        """One mask for each box, as many at a time as the model likes."""
        if self.source == "elsewhere":
            raise UserError("source=elsewhere is for sambench score; leave it out to run a model.")
        objects = () if self.scored else self._objects(sample.truth)
        given = self._detected(sample) if self.scored else self._annotated(sample.truth, objects)
        segment: Callable[[NDArray[np.float64]], Masks] = partial(self._segment, model, embedding)
        if self.view == "stretched" and not self.scored:
            segment = self._on_square(model, sample)
        rles: list[list[JSON]] = []
        iou = np.zeros(len(given))
        for start in range(0, len(given), model.prompt_batch):
            part = slice(start, start + model.prompt_batch)
            answer = segment(given.corners[part])
            rles += run_lengths(answer)
            iou[part] = answer.iou[:, 0].double().cpu().numpy()
        scores = given.scores if self.confidence == "detector" else given.scores * iou
        taken = tuple(own[0] for own in rles)
        masks = Detections(taken, scores, given.categories, given.corners)
        if self.scored:
            return ImageDetections(image_id(sample), masks)
        ids = tuple(sample.truth.ids[i] for i in objects)
        found = image_id(sample), masks, ids, tuple(iou.tolist())
        others = tuple(tuple(own[1:]) for own in rles)
        return Chosen(*found, others) if self.chooses else ImageDetections(*found)

    def _detected(self, sample: Sample) -> Boxes:
        limit = self.max_boxes or (None if self.fixed else _limit(sample.truth))
        return self.boxes.get(sample.id, NONE).best(limit, self.min_score)

    def _objects(self, truth: Truth) -> tuple[int, ...]:
        """Indices of the annotated objects that are segmented."""
        areas = rle.areas(truth.rles)
        wanted = (areas > 0) & (self.crowd | ~truth.crowd)
        return tuple(np.flatnonzero(wanted).tolist())

    def _annotated(self, truth: Truth, objects: tuple[int, ...]) -> Boxes:
        index = np.array(objects, dtype=np.int64)
        boxes = object_boxes(truth, objects, self.view)
        return Boxes(boxes, np.ones(len(index)), truth.categories[index])

    def _on_square(self, model: Model, sample: Sample) -> Callable[[NDArray[np.float64]], Masks]:
        """As `_segment`, of the stretched image, which is embedded in place of the image."""
        from sambench.masks import stretched

        [embedding] = model.embed([stretched.stretch(sample.image)])
        size = sample.truth.size

        def segment(boxes: NDArray[np.float64]) -> Masks:
            answer = self._segment(model, embedding, stretched.to_square(boxes, size))
            return stretched.from_square(answer, size)

        return segment

    def _segment(self, model: Model, embedding: Embedding, boxes: NDArray[np.float64]) -> Masks:
        """The mask taken for each of B boxes, (B, 1), or where that is a choice all, (B, C)."""
        prompts = Prompts(boxes=boxes)
        answer = model.predict(embedding, prompts, multimask=self.mask != "single")
        if self.refine != "no":
            prompts = Prompts(boxes=boxes, masks=self._taken(answer, boxes).logits)
            answer = model.predict(embedding, prompts, multimask=self.refine == "confident")
        elif self.mask == "box-iou":
            return self._taken(answer, boxes)
        return most_confident_first(answer) if self.chooses else answer.most_confident()

    def _taken(self, answer: Masks, boxes: NDArray[np.float64]) -> Masks:
        if self.mask == "box-iou":
            return answer.take(_overlap(answer, boxes).argmax(axis=1))
        return answer.most_confident()

    def score(self, prediction: ImageDetections, truth: Truth) -> JSON:
        """What AP needs of an image, or IoU and Boundary IoU of each object."""
        require_image(prediction, truth)
        if not self.scored:
            require_answers(prediction, truth, self._objects(truth))
            return self._overlaps(prediction, truth)
        if self.evaluator == "official":
            return _official.image_record(prediction, truth)
        if not _is_lvis(truth):
            return {k: detection.image_record(prediction.detections, truth, k) for k in KINDS}
        limit = None if self.fixed else lvis.MAX_DETS
        frequency = dict(zip(truth.categories.tolist(), truth.extra["frequency"], strict=True))
        records = {k: lvis.image_record(prediction.detections, truth, k, limit) for k in KINDS}
        return {**records, "frequency": frequency}

    def _overlaps(self, prediction: ImageDetections, truth: Truth) -> JSON:
        """IoU and Boundary IoU of the masks of annotated boxes, and contours where asked for."""
        places = {id: index for index, id in enumerate(truth.ids)}
        objects = [places[id] for id in prediction.objects]
        rles = prediction.detections.rles
        contours = object_scores(truth, objects, rles, self.surface, self.ground_truth)
        return {**overlaps(prediction, truth, self.ground_truth), **contours}

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """AP and Boundary AP by size, LVIS's also by frequency; or mIoU by size."""
        if not self.scored:
            return mean_iou(records)
        if self.evaluator == "official":
            return _official.average_precision(records, fixed=self.fixed)
        parts = {
            name: self._precision([r[k] for r in records], records) for k, name in KINDS.items()
        }

        return prefixed(parts, lambda start, name: not start or name.startswith("AP"))

    def by_category(self, records: Sequence[JSON]) -> Estimator | None:
        """AP of the masks of each category, or mean IoU; None for the official evaluators."""
        if not self.scored:
            return by_group([r["categories"] for r in records], [r["iou"] for r in records])
        if self.evaluator == "official":
            return None
        return detection.category_precision([record["segm"] for record in records])

    def category_counts(self, records: Sequence[JSON]) -> Mapping[str, int]:
        """Objects of each category; not known of masks with scores."""
        return {} if self.scored else category_counts(records)

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve | Histogram]:
        """The IoU of all objects, and what was predicted of it, of masks without scores."""
        return () if self.scored else overlap_drawings(records)

    def layers(self, prediction: Prediction) -> Mapping[str, Layer]:
        """The masks, of hundreds the most confident."""
        return {"Prediction": prediction.layer()}

    def marks(self, record: JSON, prediction: Prediction | None, truth: Truth) -> Marks:
        """The boxes that were prompted with."""
        return Marks() if prediction is None else prediction.marks()

    def _precision(self, matches: list[JSON], records: Sequence[JSON]) -> Statistic:
        if "frequency" not in records[0]:
            return detection.average_precision(matches)
        frequency = {int(k): f for record in records for k, f in record["frequency"].items()}
        if self.fixed:
            return lvis.average_precision(
                matches, frequency, per_category=lvis.PER_CATEGORY, max_dets=None
            )
        return lvis.average_precision(matches, frequency)

    def save(self, prediction: ImageDetections, stem: Path) -> Path:
        """Write COCO results JSON, which pycocotools reads too."""
        return write_chosen(prediction, stem)

    def load(self, stem: Path) -> ImageDetections:
        """Read COCO results JSON."""
        return read_chosen(stem)

    def load_all(self, path: Path, dataset: Dataset) -> Mapping[str, ImageDetections]:
        """Read COCO results JSON of all images."""
        return told_twice(read_numbered(path, dataset), path)


def _is_lvis(truth: Truth) -> bool:
    return "neg_category_ids" in truth.extra


def _limit(truth: Truth) -> int | None:
    return lvis.MAX_DETS if _is_lvis(truth) else None


def _overlap(answer: Masks, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of B x C masks with their boxes as filled rectangles, (B, C)."""
    filled = np.zeros((len(boxes), 1, *answer.size), dtype=bool)
    for mask, (x0, y0, x1, y1) in zip(filled, np.rint(boxes).astype(int).clip(min=0), strict=True):
        mask[0, y0:y1, x0:x1] = True
    return mask_metrics.iou(answer.binary(), filled)
