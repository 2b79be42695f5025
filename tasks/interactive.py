"""Interactive segmentation: how many clicks until an object is right (NoC@90).

The protocol of RITM (Sofiiuk et al., 2021) and SimpleClick (Liu et al., 2023), with SAM as in
SegNext (Liu et al., 2024): all clicks so far, the previous logits, the most confident of three.
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
    Metric,
    Model,
    Sample,
)
from sambench.masks.rle import decode
from sambench.metrics.interactive import clicks_needed, iou_after, mean_curve
from sambench.metrics.iou import iou
from sambench.metrics.statistics import TOTAL, Statistic, by_group, ratios
from sambench.options import Range
from sambench.truths import Instances

from ._clicking import Choice, Clicked, ClickTask, Right, Rules, click_on_all
from ._objects import SINGLE, iou_histogram, require_objects
from ._surface import FACTS, declared, object_scores, object_values

TARGETS = (80, 85, 90, 95)
MAIN = 90
CURVE = (1, 3, 5, 10, 20)


def _clicks(target: int) -> Metric:
    return Metric(
        f"NoC@{target}",
        f"mean number of clicks until an object reaches IoU .{target}",
        "clicks",
        higher_is_better=False,
    )


def _failures(target: int) -> Metric:
    return Metric(
        f"NoF@{target}",
        f"objects that do not reach IoU .{target} before the last click",
        "objects",
        higher_is_better=False,
    )


def _overlap(clicks: int) -> Metric:
    return Metric(
        f"mIoU@{clicks}",
        f"mean IoU over objects after {clicks} click{'s' if clicks > 1 else ''}",
        "percent",
        group="clicks",
        member=str(clicks),
        of="mIoU",
    )


@dataclass(frozen=True)
class Interactive(ClickTask):
    """Click on the larger error until the mask is right, at most 20 times.

    Attributes:
        clicks: most clicks for each object.
        stop: an object that has reached this IoU gets no more clicks; above 1, all are made, so
            that mIoU@k is the true curve.
        mask: the mask taken: always the most confident; the single one; or the most confident for
            the first click and the single one after.
        feedback: give the previous logits back with the next click.
        repeat: whether a pixel may be clicked twice.
        no_error: where no error is left to click on, or none that was not clicked before, an object
            keeps its mask, or gets a negative click at (0, 0).
        shake: how far clicks miss the centre that they aim at: each is drawn from the pixels of the
            error around it, by a Gaussian whose deviation is this part of the square root of the
            error's area; 0: they hit it.
        seed: of the draws.
        surface: also measure Dice, NSD and HD95 of the mask after the last click, NSD within this
            tolerance: in pixels, or in the unit of the dataset's spacing.
    """

    clicks: Annotated[int, Range(1)] = 20
    stop: Annotated[float, Range(0)] = 0.95
    mask: Choice = "confident"
    feedback: bool = True
    repeat: bool = False
    no_error: Right = "stop"
    shake: Annotated[float, Range(0)] = 0.0
    seed: Annotated[int, Range(0)] = 0
    surface: Annotated[float | None, Range(0)] = None

    truth: ClassVar[type] = Instances
    metrics = (
        *map(_clicks, (MAIN, *(target for target in TARGETS if target != MAIN))),
        *map(_overlap, CURVE),
        *map(_failures, TARGETS),
        *declared("objects, after the last click"),
    )
    scoring: ClassVar[frozenset[str]] = frozenset({"surface"})
    paper: ClassVar[str] = "sambench run --task interactive --model sam_vit_b --dataset davis345"
    facts: ClassVar[Mapping[str, Any]] = {
        "click": "centre of the larger of missed and extra region, exact Euclidean, the image "
        "border is boundary, ties negative",
        "IoU": "at the image's original size, logits > 0, without the pixels to be ignored",
        "NoC": "first click at which the IoU is reached, the limit where it never is",
        "mIoU@k": "an object that has stopped keeps its last IoU",
        **FACTS,
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "ritm": {"no_error": "corner"},
        "segnext": {"stop": 2.0, "no_error": "corner"},
        "sam": {"mask": "confident-then-single", "repeat": True},
    }

    @property
    def needs(self) -> frozenset[str]:
        """Kinds of prompt that these options use."""
        return frozenset({"points", "masks"} if self.feedback else {"points"})

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts, that of an object that has stopped where one may, contours where asked for."""
        never = self.stop > 1 and self.no_error == "corner"
        apart = {*(["mIoU@k"] if never else []), *(FACTS if self.surface is None else {})}
        return {k: v for k, v in self.facts.items() if k not in apart}

    def check_images(self, dataset: Dataset, ids: Sequence[str]) -> None:
        """Refuse images without a single object."""
        require_objects(dataset, ids, SINGLE)

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Clicked:
        """Click on every object until it is right."""
        rules = Rules(
            mask=self.mask, feedback=self.feedback, repeat=self.repeat, stop=self.stop,
            no_error=self.no_error, shake=self.shake, seed=self.seed,
        )  # fmt: skip
        return click_on_all(model, embedding, sample.id, sample.truth, rules, self.clicks)

    def score(self, prediction: Clicked, truth: Instances) -> JSON:
        """IoU after each click, for each object."""
        return {
            "objects": [truth.ids[i] for i in prediction.objects],
            "areas": [float(truth.areas[i]) for i in prediction.objects],
            "categories": [int(truth.categories[i]) for i in prediction.objects],
            "iou": [
                iou(truth.mask(index)[None], decode(masks), truth.ignore).tolist()
                for index, masks in zip(prediction.objects, prediction.masks, strict=True)
            ],
            "clicks": prediction.clicks,
            "left_out": len(truth) - len(prediction.objects),
            **object_scores(
                truth, prediction.objects, [own[-1] for own in prediction.masks], self.surface
            ),
        }

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """NoC and NoF at each target, mIoU after k clicks, contours after the last."""
        needed = {target: self._needed(records, target) for target in TARGETS}
        means: dict[str, list[list[float]]] = {f"NoC@{t}": needed[t] for t in TARGETS}
        for count in (k for k in CURVE if k <= self.clicks):
            means[f"mIoU@{count}"] = [[iou_after(o, count) for o in r["iou"]] for r in records]
        mean = ratios(means | object_values(records, [[o[-1] for o in r["iou"]] for r in records]))
        failed = {
            f"NoF@{t}": np.array([sum(n >= self.clicks for n in image) for image in needed[t]])
            for t in TARGETS
        }

        def estimate(counts: NDArray[np.float64]) -> dict[str, float]:
            return {**mean(counts), **{name: float(f @ counts) for name, f in failed.items()}}

        return Statistic(estimate, None, dict.fromkeys(failed, TOTAL))

    def _needed(self, records: Sequence[JSON], target: int) -> list[list[float]]:
        """For each image and object the clicks until an IoU of so many percent."""
        return [
            [clicks_needed(ious, target / 100, self.clicks) for ious in record["iou"]]
            for record in records
        ]

    def by_category(self, records: Sequence[JSON]) -> Estimator:
        """NoC@90 of the objects of each category."""
        return by_group([r["categories"] for r in records], self._needed(records, MAIN))

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve | Histogram]:
        """Mean IoU after each click, and the IoU of all objects after the first."""
        objects = [ious for record in records for ious in record["iou"]]
        curve = Curve(
            "mIoU-clicks",
            tuple(range(1, self.clicks + 1)),
            tuple(mean_curve(objects, self.clicks).tolist()),
            x_label="clicks",
            y_label="mIoU",
            unit="percent",
        )
        return curve, iou_histogram(ious[0] for ious in objects)
