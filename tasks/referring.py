"""Referring: segment what a sentence names, and nothing where it names nothing.

Referring expression segmentation (Hu et al., ECCV 2016), as LAVT (Yang et al., CVPR 2022) measures
it on RefCOCO, and its generalisation to several objects or none (GRES, Liu et al., CVPR 2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.data.expressions import Expressions
from sambench.data.json_input import read
from sambench.data.json_masks import check_runs, read_run_lengths
from sambench.errors import UserError
from sambench.files import as_text, write_json
from sambench.interfaces import (
    JSON,
    Embedding,
    Estimator,
    Histogram,
    Layer,
    Masks,
    Metric,
    Model,
    Prompts,
    Sample,
    Task,
)
from sambench.masks import rle
from sambench.metrics import referring
from sambench.options import Range

from ._elsewhere import refuse_unasked, require_size
from ._objects import iou_histogram


@dataclass(frozen=True)
class Answers:
    """What a model made of the P expressions of an image.

    Attributes:
        texts: the expressions.
        masks: of each the mask, as run lengths; without a pixel where nothing is answered.
    """

    texts: list[str]
    masks: list[JSON]


@dataclass(frozen=True)
class Referring(Task):
    """Expressions and the masks of what they name: cIoU, gIoU, and whether nothing is seen to be.

    Attributes:
        answer: best: the mask of the highest score, whatever that is; all: every mask of
            sufficient score, laid together, and nothing where there is none.
        min_score: the score that suffices for all.
    """

    answer: Literal["best", "all"] = "best"
    min_score: Annotated[float, Range(0, 1)] = 0.5

    truth: ClassVar[type] = Expressions
    metrics = (
        Metric("cIoU", "cumulative IoU: sum of intersections over sum of unions", "percent"),
        Metric("gIoU", "mean over expressions of the IoU, 1 if rightly nothing", "percent"),
        *(
            Metric(
                f"P@{t}", f"expressions that name something with an IoU of at least .{t}", "percent"
            )
            for t in referring.THRESHOLDS
        ),
        Metric("N_acc", "expressions that name nothing, answered so", "percent"),
        Metric("T_acc", "expressions that name something, answered by something", "percent"),
    )
    needs = frozenset({"texts"})
    paper: ClassVar[str] = (
        "sambench run --task referring --answer all --model hf:facebook/sam3,text=true "
        "--dataset refcoco"
    )
    facts: ClassVar[Mapping[str, Any]] = {
        "IoU": "at the image's original size, logits > 0, each wording of an expression by itself",
        "nothing": "an answer without a pixel; an answer where nothing is named adds its pixels to "
        "the unions of cIoU",
    }

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts."""
        return self.facts

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Answers:
        """One mask for each expression, as many expressions as the model likes at a time."""
        truth: Expressions = sample.truth
        masks: list[JSON] = []
        for start in range(0, len(truth.texts), model.prompt_batch):
            prompts = Prompts(texts=truth.texts[start : start + model.prompt_batch])
            answer = model.predict(embedding, prompts, multimask=True)
            rows = [self._taken(answer, row) for row in range(len(prompts))]
            masks += rle.encode(np.stack(rows))
        return Answers(list(truth.texts), masks)

    def _taken(self, answer: Masks, row: int) -> NDArray[np.bool_]:
        """The mask of one expression, (H, W) bool."""
        scores = answer.iou[row]
        if self.answer == "best":
            kept = scores.argmax(dim=0, keepdim=True)
        else:
            kept = (scores >= self.min_score).nonzero()[:, 0]
        if not len(kept):
            return np.zeros(answer.size, dtype=bool)
        logits = answer.logits[row][kept]
        one = Masks(logits[None], scores[kept][None], answer.size, answer.resize)
        merged: NDArray[np.bool_] = one.binary()[0].any(axis=0)
        return merged

    def score(self, prediction: Answers, truth: Expressions) -> JSON:
        """Of each expression the pixels in common and in either, what is named and answered."""
        if tuple(prediction.texts) != truth.texts:
            raise UserError(
                f"the prediction answers {len(prediction.texts)} expressions, which are not the "
                f"{len(truth.texts)} of the image; give predictions of this dataset and wording."
            )
        for text, own in zip(prediction.texts, prediction.masks, strict=True):
            require_size(f"the answer to {text!r}", [own], truth.size)
        answers = zip(prediction.masks, range(len(truth.texts)), strict=True)
        rows = [referring.pixels(rle.decode([own])[0], truth.target(i)) for own, i in answers]
        return {"pixels": [list(row) for row in rows]}

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """cIoU, gIoU, precisions, and accuracies of something and nothing."""
        return referring.estimator(records)

    def curves(self, records: Sequence[JSON]) -> Sequence[Histogram]:
        """The IoU of all expressions that name something."""
        rows = [row for record in records for row in record["pixels"] if row[2]]
        histogram = iou_histogram(common / either for common, either, *_ in rows)
        return (Histogram(histogram.name, histogram.edges, histogram.counts, "expressions"),)

    def layers(self, prediction: Answers) -> Mapping[str, Layer]:
        """The masks of all expressions."""
        return {"Prediction": Layer(masks=prediction.masks)}

    def save(self, prediction: Answers, stem: Path) -> Path:
        """Write expressions and masks as JSON with COCO run lengths."""
        path = stem.with_name(stem.name + ".json")
        write_json(path, as_text(vars(prediction)), sync=False)
        return path

    def load(self, stem: Path) -> Answers:
        """Read what `save` wrote, or the same made elsewhere.

        Raises:
            UserError: the file is missing or something else.
        """
        at = read(stem.with_name(stem.name + ".json"))
        texts, masks = at["texts"].items(), at["masks"].items()
        if len(texts) != len(masks):
            at.fail(f"has {len(masks)} masks of {len(texts)} texts", "give one mask for each text")
        rles = [read_run_lengths(mask) for mask in masks]
        check_runs(zip(masks, rles, strict=True))
        return Answers([text.text() for text in texts], rles)

    def surveyed(self, stems: Sequence[Path]) -> Referring:
        """Itself, if no option says how a model was asked that made predictions elsewhere."""
        del stems
        refuse_unasked(self, ("answer", "min_score"))
        return self
