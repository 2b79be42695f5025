"""One image's simulated interactions: the network is prompted, corrected, and learns each time.

Kirillov et al., "Segment Anything", 2023, appendix A, "Training algorithm". What the paper leaves
open is chosen here: the loss is taken on the network's own grid of masks (256 x 256), without its
padding; clicks and IoU are those of the masks at the image's size; no gradient goes back through
the mask that is fed back; a box alone is answered with a single mask, as its two corners are two
points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from sambench.interfaces import Masks

from ..nn.sam import SamNet, input_size, to_input_pixels, upsampling
from ..nn.text_projection import TextProjection, with_texts
from .losses import Terms, losses
from .objects import Objects, grid_valid, on_grid
from .simulation import correction, later_rounds, noised_box, point_in


@dataclass(frozen=True)
class Prompted:
    """What P users have told so far, in pixels of the original image.

    Attributes:
        points: (P, K, 2) x, y.
        labels: (P, K) 1 foreground, 0 background.
        boxes: (P, 4) XYXY, or None.
        masks: (P, 1, s, s) logits of the previous answer, or None.
        texts: (P, D) embeddings of length 1 of the texts they gave, or None.
    """

    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float64] | None = None
    masks: Tensor | None = None
    texts: Tensor | None = None

    @property
    def ambiguous(self) -> bool:
        """Whether one point or text is all that was told: the network then gives three masks."""
        told = self.points.shape[1] + (self.texts is not None)
        return told == 1 and self.boxes is None and self.masks is None


class Round(NamedTuple):
    """What a round of P users gives: losses, and (P,) IoU of the masks they looked at."""

    number: int
    terms: Terms
    quality: NDArray[np.float64]


class Answer(NamedTuple):
    """The network's answer to P prompts: (P, C, s, s), (P, C), and (P, C, H, W) bool."""

    logits: Tensor
    iou: Tensor
    binary: NDArray[np.bool_]


def decode(
    net: SamNet,
    features: Tensor,
    prompts: Prompted,
    size: tuple[int, int],
    projection: TextProjection | None = None,
) -> tuple[Tensor, Tensor]:
    """Answer prompts with gradients.

    Args:
        net: the network.
        features: (1, C, h, w) of the image.
        prompts: of P users.
        size: (H, W) of the image.
        projection: of texts to tokens, where there are texts.

    Returns:
        Logits (P, 3 or 1, s, s) and predicted IoU (P, 3 or 1), float32.
    """
    encoder, side = net.prompt_encoder, net.prompt_encoder.image_size
    given: dict[str, Tensor] = {} if prompts.masks is None else {"masks": prompts.masks}
    if prompts.points.shape[1]:
        points = to_input_pixels(prompts.points, size, side)
        given["points"] = torch.from_numpy(points).to(features.device)
        given["labels"] = torch.from_numpy(prompts.labels).to(features.device)
    if prompts.boxes is not None:
        corners = to_input_pixels(prompts.boxes.reshape(-1, 2, 2), size, side)
        given["boxes"] = torch.from_numpy(corners.reshape(-1, 4)).to(features.device)
    if prompts.texts is None:
        sparse, dense = encoder(**given)
    else:
        assert projection is not None
        sparse, dense = with_texts(encoder, projection(prompts.texts), given)
    no_mask = encoder.no_mask() if dense is None else None
    prepared = net.mask_decoder.prepare(features, encoder.dense_positions(), no_mask)
    logits, iou = net.mask_decoder(prepared, sparse, dense, multimask=prompts.ambiguous)
    return logits.float(), iou


@dataclass(frozen=True)
class Interaction:
    """Sessions with one image.

    Attributes:
        net: the network.
        clicks: how many corrections follow the first prompt.
        chunk: how many users at a time: bounds memory.
        every_iou: see `losses`.
        arithmetic: context in which the network computes.
        projection: of texts to tokens, where texts are given.
    """

    net: SamNet
    clicks: int
    chunk: int
    every_iou: bool
    arithmetic: AbstractContextManager[object]
    projection: TextProjection | None = None

    def rounds(
        self, features: Tensor, objects: Objects, random: Generator, seeds: Sequence[int]
    ) -> Iterator[Round]:
        """Rounds of all users, whose losses are to be backpropagated before the next is taken.

        Args:
            features: (1, C, h, w) of the image.
            objects: N objects, one user each.
            random: of the image: the order of the rounds.
            seeds: what the users' own generators start from, with the number of each.
        """
        schedule = later_rounds(self.clicks, random)
        users = [np.random.default_rng([*seeds, number]) for number in range(len(objects))]
        boxed = np.array([user.random() < 0.5 for user in users], bool)
        for group, first in (
            (np.flatnonzero(~boxed), first_points),
            (np.flatnonzero(boxed), first_boxes),
        ):
            for start in range(0, len(group), self.chunk):
                rows = group[start : start + self.chunk]
                some, own = [users[row] for row in rows], objects.take(rows)
                yield from self._interact(features, own, some, schedule, first(own, some))

    def text_rounds(
        self,
        features: Tensor,
        objects: Objects,
        texts: Tensor,
        random: Generator,
        seeds: Sequence[int],
    ) -> Iterator[Round]:
        """As `rounds`, of users who begin with a text each; without clicks there is one round.

        Args:
            features: (1, C, h, w) of the image.
            objects: N objects, one user each.
            texts: (N, D) embeddings of length 1.
            random: of the image: the order of the rounds.
            seeds: what the users' own generators start from, with the number of each.
        """
        schedule = later_rounds(self.clicks, random) if self.clicks else ()
        users = [np.random.default_rng([*seeds, number]) for number in range(len(objects))]
        for start in range(0, len(objects), self.chunk):
            part = slice(start, start + self.chunk)
            first = Prompted(*no_points(len(texts[part])), texts=texts[part])
            own = objects.take(part)
            yield from self._interact(features, own, users[part], schedule, first)

    def _interact(
        self,
        features: Tensor,
        objects: Objects,
        users: Sequence[Generator],
        schedule: Sequence[bool],
        prompts: Prompted,
    ) -> Iterator[Round]:
        """All rounds of some users, from their first prompts on."""
        side = self.net.prompt_encoder.image_size // 4
        valid = grid_valid(objects.valid, side)
        target = on_grid(objects.masks, side)[:, valid].to(features.device)
        seen = np.zeros_like(objects.masks)
        for number, click in enumerate((False, *schedule)):
            if click:
                prompts = corrected(prompts, seen, objects, users)
            answer = self._answer(features, prompts, objects.size)
            actual = intersection_over_union(answer.binary, objects)
            pixels = answer.logits[..., valid.to(features.device)]  # (P, C, n)
            goal = torch.from_numpy(actual).to(answer.iou)
            terms = losses(pixels, target, answer.iou, goal, every_iou=self.every_iou)
            best = answer.iou.detach().argmax(dim=1).cpu().numpy()
            rows = np.arange(len(best))
            seen = answer.binary[rows, best]
            prompts = replace(prompts, masks=answer.logits.detach()[rows, best][:, None])
            yield Round(number, terms, actual[rows, best])

    def _answer(self, features: Tensor, prompts: Prompted, size: tuple[int, int]) -> Answer:
        side = self.net.prompt_encoder.image_size
        with self.arithmetic:
            logits, iou = decode(self.net, features, prompts, size, self.projection)
        with torch.no_grad():
            resize = upsampling(input_size(*size, side), size, logits.shape[-1], side)
            binary = Masks(logits.detach(), iou.detach(), size, resize).binary()
        return Answer(logits, iou, binary)


def first_points(objects: Objects, users: Sequence[Generator]) -> Prompted:
    """A foreground point for each of P objects, uniform in its mask."""
    drawn = [point_in(mask, user) for mask, user in zip(objects.masks, users, strict=True)]
    return Prompted(np.array(drawn, np.float64)[:, None], np.ones((len(drawn), 1), np.int64))


def first_boxes(objects: Objects, users: Sequence[Generator]) -> Prompted:
    """A noised box for each of P objects."""
    pairs = zip(objects.boxes, users, strict=True)
    boxes = np.array([noised_box(box, objects.size, user) for box, user in pairs])
    return Prompted(*no_points(len(boxes)), boxes)


def no_points(count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points (P, 0, 2) and labels (P, 0) of P users who gave none."""
    return np.zeros((count, 0, 2)), np.zeros((count, 0), np.int64)


def corrected(
    prompts: Prompted, seen: NDArray[np.bool_], objects: Objects, users: Sequence[Generator]
) -> Prompted:
    """The prompts with one more point each, where the masks (P, H, W) that were seen are wrong."""
    triples = zip(objects.masks, seen, users, strict=True)
    new = [correction(mask, was, user, objects.valid) for mask, was, user in triples]
    points = np.array([[[point.x, point.y]] for point in new], np.float64)
    labels = np.array([[point.positive] for point in new], np.int64)
    return replace(
        prompts,
        points=np.concatenate([prompts.points, points], axis=1),
        labels=np.concatenate([prompts.labels, labels], axis=1),
    )


def intersection_over_union(binary: NDArray[np.bool_], objects: Objects) -> NDArray[np.float64]:
    """IoU of candidates (P, C, H, W) with P objects, (P, C); only pixels that count."""
    truth = objects.masks[:, None]
    both = (binary & truth).sum(axis=(2, 3))
    either = ((binary | truth) & objects.valid).sum(axis=(2, 3))
    return np.asarray(both / np.maximum(either, 1), np.float64)
