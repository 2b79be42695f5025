"""Upper bound: the truth of a dataset, given as answers; shows what a protocol can reach."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset, Masks, Model, ModelCard, Prompts
from sambench.masks.rle import decode
from sambench.shown import BOUND
from sambench.truths import Boundaries, Concepts, Instances

from ._baseline import Seen, clicks
from ._given import check_image, check_prompts


class Oracle(Model):
    """Answers prompts with the annotated mask that fits them best: no model, a bound.

    A box takes the mask whose own box overlaps it most; clicks take the smallest mask that holds
    all foreground and no background clicks, or fails at the fewest. A phrase takes all its masks of
    the first annotator, where the dataset knows phrases. Images are recognised by their pixels.

    Args:
        dataset: the dataset that it is to be run on, by name: oracle:dataset=mini; a semicolon
            between its options.

    Raises:
        UserError: there is no such dataset.
    """

    prompts = frozenset({"points", "boxes"})
    prompt_batch = 16

    def __init__(self, dataset: str = "mini") -> None:
        from sambench.registry import load

        self.dataset: Dataset = load("dataset", dataset.replace(";", ","))
        self._unread = iter(self.dataset.ids)
        self._ids: dict[str, str] = {}
        if Concepts in self.dataset.truths:
            self.prompts = self.prompts | {"texts"}
        self.card = ModelCard(
            name="oracle",
            weights_sha256=self.dataset.fingerprint,
            preprocessing=f"the annotations of {self.dataset.card.name}",
            licence=self.dataset.card.licence,
            family=BOUND,
        )

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[Seen]:
        """Recognise images.

        Raises:
            UserError: an image is not of the dataset, or the dataset has no masks.
        """
        return [Seen(image, self._masks(self._id(image))) for image in images]

    def _masks(self, id: str) -> NDArray[np.bool_]:
        if Instances not in self.dataset.truths:
            return np.zeros((0, 1, 1), dtype=bool)
        return self.dataset.read_truth(id, Instances).masks()

    def _id(self, image: NDArray[np.uint8]) -> str:
        check_image(image)
        wanted = _digest(image)
        while wanted not in self._ids:
            id = next(self._unread, None)
            if id is None:
                raise UserError(
                    f"an image is not of dataset {self.dataset.card.name}, whose truth oracle "
                    "tells; give oracle:dataset= the dataset of the run."
                )
            self._ids[_digest(self.dataset.read_image(id))] = id
        return self._ids[wanted]

    def predict(self, embedding: Seen, prompts: Prompts, *, multimask: bool) -> Masks:
        """The annotated masks that fit each prompt best: three with multimask, else one."""
        check_prompts(self, prompts)
        if prompts.texts is not None:
            return self._named(embedding, prompts.texts)
        masks: NDArray[np.bool_] = embedding.known
        if not len(masks):
            masks = np.zeros((1, *embedding.size), dtype=bool)
        ranked = [self._ranked(masks, prompts[i : i + 1]) for i in range(len(prompts))]
        count = 3 if multimask else 1
        index = np.stack([np.resize(order[:count], count) for order in ranked])
        logits = torch.from_numpy(masks[index]).float() * 2 - 1
        iou = torch.linspace(1, 0.5, 3)[:count].repeat(len(ranked), 1)
        return Masks(logits, iou, embedding.size, partial(torch.Tensor.clone))

    def _named(self, seen: Seen, texts: Sequence[str]) -> Masks:
        """The masks of all asked phrases; only those of its own have score 1 for a phrase."""
        truth = self.dataset.read_truth(self._id(seen.image), Concepts)
        first = {p: own[0] for p, own in zip(truth.phrases, truth.annotations, strict=True)}
        owned = [(row, rle) for row, text in enumerate(texts) for rle in first.get(text, ())]
        masks = torch.zeros(max(len(owned), 1), *seen.size)
        scores = torch.zeros(len(texts), len(masks))
        if owned:
            masks = torch.from_numpy(decode([rle for _, rle in owned])).float()
            scores[[row for row, _ in owned], range(len(owned))] = 1
        logits = (masks * 2 - 1).expand(len(texts), *masks.shape)
        return Masks(logits, scores, seen.size, partial(torch.Tensor.clone))

    def _ranked(self, masks: NDArray[np.bool_], prompt: Prompts) -> NDArray[np.int64]:
        """Indices of the masks (N, H, W), the best fit first; the smaller of equal ones."""
        misfit = np.zeros(len(masks))
        if prompt.boxes is not None:
            misfit -= _box_overlaps(masks, prompt.boxes[0])
        if prompt.points is not None:
            for y, x, label in clicks(prompt, (masks.shape[1], masks.shape[2])):
                misfit += masks[:, y, x] != bool(label)
        return np.lexsort((masks.sum(axis=(1, 2)), misfit))

    def propose(self, image: NDArray[np.uint8]) -> tuple[Sequence[JSON], NDArray[np.float64]]:
        """All annotated masks, all of score 1."""
        truth = self.dataset.read_truth(self._id(image), Instances)
        return list(truth.rles), np.ones(len(truth))

    def boundaries(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W) in 0 to 1: how many of the annotators drew a boundary there."""
        truth = self.dataset.read_truth(self._id(image), Boundaries)
        agreed: NDArray[np.float32] = np.mean(truth.annotators, axis=0, dtype=np.float32)
        return agreed


def _digest(image: NDArray[np.uint8]) -> str:
    return hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()


def _box_overlaps(masks: NDArray[np.bool_], box: NDArray[Any]) -> NDArray[np.float64]:
    """IoU of a box with the tight box of each mask, (N,)."""
    return np.array([_iou(tight, box) for tight in _tight(masks)])


def _tight(masks: NDArray[np.bool_]) -> Iterator[tuple[float, ...]]:
    for mask in masks:
        x, y = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        yield (x[0], y[0], x[-1] + 1, y[-1] + 1) if len(x) else (0, 0, 0, 0)


def _iou(a: Sequence[float], b: NDArray[Any]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(common / (areas - common)) if common else 0.0
