"""Text: segment every instance of a noun phrase, and nothing where the image has none.

Promptable concept segmentation: Carion et al., SAM 3: Segment Anything with Concepts (arXiv
2511.16719), section 5 and appendix E.3.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from sambench.data.json_input import read
from sambench.data.json_masks import check_runs, read_run_lengths
from sambench.errors import UserError
from sambench.files import as_text, write_json
from sambench.interfaces import (
    JSON,
    Dataset,
    Embedding,
    Estimator,
    Layer,
    Masks,
    Metric,
    Model,
    Prompts,
    Sample,
    Task,
)
from sambench.masks import rle
from sambench.metrics import concepts
from sambench.options import Range
from sambench.truths import Concepts, Instances

from ._coco_results import read_all
from ._elsewhere import require_size, told_twice
from ._numbering import read_numbered


@dataclass(frozen=True)
class Named:
    """What was found in one image.

    Attributes:
        asked: A indices of phrases of the truth.
        phrases: the A phrases.
        rles: for each of them, the run-length encodings of the masks that count.
        scores: for each of them, the scores of these masks.
    """

    asked: tuple[int, ...]
    phrases: tuple[str, ...]
    rles: tuple[tuple[JSON, ...], ...]
    scores: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Told:
    """Masks of one image from a file of all: what was asked is known with the truth.

    Attributes:
        id: of the image.
        masks: phrase -> run-length encodings and scores of the masks that count.
    """

    id: str
    masks: Mapping[str, tuple[tuple[JSON, ...], tuple[float, ...]]]


@dataclass(frozen=True)
class Text(Task):
    """Noun phrases, present in the image or not, and all their instances: cgF1.

    Attributes:
        min_score: predictions of at least this score count.
        negatives: number of phrases asked per image that it does not show; -1 asks all.
        seed: of the draw of negatives.
    """

    min_score: Annotated[float, Range(0, 1)] = 0.5
    negatives: Annotated[int, Range(-1)] = -1
    seed: Annotated[int, Range(0)] = 0

    truth: ClassVar[type] = Concepts
    metrics = (
        Metric("cgF1", "classification-gated F1: pmF1 times IL_MCC", "percent", signed=True),
        Metric("pmF1", "micro F1 of masks over positive pairs, IoU .50:.05:.95", "percent"),
        Metric(
            "IL_MCC", "Matthews correlation of predicted and true presence", decimals=2, signed=True
        ),
        Metric("IL_precision", "precision of predicted presence", "percent"),
        Metric("IL_recall", "recall of predicted presence", "percent"),
        Metric("IL_F1", "F1 of predicted presence", "percent"),
        Metric(
            "IL_FPR",
            "negative pairs for which anything is predicted",
            "percent",
            higher_is_better=False,
        ),
        Metric(
            "positive_macro_F1",
            "mean F1 of the positive pairs that have a prediction, IoU .50:.05:.95",
            "percent",
        ),
        *(
            Metric(f"cgF1@{at}", f"classification-gated F1 at IoU .{at}", "percent", signed=True)
            for at in (50, 75)
        ),
        *(
            Metric(f"pmF1@{at}", f"micro F1 of masks over positive pairs at IoU .{at}", "percent")
            for at in (50, 75)
        ),
    )
    needs = frozenset({"texts"})
    paper: ClassVar[str] = (
        "sambench run --task text --model hf:facebook/sam3,text=true --dataset saco_gold"
    )
    facts: ClassVar[Mapping[str, Any]] = {
        "cgF1": "pmF1 * IL_MCC, as fractions; the paper prints it times 100",
        "pmF1": "micro F1 of masks over the positive pairs of image and phrase, so false positives "
        "on negative pairs count in IL_MCC alone; mean over IoU .50:.05:.95",
        "matching": "one to one, maximising the sum of IoU",
        "IL_MCC": "Matthews correlation of presence; any mask makes a pair predicted positive",
        "positive_macro_F1": "F1 of the positive pairs, summed, over those that have a prediction",
        "annotators": "of several, the one of best mean F1, the first of equal ones; both empty is "
        "perfect; all counts are against that one",
        "epsilon": "1e-4 in the denominators of precision, recall and F1; 1e-6 at image level",
        "exhaustive": "phrases of which instances may be unmarked are not asked",
        "IoU": "at the image's original size, logits > 0; an empty mask is a false positive",
    }

    def check_images(self, dataset: Dataset, ids: Sequence[str]) -> None:
        """Refuse a dataset whose phrases are the names of categories, and that has none."""
        has_categories = type(dataset).categories is not Dataset.categories
        if Instances in dataset.truths and has_categories and not dataset.categories:
            raise UserError(
                f"dataset {dataset.card.name} lists no categories, whose names are the phrases of "
                "the task text; add them to its annotations."
            )

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Named:
        """All masks of sufficient score for each phrase, as many phrases as the model likes."""
        truth: Concepts = sample.truth
        asked = self._asked(truth, sample.id)
        phrases = tuple(truth.phrases[i] for i in asked)
        found: list[tuple[tuple[JSON, ...], tuple[float, ...]]] = []
        for start in range(0, len(phrases), model.prompt_batch):
            prompts = Prompts(texts=phrases[start : start + model.prompt_batch])
            answer = model.predict(embedding, prompts, multimask=True)
            found += [_counting(answer, row, self.min_score) for row in range(len(prompts))]
        rles, scores = tuple(rles for rles, _ in found), tuple(scores for _, scores in found)
        return Named(asked, phrases, rles, scores)

    def _asked(self, truth: Concepts, id: str) -> tuple[int, ...]:
        """Indices of the phrases that are asked, in their order."""
        shown = np.array([any(map(len, own)) for own in truth.annotations], dtype=bool)
        positives = np.flatnonzero(shown & truth.exhaustive)
        absent = np.flatnonzero(~shown & truth.exhaustive)
        if 0 <= self.negatives < len(absent):
            rng = np.random.default_rng((self.seed, zlib.crc32(id.encode())))
            absent = rng.choice(absent, self.negatives, replace=False)
        return tuple(sorted([*positives.tolist(), *absent.tolist()]))

    def score(self, prediction: Named | Told, truth: Concepts) -> JSON:
        """For each phrase how many masks there are, were found, and match at each threshold."""
        if isinstance(prediction, Told):
            prediction = self._named(prediction, truth)
        for index, phrase in zip(prediction.asked, prediction.phrases, strict=True):
            if index >= len(truth.phrases) or truth.phrases[index] != phrase:
                raise UserError(
                    f"the prediction answers {phrase!r} as phrase {index}, which the image does "
                    "not have; give predictions of this dataset."
                )
        for phrase, own in zip(prediction.phrases, prediction.rles, strict=True):
            require_size(f"the answer to {phrase!r}", own, truth.size)
        pairs = [
            {"phrase": phrase, **concepts.pair_record(found, truth.annotations[index])}
            for index, phrase, found in zip(
                prediction.asked, prediction.phrases, prediction.rles, strict=True
            )
        ]
        return {"pairs": pairs, "left_out": len(truth.phrases) - len(pairs)}

    def _named(self, told: Told, truth: Concepts) -> Named:
        """The answers to the phrases that are asked of an image; others are left out."""
        asked = self._asked(truth, told.id)
        phrases = tuple(truth.phrases[i] for i in asked)
        found = [told.masks.get(phrase, ((), ())) for phrase in phrases]
        rles, scores = tuple(rles for rles, _ in found), tuple(scores for _, scores in found)
        return Named(asked, phrases, rles, scores)

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """cgF1 and its parts."""
        return concepts.concept_f1([record["pairs"] for record in records])

    def layers(self, prediction: Named) -> Mapping[str, Layer]:
        """The masks of all phrases."""
        return {"Prediction": Layer(masks=[mask for own in prediction.rles for mask in own])}

    def save(self, prediction: Named, stem: Path) -> Path:
        """Write the masks as JSON with COCO run lengths."""
        path = stem.with_name(stem.name + ".json")
        write_json(path, as_text(vars(prediction)), sync=False)
        return path

    def load(self, stem: Path) -> Named:
        """Read what `save` wrote.

        Raises:
            UserError: the file is missing or something else.
        """
        at = read(stem.with_name(stem.name + ".json"))
        asked = tuple(each.whole(0) for each in at["asked"].items())
        phrases = tuple(each.text() for each in at["phrases"].items())
        masks, scores = (at[name].items() for name in ("rles", "scores"))
        if not len(asked) == len(phrases) == len(masks) == len(scores):
            at.fail("has lists of unequal length", "give an entry of each for every phrase")
        rles = tuple(tuple(map(read_run_lengths, own.items())) for own in masks)
        for own, read_ones in zip(masks, rles, strict=True):
            check_runs(zip(own.items(), read_ones, strict=True))
        return Named(asked, phrases, rles, tuple(tuple(own.numbers()) for own in scores))

    def load_all(self, path: Path, dataset: Dataset) -> Mapping[str, Told]:
        """Read COCO results JSON of all images; a category's name is its phrase.

        A dataset whose annotation files list pairs of image and phrase has results by the id of the
        pair, as the evaluator of SA-Co takes them.
        """
        found: dict[str, dict[str, list[tuple[JSON, float]]]] = {id: {} for id in dataset.ids}
        for id, phrase, mask, score in _results(path, dataset):
            if not 0 <= score <= 1:
                raise UserError(
                    f"{path} has the score {score:g}, of {phrase!r} in image {id}; write scores "
                    f"from 0 to 1, of which those of at least {self.min_score:g} count."
                )
            if score >= self.min_score:
                found[id].setdefault(phrase, []).append((mask, score))
        return {
            id: Told(id, {p: tuple(zip(*pairs, strict=True)) for p, pairs in masks.items()})  # type: ignore[misc]
            for id, masks in found.items()
        }


@runtime_checkable
class Paired(Protocol):
    """A dataset whose results name pairs of image and phrase instead of images and categories."""

    phrases: Mapping[str, tuple[str, str]]
    """Id of a pair -> id of the image, and phrase."""


def _results(path: Path, dataset: Dataset) -> Iterator[tuple[str, str, JSON, float]]:
    """Image, phrase, mask and score of each result of a file."""
    if isinstance(dataset, Paired):
        for pair, found in told_twice(read_all(path, dataset.phrases, dataset), path).items():
            id, phrase = dataset.phrases[pair]
            for mask, score in zip(found.detections.rles, found.detections.scores, strict=True):
                yield id, phrase, mask, float(score)
        return
    phrases = concepts.phrases(dataset.categories)
    if not phrases:
        raise UserError(
            f"dataset {dataset.card.name} names its phrases by no category, so that a file of "
            "results cannot; give a folder with one prediction per image."
        )
    for id, found in told_twice(read_numbered(path, dataset), path).items():
        masks = found.detections
        for mask, score, category in zip(
            masks.rles, masks.scores, masks.categories.tolist(), strict=True
        ):
            yield id, phrases[category], mask, float(score)


def _counting(answer: Masks, row: int, least: float) -> tuple[tuple[JSON, ...], tuple[float, ...]]:
    """The masks of one phrase whose score is at least so much, the best first, and their scores."""
    scores = answer.iou[row].double().cpu().numpy()
    order = np.argsort(-scores, kind="stable")
    kept = order[scores[order] >= least]
    logits, iou = answer.logits[row][kept], answer.iou[row][kept]
    masks = Masks(logits[:, None], iou[:, None], answer.size, answer.resize).binary()[:, 0]
    return tuple(rle.encode(masks)), tuple(scores[kept].tolist())
