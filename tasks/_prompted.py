"""Segments prompted one by one and laid over each other: what panoptic and semantic share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.files import read_json, write_json
from sambench.interfaces import JSON, Embedding, Layer, Model, Prompts, Sample, Task
from sambench.masks import rle
from sambench.masks.clicks import first_click
from sambench.truths import Segments

from ._label_files import read_labels, write_labels

Prompt = Literal["box", "point"]
Choice = Literal["single", "confident"]
Top = Literal["confident", "small"]


@dataclass(frozen=True)
class PromptedTask(Task):
    """A task whose answer is a partition of the image.

    Attributes:
        prompt: the tight box of a segment, or a click at its centre.
        mask: the model's single answer, or the most confident of several.
        top: which of two masks lies above the other: that of the higher predicted IoU, or the
            smaller one.
    """

    prompt: Prompt = "box"
    mask: Choice = "confident"
    top: Top = "confident"

    truth: ClassVar[type] = Segments

    @property
    def needs(self) -> frozenset[str]:
        """Kind of prompt that these options use."""
        return frozenset({"boxes" if self.prompt == "box" else "points"})

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts, that of the click where there is one."""
        return {k: v for k, v in self.facts.items() if k != "click" or self.prompt == "point"}

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Segments:
        """One mask for each segment, laid over each other."""
        return answered(model, embedding, sample.truth, self.prompt, self.mask, self.top)

    def layers(self, prediction: Segments) -> Mapping[str, Layer]:
        """The masks of all segments."""
        return {"Prediction": prediction.layer()}

    def save(self, prediction: Segments, stem: Path) -> Path:
        """Write a PNG of labels and a JSON of what they are."""
        return save_segments(prediction, stem)

    def load(self, stem: Path) -> Segments:
        """Read what `save` wrote."""
        return load_segments(stem)


def answered(
    model: Model, embedding: Embedding, truth: Segments, prompt: Prompt, mask: Choice, top: Top
) -> Segments:
    """Prompt for each segment that is not a crowd region, and lay the masks over each other.

    Args:
        model: answers the prompts.
        embedding: of the image.
        truth: whose segments are asked for.
        prompt: the tight box of a segment, or the click at its centre.
        mask: the model's single answer, or the most confident of several.
        top: which mask lies above: that of the higher predicted IoU, or the smaller one.

    Returns:
        Segments with the categories of the truth; one that others hide, or whose mask is empty, is
        left out. Pixels that no mask covers are void.
    """
    asked = np.flatnonzero(~truth.crowd)
    rles: list[JSON] = []
    iou = np.zeros(len(asked))
    for start in range(0, len(asked), model.prompt_batch):
        part = slice(start, start + model.prompt_batch)
        prompts = _prompts([truth.mask(int(i)) for i in asked[part]], prompt)
        answer = model.predict(embedding, prompts, multimask=mask != "single").most_confident()
        rles += rle.encode(answer.binary()[:, 0])
        iou[part] = answer.iou[:, 0].double().cpu().numpy()
    above = iou if top == "confident" else -rle.areas(rles) if rles else iou
    labels = np.zeros(truth.size, dtype=np.int64)
    for place in np.argsort(above, kind="stable"):
        labels[rle.decode([rles[place]])[0]] = asked[place] + 1
    return _of_labels(labels, truth)


def _prompts(masks: Sequence[NDArray[np.bool_]], prompt: Prompt) -> Prompts:
    """One prompt for each mask."""
    if prompt == "box":
        return Prompts(boxes=rle.boxes(rle.encode(np.stack(masks))))
    clicks = [first_click(mask) for mask in masks]
    points = np.array([[click[:2]] for click in clicks if click], dtype=np.float64)
    return Prompts(points=points, labels=np.ones((len(points), 1), dtype=np.int64))


def _of_labels(labels: NDArray[np.int64], truth: Segments) -> Segments:
    """Labels that are numbers of the truth's segments -> segments without gaps."""
    kept = np.unique(labels[labels > 0])
    dense = np.where(labels > 0, np.searchsorted(kept, labels) + 1, 0)
    index = kept - 1
    return Segments(
        labels=dense,
        categories=truth.categories[index],
        things=truth.things[index],
        crowd=np.zeros(len(index), dtype=bool),
        ids=tuple(truth.ids[i] for i in index) if truth.ids else (),
    )


def save_segments(segments: Segments, stem: Path) -> Path:
    """Write the labels as a PNG and what they are as JSON; returns the JSON."""
    write_labels(segments.labels.astype(np.int32), stem)
    path = stem.with_name(stem.name + ".json")
    content = {
        "categories": segments.categories.tolist(),
        "things": segments.things.tolist(),
        "ids": list(segments.ids),
    }
    write_json(path, content, sync=False)
    return path


def load_segments(stem: Path) -> Segments:
    """Read what `save_segments` wrote.

    Raises:
        UserError: a file is missing or damaged, or the two do not belong together.
    """
    path = stem.with_name(stem.name + ".json")
    content, labels = read_json(path), read_labels(stem).astype(np.int64)
    try:
        categories = np.array(content["categories"], dtype=np.int64)
        things = np.array(content["things"], dtype=bool)
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} lists no segments ({error!r}); save them again.") from None
    if len(categories) != len(things) or labels.max(initial=0) > len(categories):
        raise UserError(f"{path} lists fewer segments than its PNG has; save them again.")
    crowd = np.zeros(len(categories), dtype=bool)
    return Segments(labels, categories, things, crowd, tuple(content.get("ids", ())))
