"""What the baselines share: models that need no training and give one plain mask a prompt."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON, Masks, Model, ModelCard, Prompts

from ._given import check_image, check_prompts


@dataclass(frozen=True)
class Seen:
    """An image (H, W, 3) uint8 and what a baseline computed of it once."""

    image: NDArray[np.uint8]
    known: Any

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.image.shape[0], self.image.shape[1]


class Baseline(Model):
    """A model without weights; subclasses say what they make of one prompt.

    There is one candidate for each prompt, of predicted IoU 0.5: a baseline does not know how good
    it is.
    """

    name: ClassVar[str]
    citation: ClassVar[str] = ""
    prompt_batch = 16  # masks have the size of the image

    def __init__(self) -> None:
        self.card = ModelCard(
            name=self.name,
            preprocessing=self.settings(),
            licence="Apache-2.0",
            citation=self.citation,
            family="baseline",
        )

    def settings(self) -> str:
        """The settings that affect its predictions, in words, for the model card."""
        return "the image as it is"

    def study(self, image: NDArray[np.uint8]) -> Any:
        """What is computed once for an image."""
        del image
        return None

    @abstractmethod
    def segment(self, seen: Seen, prompt: Prompts) -> NDArray[np.bool_]:
        """The mask (H, W) bool of one prompt."""

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[Seen]:
        """Check images, each (H, W, 3) uint8 RGB, and compute what is needed once per image."""
        for image in images:
            check_image(image)
        return [Seen(image, self.study(image)) for image in images]

    def predict(self, embedding: Seen, prompts: Prompts, *, multimask: bool) -> Masks:
        """Segment each prompt: one candidate of predicted IoU 0.5, also with multimask."""
        del multimask
        import torch

        check_prompts(self, prompts)
        found = [self.segment(embedding, prompts[i : i + 1]) for i in range(len(prompts))]
        masks = torch.from_numpy(np.stack(found))[:, None]
        iou = torch.full((len(found), 1), 0.5)
        return Masks(masks.float() * 2 - 1, iou, embedding.size, lambda logits: logits)


class PromptFree(Baseline):
    """A baseline that finds proposals or boundaries by itself and takes no prompts."""

    prompts = frozenset[str]()

    def segment(self, seen: Seen, prompt: Prompts) -> NDArray[np.bool_]:
        """Refuse any prompt.

        Raises:
            UserError: always.
        """
        del seen, prompt
        raise UserError(f"model {self.card.name} takes no prompts; choose another model.")


def clicks(prompt: Prompts, size: tuple[int, int]) -> list[tuple[int, int, int]]:
    """The clicks of one prompt without padding: row, column, label, moved into the image."""
    assert prompt.points is not None
    assert prompt.labels is not None
    labelled = zip(np.rint(prompt.points[0]).astype(int), np.asarray(prompt.labels)[0], strict=True)
    height, width = size
    return [
        (int(np.clip(y, 0, height - 1)), int(np.clip(x, 0, width - 1)), int(label))
        for (x, y), label in labelled
        if label >= 0
    ]


def clicked(regions: NDArray[np.int64], prompt: Prompts) -> NDArray[np.bool_]:
    """The regions (H, W) that foreground clicks hit and background clicks do not, (H, W) bool."""
    points = clicks(prompt, (regions.shape[0], regions.shape[1]))
    hit = {regions[y, x] for y, x, label in points if label}
    missed = {regions[y, x] for y, x, label in points if not label}
    return np.isin(regions, list(hit - missed))


def as_proposals(masks: Sequence[NDArray[np.bool_]]) -> tuple[list[JSON], NDArray[np.float64]]:
    """Distinct masks (H, W) in their order -> run lengths, and scores that fall along the order."""
    from sambench.masks.rle import encode

    encoded = encode(np.stack(masks)) if masks else []
    distinct = list({rle["counts"]: rle for rle in encoded}.values())
    return distinct, np.linspace(1, 0, len(distinct), endpoint=False)
