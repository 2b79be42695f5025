"""Cells: prompt for every object of a label image, again and again, and score the label image.

The evaluation of Segment Anything for Microscopy (Archit et al., Nature Methods 2025): after the
first prompt, each iteration adds one positive and one negative click; the masks are merged to one
label image, which is scored by segmentation accuracy.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

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
    Prompts,
    Sample,
)
from sambench.masks.clicks import Click
from sambench.masks.rle import decode, encode
from sambench.metrics import cells
from sambench.metrics.statistics import ratios
from sambench.options import Range
from sambench.truths import Instances

from ._cell_prompts import LabelImage, first_clicks, next_clicks
from ._clicking import Clicked, ClickTask
from ._objects import SINGLE, require_objects

REPORTED = (1, 2, 4, 8)
_MAIN = Metric(
    "mSA", "mean over images of TP / (TP + FP + FN), mean of IoU .50:.05:.95, at the end", "percent"
)


def _at(threshold: int) -> Metric:
    words = f"mean over images of TP / (TP + FP + FN) at IoU .{threshold}, at the end"
    return Metric(f"SA{threshold}", words, "percent")


def _after(count: int) -> Metric:
    return Metric(
        f"mSA@{count}",
        f"mSA after {count} iteration{'s' if count > 1 else ''}",
        "percent",
        group="iterations",
        member=str(count),
        of="mSA",
    )


@dataclass(frozen=True)
class Cells(ClickTask):
    """Segment all objects of a label image, correct them together, and score the label image.

    Attributes:
        first: the first prompt: clicks, or the object's box.
        iterations: how often the model is asked; each time after the first, one positive and one
            negative click are added.
        positives: positive clicks of the first prompt: the object's centre, then random pixels.
        negatives: negative clicks of the first prompt: random pixels around the object.
        feedback: give the previous logits back with the next clicks.
        seed: of the random clicks.
    """

    first: Literal["point", "box", "point-and-box"] = "point"
    iterations: Annotated[int, Range(1)] = 8
    positives: Annotated[int, Range(1)] = 1
    negatives: Annotated[int, Range(0)] = 0
    feedback: bool = False
    seed: Annotated[int, Range(0)] = 0

    truth: ClassVar[type] = Instances
    metrics = (_MAIN, _at(50), _at(75), *map(_after, REPORTED))
    paper: ClassVar[str] = "sambench run --task cells --model sam_vit_b --dataset folder:root=DIR"
    facts: ClassVar[Mapping[str, Any]] = {
        "mask": "the most confident of three for a single click without a box, else the single one",
        "centre": "pixel farthest from the boundary pixels of objects, exact Euclidean",
        "click": "positive: random in what was missed, or else in what was found; negative: random "
        "in what is extra, or else around the object, in its box and 3 pixels more",
        "merge": "larger masks lie above smaller ones; connected parts are objects",
        "SA": "one-to-one matching, TP / (TP + FP + FN) of each image, mean over images",
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "micro-sam": {},
        "micro-sam-box": {"first": "box"},
    }

    @property
    def needs(self) -> frozenset[str]:
        """Kinds of prompt that these options use."""
        kinds = {"points"} if self.first != "box" or self.iterations > 1 else set()
        kinds |= {"boxes"} if self.first != "point" else set()
        return frozenset(kinds | ({"masks"} if self.feedback and self.iterations > 1 else set()))

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts, those of clicks where they are made."""
        made = {"centre": self.first != "box", "click": self.iterations > 1}
        return {k: v for k, v in self.facts.items() if made.get(k, True)}

    def check_images(self, dataset: Dataset, ids: Sequence[str]) -> None:
        """Refuse images without a single object."""
        require_objects(dataset, ids, SINGLE)

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Clicked:
        """Prompt for every object, in each iteration."""
        image = LabelImage.of(sample.truth)
        objects = image.objects
        found = Clicked(
            objects, [[] for _ in objects], [[] for _ in objects], [[] for _ in objects]
        )
        name = zlib.crc32(sample.id.encode())
        keys = [(name, sample.truth.ids[i] & 0xFFFFFFFF) for i in objects]
        for start in range(0, len(objects), model.prompt_batch):
            part = range(start, min(start + model.prompt_batch, len(objects)))
            self._iterate(model, embedding, image, keys, part, found)
        return found

    def _iterate(
        self, model: Model, embedding: Embedding, image: LabelImage,
        keys: Sequence[tuple[int, int]], part: range, found: Clicked,
    ) -> None:  # fmt: skip
        """All iterations of some objects, added to what was found."""
        masks: NDArray[np.bool_] | None = None
        logits: Any = None
        for number in range(self.iterations):
            for row, place in enumerate(part):
                rng = np.random.default_rng((self.seed, *keys[place], number))
                if masks is None:
                    clicks = self._first(image, place, rng)
                else:
                    clicks = next_clicks(image, place, masks[row], rng)
                found.clicks[place] += [(c.x, c.y, c.positive) for c in clicks]
            prompts = self._prompts(image, part, found, logits if self.feedback else None)
            several = number == 0 and (self.first, self.positives, self.negatives) == (
                "point",
                1,
                0,
            )
            taken = model.predict(embedding, prompts, multimask=several).most_confident()
            masks, logits = taken.binary()[:, 0], taken.logits
            for place, rle in zip(part, encode(masks), strict=True):
                found.masks[place].append(rle)

    def _first(self, image: LabelImage, place: int, rng: np.random.Generator) -> list[Click]:
        if self.first == "box":
            return []
        return first_clicks(image, place, self.positives, self.negatives, rng)

    def _prompts(self, image: LabelImage, part: range, found: Clicked, logits: Any) -> Prompts:
        """All clicks so far, the boxes and the previous logits."""
        clicks = np.array([found.clicks[place] for place in part], dtype=np.float64)
        boxes = np.array([image.boxes[place] for place in part]) if self.first != "point" else None
        if not clicks.size:
            return Prompts(boxes=boxes, masks=logits)
        points, labels = clicks[..., :2], clicks[..., 2].astype(np.int64)
        return Prompts(points=points, labels=labels, boxes=boxes, masks=logits)

    def score(self, prediction: Clicked, truth: Instances) -> JSON:
        """True positives at each threshold after each iteration, and how many objects there are."""
        image = LabelImage.of(truth)
        true = cells.components(image.labels, diagonal=True)
        rounds = []
        for number in range(self.iterations):
            masks = decode([own[number] for own in prediction.masks])
            predicted = cells.components(merged(masks, truth.size), diagonal=False)
            positives = cells.true_positives(cells.overlaps(predicted, true))
            rounds.append({"tp": positives.tolist(), "predicted": int(predicted.max(initial=0))})
        return {
            "objects": [truth.ids[i] for i in prediction.objects],
            "categories": [int(truth.categories[i]) for i in prediction.objects],
            "true": int(true.max(initial=0)),
            "rounds": rounds,
            "clicks": prediction.clicks,
            "left_out": len(truth) - len(prediction.objects),
        }

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """Mean over images of the accuracy at the end, and of mSA after iterations."""
        values = {"mSA": [_scores(r, -1).mean() for r in records]}
        values |= {f"SA{t}": [_scores(r, -1)[i] for r in records] for t, i in ((50, 0), (75, 5))}
        for count in (k for k in REPORTED if k <= self.iterations):
            values[f"mSA@{count}"] = [_scores(r, count - 1).mean() for r in records]
        return ratios({name: [[v] if v == v else [] for v in own] for name, own in values.items()})

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve | Histogram]:
        """Mean accuracy after each iteration."""
        places = range(self.iterations)
        values = [[_scores(r, place).mean() for r in records] for place in places]
        means = [np.mean([v for v in own if v == v] or [np.nan]) for own in values]
        curve = Curve(
            "mSA-iterations",
            tuple(place + 1 for place in places),
            tuple(float(mean) for mean in means),
            x_label="iterations",
            y_label="mSA",
            unit="percent",
        )
        return (curve,)


def merged(masks: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.int64]:
    """Masks (N, H, W) as one label image (H, W): each takes what larger ones have left."""
    labels = np.zeros(size, dtype=np.int64)
    areas = np.count_nonzero(masks, axis=(1, 2)) if len(masks) else np.zeros(0)
    for value, index in enumerate(np.argsort(-areas, kind="stable"), 1):
        labels[masks[index] & (labels == 0)] = value
    return labels


def _scores(record: JSON, place: int) -> NDArray[np.float64]:
    """Accuracy of an image at each threshold, after an iteration."""
    own = record["rounds"][place]
    return cells.accuracy(np.array(own["tp"]), own["predicted"], record["true"])
