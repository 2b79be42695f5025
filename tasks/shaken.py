"""Shaken: how much masks depend on where exactly a prompt lies.

A person's box is not the annotated one, nor a click the exact centre. Each object is prompted with
its box or a click at its centre, and with the same prompt moved at random, several times for each
of several sizes of the shake; the image is embedded once. Boxes whose sides move by a part of their
length are what Segment Anything was trained with (Kirillov et al., 2023, appendix A, by Gaussian
noise), boxes that grow by pixels what MedSAM was (Ma et al., Segment Anything in Medical Images,
Nature Communications 2024).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.files import as_text, read_json, write_json
from sambench.interfaces import (
    JSON,
    Curve,
    Dataset,
    Embedding,
    Estimator,
    Histogram,
    Layer,
    Marks,
    Metric,
    Model,
    Prompts,
    Sample,
    Task,
)
from sambench.masks.clicks import first_click
from sambench.masks.rle import decode, encode
from sambench.metrics.iou import iou
from sambench.metrics.statistics import by_group, ratios
from sambench.options import Range
from sambench.truths import Instances

from ._around import around
from ._clicking import Target, targets_of
from ._objects import SINGLE, category_counts, iou_histogram, require_objects

Floats = NDArray[np.float64]
Shake = Literal["sides", "outward", "click"]


@dataclass(frozen=True)
class Answers:
    """What the model made of N objects of an image.

    Attributes:
        objects: N indices into the truth's instances.
        prompts: per object P prompts: a box x0, y0, x1, y1, or a point x, y; that which lies still,
            then all draws of the smallest shake, and so on.
        masks: per object the P masks taken, as run lengths.
    """

    objects: list[int]
    prompts: list[list[list[float]]]
    masks: list[list[JSON]]


@dataclass(frozen=True)
class Shaken(Task):
    """Boxes or clicks that are moved at random: the mean, the worst and the spread of their masks.

    Attributes:
        shake: sides: each side of the annotated box moves by up to a part of the box's width or
            height, uniformly; outward: each moves outward by up to so many whole pixels,
            uniformly; click: a click is drawn from the object around its centre, by a Gaussian
            whose deviation is a part of the square root of the object's area.
        most: the largest shake: a part, or pixels of outward.
        steps: how many sizes there are, evenly spaced up to the largest.
        draws: prompts for each object and size.
        mask: the most confident of three, or the single one.
        seed: of the draws.
    """

    shake: Shake = "sides"
    most: Annotated[float, Range(above=0)] = 0.2
    steps: Annotated[int, Range(1)] = 4
    draws: Annotated[int, Range(1)] = 5
    mask: Literal["confident", "single"] = "confident"
    seed: Annotated[int, Range(0)] = 0

    truth: ClassVar[type] = Instances
    paper: ClassVar[str] = (
        "sambench run --task shaken --shake outward --most 20 --model sam_vit_b --dataset coco"
    )
    facts: ClassVar[Mapping[str, Any]] = {
        "IoU": "at the image's original size, logits > 0; an object with an empty mask is left out",
        "box": "stays in the image and a pixel wide; the same draws are scaled to every size",
        "click": "pixel farthest from the boundary, exact Euclidean, the image border is boundary",
    }

    @property
    def needs(self) -> frozenset[str]:
        """Kind of prompt that these options use."""
        return frozenset({"points" if self.shake == "click" else "boxes"})

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts of boxes, or those of clicks."""
        apart = "box" if self.shake == "click" else "click"
        return {k: v for k, v in self.facts.items() if k != apart}

    @property
    def sizes(self) -> tuple[float, ...]:
        """The shakes, ascending."""
        return tuple(self.most * (step + 1) / self.steps for step in range(self.steps))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Of the largest shake, then of each size."""
        largest = f"a shake of {self.most:g}"
        return (
            Metric("mIoU", f"mean IoU over objects and draws, {largest}", "percent"),
            Metric("mIoU_still", "mean IoU over objects of prompts that lie still", "percent"),
            Metric(
                "mIoU_worst", f"mean over objects of the worst draw's IoU, {largest}", "percent"
            ),
            Metric(
                "spread",
                f"standard deviation of IoU over an object's draws, mean over objects, {largest}",
                "percent",
                higher_is_better=False,
            ),
            *(
                Metric(f"{name}@{size:g}", f"{words}, a shake of {size:g}", "percent")
                for size in self.sizes[:-1]
                for name, words in (
                    ("mIoU", "mean IoU over objects and draws"),
                    ("mIoU_worst", "mean over objects of the worst draw's IoU"),
                )
            ),
        )

    def check_images(self, dataset: Dataset, ids: Sequence[str]) -> None:
        """Refuse images without a single object."""
        require_objects(dataset, ids, SINGLE)

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Answers:
        """All prompts of all objects, as many at a time as the model likes."""
        objects, targets = targets_of(sample.id, sample.truth, crowd=False)
        own = [self._prompts(target) for target in targets]
        if not own:
            return Answers([], [], [])
        every, masks = np.concatenate(own), list[JSON]()
        for start in range(0, len(every), model.prompt_batch):
            part = every[start : start + model.prompt_batch]
            prompts = (
                Prompts(points=part[:, None], labels=np.ones((len(part), 1), dtype=np.int64))
                if self.shake == "click"
                else Prompts(boxes=part)
            )
            answer = model.predict(embedding, prompts, multimask=self.mask == "confident")
            masks += encode(answer.most_confident().binary()[:, 0])
        each = 1 + self.steps * self.draws
        rows = [masks[start : start + each] for start in range(0, len(masks), each)]
        return Answers(objects, [prompts.tolist() for prompts in own], rows)

    def _prompts(self, target: Target) -> Floats:
        """The prompt that lies still and all draws, (1 + steps * draws, 4), or 2 of clicks."""
        rng = np.random.default_rng((self.seed, *target.key))
        ways: dict[str, Callable[[], tuple[Floats, Callable[[float], Floats]]]] = {
            "sides": lambda: _sides(target, rng.uniform(-1, 1, (self.draws, 4))),
            "outward": lambda: _outward(target, rng.random((self.draws, 4))),
            "click": lambda: _clicks(target, rng.random(self.draws)),
        }
        still, moved = ways[self.shake]()
        return np.concatenate([still[None], *map(moved, self.sizes)])

    def score(self, prediction: Answers, truth: Instances) -> JSON:
        """IoU of each object's masks: of the prompt that lies still, and of each size's draws."""
        rows = []
        for index, masks in zip(prediction.objects, prediction.masks, strict=True):
            found = iou(truth.mask(index)[None], decode(masks), truth.ignore)
            rows.append((float(found[0]), found[1:].reshape(self.steps, -1).tolist()))
        return {
            "objects": [truth.ids[i] for i in prediction.objects],
            "areas": [float(truth.areas[i]) for i in prediction.objects],
            "categories": [int(truth.categories[i]) for i in prediction.objects],
            "still": [still for still, _ in rows],
            "iou": [draws for _, draws in rows],
            "left_out": len(truth) - len(prediction.objects),
        }

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """Means over objects: still, and the mean and worst of each size, and the spread."""
        values = {"mIoU_still": [record["still"] for record in records]}
        for step, size in enumerate(self.sizes):
            at = "" if step == self.steps - 1 else f"@{size:g}"
            draws = [[own[step] for own in record["iou"]] for record in records]
            values[f"mIoU{at}"] = [[float(np.mean(own)) for own in image] for image in draws]
            values[f"mIoU_worst{at}"] = [[min(own) for own in image] for image in draws]
            if not at:
                values["spread"] = [[float(np.std(own)) for own in image] for image in draws]
        return ratios(values)

    def by_category(self, records: Sequence[JSON]) -> Estimator:
        """Mean IoU of the largest shake over the objects of each category."""
        values = [[float(np.mean(own[-1])) for own in record["iou"]] for record in records]
        return by_group([record["categories"] for record in records], values)

    def category_counts(self, records: Sequence[JSON]) -> Mapping[str, int]:
        """Objects of each category."""
        return category_counts(records)

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve | Histogram]:
        """Mean and worst of the draws against the shake; the IoU of prompts that lie still."""
        measured = self.estimator(records)(np.ones(len(records)))
        units = {
            "outward": "pixels outward",
            "sides": "part of a side",
            "click": "part of the root of the area",
        }
        labels = {
            "mIoU": ("mIoU-shake", "mIoU, mean of the draws"),
            "mIoU_worst": ("worst-shake", "mIoU, worst of the draws"),
        }
        drawn = [
            Curve(
                title,
                (0.0, *self.sizes),
                (
                    measured["mIoU_still"],
                    *(measured[f"{name}@{size:g}"] for size in self.sizes[:-1]),
                    measured[name],
                ),
                x_label=f"shake, {units[self.shake]}",
                y_label=words,
                unit="percent",
            )
            for name, (title, words) in labels.items()
        ]
        return [*drawn, iou_histogram(value for record in records for value in record["still"])]

    def layers(self, prediction: Answers) -> Mapping[str, Layer]:
        """The masks of prompts that lie still, and of the last draw of the largest shake."""
        return {
            "Prediction": Layer(masks=[own[0] for own in prediction.masks]),
            "Shaken": Layer(masks=[own[-1] for own in prediction.masks]),
        }

    def asked(self, prediction: Answers, truth: Instances) -> Layer:
        """The masks of the objects that were asked for."""
        return Layer(masks=[truth.rles[i] for i in prediction.objects])

    def marks(self, record: JSON, prediction: Answers | None, truth: Instances) -> Marks:
        """The prompts that lie still."""
        still = [own[0] for own in prediction.prompts] if prediction else []
        if self.shake == "click":
            return Marks(clicks=[[(x, y, True)] for x, y in still])
        return Marks(boxes=still)

    def save(self, prediction: Answers, stem: Path) -> Path:
        """Write prompts and masks as JSON with COCO run lengths."""
        path = stem.with_name(stem.name + ".json")
        write_json(path, as_text(vars(prediction)), sync=False)
        return path

    def load(self, stem: Path) -> Answers:
        """Read what `save` wrote."""
        return Answers(**read_json(stem.with_name(stem.name + ".json")))


def _sides(target: Target, drawn: Floats) -> tuple[Floats, Callable[[float], Floats]]:
    """The box, and it with each side moved by draws (K, 4) from -1 to 1 times a part of a side."""
    x0, y0, x1, y1 = target.box
    scale = np.array([x1 - x0, y1 - y0] * 2)
    return target.box, lambda size: _kept(target.box + drawn * size * scale, target.size)


def _outward(target: Target, drawn: Floats) -> tuple[Floats, Callable[[float], Floats]]:
    """The box, and it grown by whole pixels from 0 to a size, of draws (K, 4) from 0 to below 1."""
    out = np.array([-1, -1, 1, 1])

    def moved(size: float) -> Floats:
        return _kept(target.box + out * np.floor(drawn * (math.floor(size) + 1)), target.size)

    return target.box, moved


def _kept(boxes: Floats, size: tuple[int, int]) -> Floats:
    """Boxes (K, 4) within an image (H, W), their corners in order and a pixel apart."""
    height, width = size
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    low = low.clip(0, np.array([width, height]) - 1)
    high = np.maximum(high.clip(0, [width, height]), low + 1)
    return np.concatenate([low, high], axis=1)


def _clicks(target: Target, drawn: Floats) -> tuple[Floats, Callable[[float], Floats]]:
    """The centre, and pixels of the object around it, of draws (K,) from 0 to below 1."""
    click = first_click(target.mask)
    assert click is not None  # objects without a pixel are left out
    centre = np.array([click.x, click.y], dtype=np.float64)
    return centre, around((click.x, click.y), target.mask, drawn)
