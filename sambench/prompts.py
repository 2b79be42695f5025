"""What a model is asked of an embedded image, and what it answers.

Points are (x, y) and boxes (x0, y0, x1, y1) in pixels of the original image, see
`sambench.interfaces`. This module imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


BLANK = -2
"""Label of a point that is a token of zeros."""
KINDS = ("points", "boxes", "masks", "texts")
"""Kinds of prompt that people give. "blanks", points of no place, are a matter of two presets."""


@dataclass(frozen=True)
class Prompts:
    """B prompts for one image; each may combine points, a box and a mask.

    Attributes:
        points: (B, N, 2) float, (x, y) in pixels of the original image.
        labels: (B, N) int, 1 foreground, 0 background, -1 padding that is to be ignored, -2 a
            blank: a token of zeros, which EdgeSAM gives where it has no click.
        boxes: (B, 4) float, (x0, y0, x1, y1) in pixels of the original image.
        masks: (B, 1, h, w) low-resolution logits as the same model returned them in
            `Masks.logits`: array or tensor.
        texts: B noun phrases.
    """

    points: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None
    boxes: NDArray[Any] | None = None
    masks: Any | None = None
    texts: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        given = [len(part) for part in self._parts()]
        if not given or len(set(given)) != 1:
            raise ValueError(f"prompts of one batch need equal, known lengths, got {given}")
        if (self.points is None) != (self.labels is None):
            raise ValueError("points and labels go together: give both or neither")

    def _parts(self) -> Iterator[Any]:
        parts = (self.points, self.labels, self.boxes, self.masks, self.texts)
        return (part for part in parts if part is not None)

    def __len__(self) -> int:
        return len(next(self._parts()))

    def __getitem__(self, index: slice) -> Prompts:
        """The prompts of a slice of the batch."""

        def cut(part: Any) -> Any:
            return None if part is None else part[index]

        return Prompts(
            cut(self.points), cut(self.labels), cut(self.boxes), cut(self.masks), cut(self.texts)
        )

    def kinds(self) -> frozenset[str]:
        """Which kinds of prompt are present: points, boxes, masks, texts, blanks among points."""
        blank = self.labels is not None and bool((np.asarray(self.labels) == BLANK).any())
        named = {
            "blanks": True if blank else None,
            "points": self.points,
            "boxes": self.boxes,
            "masks": self.masks,
            "texts": self.texts,
        }
        return frozenset(name for name, part in named.items() if part is not None)


@dataclass(frozen=True)
class Masks:
    """A model's answer: C candidate masks for each of B prompts.

    Attributes:
        logits: (B, C, h, w) float tensor at the model's own resolution; > 0 is foreground.
        iou: (B, C) float tensor, the quality that the model predicts for each mask.
        size: (H, W) of the original image.
        resize: brings (n, h, w) logits to (n, H, W): the model's own un-padding and interpolation.
    """

    logits: Tensor
    iou: Tensor
    size: tuple[int, int]
    resize: Callable[[Tensor], Tensor]

    def at_image_size(self) -> Tensor:
        """Logits at the size of the original image, (B, C, H, W)."""
        flat = self.resize(self.logits.flatten(0, 1))
        return flat.reshape(*self.logits.shape[:2], *self.size)

    def binary(self) -> NDArray[np.bool_]:
        """Masks at the size of the original image, (B, C, H, W) bool: logits > 0."""
        from sambench.masks.upsampling import binary

        masks = binary(self.resize, self.logits.flatten(0, 1), self.size)
        return masks.reshape(*self.logits.shape[:2], *self.size)

    def take(self, channel: Tensor | NDArray[Any]) -> Masks:
        """Keep one candidate of each prompt: channel (B,) int -> Masks with C = 1."""
        import torch

        index = torch.as_tensor(channel, device=self.logits.device, dtype=torch.long)
        rows = torch.arange(len(index), device=self.logits.device)
        logits, iou = self.logits[rows, index], self.iou[rows, index]
        return Masks(logits[:, None], iou[:, None], self.size, self.resize)

    def most_confident(self) -> Masks:
        """Keep the candidate of highest predicted IoU of each prompt (the first of equal ones)."""
        return self.take(self.iou.argmax(dim=1))
