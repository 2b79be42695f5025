"""Clicks: segment the object under a simulated click, then correct it with more clicks.

The experiment of Segment Anything, section 7.1 and appendix D.1 (Kirillov et al., 2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import (
    JSON,
    Curve,
    Dataset,
    Embedding,
    Estimator,
    Histogram,
    Marks,
    Metric,
    Model,
    Sample,
)
from sambench.masks.rle import decode
from sambench.metrics import iou as mask_metrics
from sambench.metrics.interactive import mean_curve
from sambench.metrics.statistics import by_group, ratios
from sambench.options import Range
from sambench.truths import Instances

from ._clicking import (
    Centre,
    Choice,
    Clicked,
    ClickTask,
    First,
    Next,
    Right,
    Rules,
    Small,
    Where,
    click_on_all,
)
from ._confidence import CHOICE, DECLARED, Told, with_confidence
from ._objects import GroundTruth, iou_histogram, object_mask, require_objects, require_points
from ._sizes import by_size, sized
from ._surface import FACTS, declared, object_scores, object_values

REPORTED = (1, 2, 3, 5, 9)
_FIRST = Metric(
    "mIoU", "mean IoU over objects after the first prompt", "percent", group="points", member="1"
)
SIZED = (3, 5)
"""Numbers of prompts after which objects are also told apart by size, as EfficientViT-SAM does."""
_EDGESAM = {
    "mask": "single", "feedback": False, "min_error": 10, "error_unit": "decoder",
    "small_error": "blank", "errors": "decoder", "ground_truth": "dilated",
}  # fmt: skip


def _after(count: int) -> Metric:
    return Metric(
        f"mIoU@{count}",
        f"mean IoU over objects after {count} prompts",
        "percent",
        group="points",
        member=str(count),
        of="mIoU",
    )


@dataclass(frozen=True)
class Points(ClickTask):
    """One click on each object, and optionally more where the error is largest.

    Attributes:
        points: number of prompts for each object.
        first: the first prompt: the object's centre, a random pixel of it, its box, or the point
            that it was annotated with, which SA-1B has.
        next: the following clicks: centre of the larger error, random in the error, random in
            the object.
        mask: the mask taken: the most confident of three for the first prompt and the single one
            after; always the most confident; always the single one.
        feedback: give the previous logits back with the next click.
        repeat: whether a pixel may be clicked twice.
        min_error: fewer wrong pixels than this get no random click.
        error_unit: what min_error counts: pixels of the image, or cells of the decoder's grid of
            256 x 256.
        small_error: what an object gets in place of a click: it keeps its mask, or is prompted
            again with a point of zeros.
        no_error: whether a mask without an error is left as it is, where a centre would be clicked,
            or gets a negative click at (0, 0).
        errors: where errors are seen and clicked on: in the image, or on the decoder's grid.
        center: the pixel farthest from the boundary by exact Euclidean distance, or in the square
            of 1024 x 1024 that SAM sees, by cascaded convolutions.
        ground_truth: what counts as the object: exact: its mask; dilated: every pixel that this
            touches once it was brought to that square and back.
        crowd: also count crowd regions.
        seed: of the random clicks.
        surface: also measure Dice, NSD and HD95 of the mask after the last prompt, NSD within this
            tolerance: in pixels, or in the unit of the dataset's spacing.
    """

    points: Annotated[int, Range(1)] = 1
    first: First = "center"
    next: Next = "error-center"
    mask: Choice = "confident-then-single"
    feedback: bool = True
    repeat: bool = True
    min_error: Annotated[int, Range(0)] = 0
    error_unit: Where = "image"
    small_error: Small = "keep"
    no_error: Right = "stop"
    errors: Where = "image"
    center: Centre = "exact"
    ground_truth: GroundTruth = "exact"
    crowd: bool = False
    seed: Annotated[int, Range(0)] = 0
    surface: Annotated[float | None, Range(0)] = None

    truth: ClassVar[type] = Instances
    metrics = (
        _FIRST,
        Metric(
            "mIoU_oracle",
            "mean over objects of the best IoU of all masks given for the first prompt",
            "percent",
        ),
        Metric("BoundaryIoU", "mean Boundary IoU over objects after the first prompt", "percent"),
        *by_size(_FIRST),
        *map(_after, REPORTED[1:]),
        *(metric for count in SIZED for metric in by_size(_after(count))),
        *declared("objects, after the last prompt"),
        CHOICE,
        *DECLARED,
    )
    scoring: ClassVar[frozenset[str]] = frozenset({"surface"})
    paper: ClassVar[str] = "sambench run --task points --points 9 --model sam_vit_h --dataset sa23"
    facts: ClassVar[Mapping[str, Any]] = {
        "IoU": "at the image's original size, logits > 0; an object with an empty mask is left out",
        "click": "pixel farthest from the boundary, exact Euclidean, the image border is boundary",
        "sizes": "annotated area: small < 32^2 <= medium < 96^2 <= large",
        "boundary": "Boundary IoU, 2 % of the diagonal",
        **FACTS,
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sam": {"points": 9},
        "efficientvit": {
            "points": 5, "mask": "confident", "feedback": False, "repeat": False, "crowd": True,
            "no_error": "corner",
        },
        "efficientsam": {
            "points": 3, "first": "random", "next": "mask-random", "mask": "confident",
            "feedback": False,
        },
        "edgesam": {
            "points": 3, "next": "error-random", "center": "convolved", **_EDGESAM,
        },
        "edgesam-box": {"points": 3, "first": "box", "next": "error-random", **_EDGESAM},
        "slimsam": {"first": "annotated"},
    }  # fmt: skip
    left_open: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "efficientsam": ("crowd", "seed"), "edgesam": ("seed",), "edgesam-box": ("seed",),
        "slimsam": ("mask",),
    }  # fmt: skip

    @property
    def needs(self) -> frozenset[str]:
        """Kinds of prompt that these options use."""
        kinds = {"boxes"} if self.first == "box" else {"points"}
        if self.points > 1:
            kinds |= {"points", "masks"} if self.feedback else {"points"}
            kinds |= {"blanks"} if self.small_error == "blank" else set()
        return frozenset(kinds)

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts, that of the exact centre where one is clicked, of contours where asked."""
        exact = self.center == "exact" and self.first == "center"
        clicked = exact or (self.points > 1 and self.next == "error-center")
        apart = {*([] if clicked else ["click"]), *(FACTS if self.surface is None else [])}
        return {k: v for k, v in self.facts.items() if k not in apart}

    def check_images(self, dataset: Dataset, ids: Sequence[str]) -> None:
        """Refuse images without a single object, or without annotated points to click on."""
        if not self.crowd:
            require_objects(dataset, ids, "count them with --crowd true")
        if self.first == "annotated":
            require_points(dataset, ids)

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Clicked:
        """Click on every object."""
        rules = Rules(
            first=self.first, next=self.next, mask=self.mask, feedback=self.feedback,
            repeat=self.repeat, min_error=self.min_error, seed=self.seed, center=self.center,
            errors=self.errors, error_unit=self.error_unit, small_error=self.small_error,
            no_error=self.no_error, ground_truth=self.ground_truth,
        )  # fmt: skip
        truth: Instances = sample.truth
        return click_on_all(model, embedding, sample.id, truth, rules, self.points, self.crowd)

    def score(self, prediction: Clicked, truth: Instances) -> JSON:
        """IoU after each prompt, of the best candidate, and Boundary IoU, for each object."""
        scored = [
            _object_scores(
                object_mask(truth.mask(index), self.ground_truth), truth.ignore, masks, candidates
            )
            for index, masks, candidates in zip(
                prediction.objects, prediction.masks, prediction.candidates, strict=True
            )
        ]
        return {
            "objects": [truth.ids[i] for i in prediction.objects],
            "areas": [float(truth.areas[i]) for i in prediction.objects],
            "categories": [int(truth.categories[i]) for i in prediction.objects],
            "iou": [iou for iou, _, _ in scored],
            "oracle": [max(candidates) for _, candidates, _ in scored],
            "candidates": [candidates for _, candidates, _ in scored],
            "boundary_iou": [boundary for _, _, boundary in scored],
            "clicks": prediction.clicks,
            "left_out": len(truth) - len(prediction.objects),
            **_predicted(prediction),
            **object_scores(
                truth, prediction.objects, [masks[-1] for masks in prediction.masks],
                self.surface, self.ground_truth,
            ),
        }  # fmt: skip

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """Mean over objects of IoU after 1, 2, 3, 5, 9 prompts, by size, of the oracle."""
        values: dict[str, list[list[float]]] = {
            "mIoU": [_after_prompt(r, 1) for r in records],
            "mIoU_oracle": [r["oracle"] for r in records],
            "BoundaryIoU": [r["boundary_iou"] for r in records],
        }
        for count in (k for k in REPORTED if k <= self.points):
            name = f"mIoU@{count}" if count > 1 else "mIoU"
            values[name] = [_after_prompt(r, count) for r in records]
            values |= sized(name, values[name], records) if count in (1, *SIZED) else {}
        values |= object_values(records, [[iou[-1] for iou in r["iou"]] for r in records])
        values["choice_cost"] = [
            [best - taken for best, taken in zip(r["oracle"], first, strict=True)]
            for r, first in zip(records, values["mIoU"], strict=True)
        ]
        return with_confidence(ratios(values), _told(records))

    def by_category(self, records: Sequence[JSON]) -> Estimator:
        """Mean over the objects of each category of the IoU after the first prompt."""
        values = [[iou[0] for iou in r["iou"]] for r in records]
        return by_group([r["categories"] for r in records], values)

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve | Histogram]:
        """Mean IoU after each prompt, the IoU of all objects after the first, and of its claims."""
        objects = [iou for record in records for iou in record["iou"]]
        curve = Curve(
            "mIoU-points",
            tuple(range(1, self.points + 1)),
            tuple(mean_curve(objects, self.points).tolist()),
            x_label="points",
            y_label="mIoU",
            unit="percent",
        )
        told = _told(records)
        told_of = [] if told is None else told.drawings()
        return [curve, iou_histogram(iou[0] for iou in objects), *told_of]

    def marks(self, record: JSON, prediction: Clicked | None, truth: Instances) -> Marks:
        """The clicks, and the boxes where these came first."""
        if prediction is None or self.first != "box":
            return Marks(record["clicks"])
        return Marks(record["clicks"], truth.boxes[prediction.objects].tolist())


def _object_scores(
    truth: NDArray[np.bool_],
    ignore: NDArray[np.bool_] | None,
    masks: Sequence[JSON],
    candidates: Sequence[JSON],
) -> tuple[list[float], list[float], float]:
    """IoU after each prompt, of each candidate of the first, and Boundary IoU of the first."""
    taken = decode(masks)
    each: list[float] = mask_metrics.iou(truth[None], decode(candidates), ignore).tolist()
    iou: list[float] = mask_metrics.iou(truth[None], taken, ignore).tolist()
    return iou, each, mask_metrics.boundary_iou(truth, taken[0])


def _predicted(prediction: Clicked) -> JSON:
    """What a record has of the predicted IoU: that of each candidate, where it is known."""
    known = len(prediction.predicted) == len(prediction.objects)
    return {"predicted": prediction.predicted} if known else {}


def _told(records: Sequence[JSON]) -> Told | None:
    """Predicted and true IoU of the mask taken for the first prompt, where all are known."""
    if not all("predicted" in record for record in records):
        return None
    predicted = [[max(own) for own in record["predicted"]] for record in records]
    return Told.of(predicted, [_after_prompt(record, 1) for record in records])


def _after_prompt(record: JSON, count: int) -> list[float]:
    """Each object's IoU after a number of prompts; one that got fewer keeps its last."""
    return [iou[min(count, len(iou)) - 1] for iou in record["iou"]]
