"""Masks that a grid of points found in an image, with what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sambench.interfaces import JSON
from sambench.masks import rle


@dataclass(frozen=True)
class Candidates:
    """N masks found in one image, with what is known of each.

    Attributes:
        iou: (N,) float32, as the model predicts it.
        stability: (N,) float32; NaN where it was not computed or nothing is above -offset.
        boxes: (N, 4) float32 XYXY in pixels of the image: first and last pixel of the mask; zeros
            for an empty one.
        points: (N, 2) float64 x, y, the prompt.
        logits: N low-resolution logits (h, w) on the model's device, if they were to be kept.
        rles: N run-length encodings at the size of the image, if they were to be kept.
    """

    iou: NDArray[np.float32]
    stability: NDArray[np.float32]
    boxes: NDArray[np.float32]
    points: NDArray[np.float64]
    logits: tuple[Tensor, ...] = ()
    rles: tuple[JSON, ...] = ()

    def __len__(self) -> int:
        return len(self.iou)

    def take(self, index: NDArray[np.int64]) -> Candidates:
        """The candidates of an index, in its order."""
        return Candidates(
            self.iou[index],
            self.stability[index],
            self.boxes[index],
            self.points[index],
            tuple(self.logits[i] for i in index) if self.logits else (),
            tuple(self.rles[i] for i in index) if self.rles else (),
        )


class Room:
    """Room for all masks of a grid, set aside before the first of them.

    Were what is small and stays allocated between what is large and goes, it would leave the heap
    full of holes: several gigabytes of them on a grid of 64 x 64.
    """

    def __init__(self, most: int, size: tuple[int, int]) -> None:
        self.count, self.size = 0, size
        self.iou, self.stability = np.empty((2, most), np.float32)
        self.boxes, self.points = np.empty((most, 4), np.float32), np.empty((most, 2))
        self.logits: list[Tensor] = []
        self.texts, self.ends = bytearray(), np.zeros(most + 1, np.int64)

    def add(self, iou: Tensor, stability: Tensor, boxes: Tensor, points: NDArray[Any]) -> None:
        """Put in what is known of n masks."""
        rows = slice(self.count, self.count + len(points))
        self.iou[rows], self.stability[rows] = iou.float().cpu(), stability.cpu()
        self.boxes[rows], self.points[rows] = boxes.float().cpu(), points

    def encode(self, masks: Tensor) -> None:
        """Put in the run lengths of masks (n, H, W) bool, the next ones."""
        for index, encoded in enumerate(rle.encode(masks), start=self.count + 1):
            self.texts += encoded["counts"]
            self.ends[index] = len(self.texts)

    def candidates(self) -> Candidates:
        """All that was put in."""
        n, size = self.count, list(self.size)
        texts = (bytes(self.texts[start:end]) for start, end in pairwise(self.ends[: n + 1]))
        rles = tuple({"size": size, "counts": text} for text in texts) if self.texts else ()
        return Candidates(
            self.iou[:n],
            self.stability[:n],
            self.boxes[:n],
            self.points[:n],
            tuple(self.logits),
            rles,
        )


def joined(parts: Sequence[Candidates]) -> Candidates:
    """The candidates of several crops as one."""

    def stacked(arrays: list[NDArray[np.float32]], *shape: int) -> NDArray[np.float32]:
        return np.concatenate([np.zeros((0, *shape), np.float32), *arrays])

    return Candidates(
        stacked([part.iou for part in parts]),
        stacked([part.stability for part in parts]),
        stacked([part.boxes for part in parts], 4),
        np.concatenate([np.zeros((0, 2)), *(part.points for part in parts)]),
        tuple(logits for part in parts for logits in part.logits),
        tuple(encoded for part in parts for encoded in part.rles),
    )
