"""What a SAM is taught about texts: embeddings, and the objects of an image that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from sambench.errors import UserError
from sambench.interfaces import Dataset
from sambench.masks.rle import boxes, decode, encode
from sambench.truths import Concepts, Instances

from .._hub import stated_preprocessing
from .._texts import TextEncoder, templated
from ..clip_rank import MEAN, STD
from .crops import crop, image_embeddings
from .objects import LARGEST, Objects, choose
from .text_recipe import TextRecipe

T = TypeVar("T")
SMALLEST = 100**2
"""Objects of fewer pixels have no crop to learn from (Kirillov et al., 2023, appendix D.5)."""


@dataclass(frozen=True)
class Taught:
    """What is taught with one image.

    Attributes:
        objects: P of them.
        texts: (P, D) embeddings of length 1 that stand for them.
        absent: (N, D) embeddings of what the image does not show.
    """

    objects: Objects
    texts: Tensor
    absent: Tensor


class Source(Protocol):
    """Where texts and objects come from."""

    def __call__(
        self, id: str, read: Callable[[], NDArray[np.uint8]], most: int, random: Generator
    ) -> Taught:
        """Draw at most so many objects of an image, which is read only if need be."""


@dataclass(frozen=True)
class Phrases:
    """A phrase stands for all that it names in an image, taken together.

    Phrases of which instances may be unmarked are left out, and so is what covers more than 90 % of
    the image. Of several annotators the first counts.
    """

    dataset: Dataset
    encoder: TextEncoder
    template: str
    negatives: int

    def __call__(
        self, id: str, read: Callable[[], NDArray[np.uint8]], most: int, random: Generator
    ) -> Taught:
        """Draw phrases that the image shows, and some that it does not."""
        del read
        truth = self.dataset.read_truth(id, Concepts)
        found: dict[str, NDArray[np.bool_]] = {}
        absent = []
        for phrase, own, whole in zip(
            truth.phrases, truth.annotations, truth.exhaustive, strict=True
        ):
            if whole and not any(own):
                absent.append(phrase)
            elif whole and own[0]:
                mask = np.asarray(decode(own[0]).any(axis=0))
                if 0 < mask.sum() <= LARGEST * mask.size:
                    found[phrase] = mask
        shown = _some(list(found), most, random)
        masks = np.array([found[phrase] for phrase in shown], bool).reshape(-1, *truth.size)
        objects = Objects(masks, boxes(encode(masks)), np.ones(truth.size, bool))
        unshown = _some(absent, self.negatives, random)
        return Taught(objects, self._embedded(shown), self._embedded(unshown))

    def _embedded(self, phrases: list[str]) -> Tensor:
        if not phrases:
            return torch.zeros(0, self.encoder.width)
        return self.encoder(templated(self.template, phrases))


@dataclass(frozen=True)
class Crops:
    """What CLIP sees of an object of at least 100 x 100 pixels stands for that object."""

    dataset: Dataset
    encoder: TextEncoder
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(
        self, id: str, read: Callable[[], NDArray[np.uint8]], most: int, random: Generator
    ) -> Taught:
        """Draw objects and how each is cropped."""
        every = choose(self.dataset.read_truth(id, Instances), 10**9, random)
        large = np.flatnonzero(every.masks.sum(axis=(1, 2)) >= SMALLEST).tolist()
        objects = every.take(np.array(_some(large, most, random), np.int64))
        none = torch.zeros(0, self.encoder.width)
        if not len(objects):
            return Taught(objects, none, none)
        image, net = read(), self.encoder.net
        side, device = net.config.vision_config.image_size, net.device
        pairs = [
            crop(image, mask, box, side, random)
            for mask, box in zip(objects.masks, objects.boxes, strict=True)
        ]
        pixels, inside = (
            torch.from_numpy(np.stack(part)).to(device) for part in zip(*pairs, strict=True)
        )
        mean, std = torch.tensor(self.mean).to(device), torch.tensor(self.std).to(device)
        normal = ((pixels.float() / 255 - mean) / std).permute(0, 3, 1, 2)
        return Taught(objects, image_embeddings(net, normal, inside), none)


def _some(items: list[T], most: int, random: Generator) -> list[T]:
    """At most so many of a list, drawn, in its order."""
    if len(items) <= most:
        return items
    return [items[i] for i in sorted(random.choice(len(items), most, replace=False))]


def source_of(recipe: TextRecipe, dataset: Dataset, encoder: TextEncoder) -> Source:
    """Where a recipe takes its texts from.

    Raises:
        UserError: the dataset or the encoder does not have what the recipe needs.
    """
    if recipe.text_source == "phrases":
        if Concepts not in dataset.truths:
            raise UserError(
                f"dataset {dataset.card.name} knows no phrases; give coco, lvis, saco or scenes, "
                "or --text-source crops."
            )
        return Phrases(dataset, encoder, recipe.text_template, recipe.text_negatives)
    if Instances not in dataset.truths:
        raise UserError(f"dataset {dataset.card.name} has no object masks to train on.")
    if not encoder.clip:
        raise UserError(
            f"{encoder.name} sees no images, which --text-source crops needs; give a CLIP, or "
            "--text-source phrases."
        )
    stated = stated_preprocessing(recipe.text, {})
    mean, std = stated.get("image_mean", MEAN), stated.get("image_std", STD)
    return Crops(dataset, encoder, tuple(mean), tuple(std))
