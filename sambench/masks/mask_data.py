"""Masks found in one image with what is known of each, and the buffer that gathers them."""

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
from sambench.masks.crops import Crop


@dataclass(frozen=True)
class MaskData:
    """N masks found in one image, with what is known of each.

    Attributes:
        iou: (N,) float32, as the model predicts it.
        stability: (N,) float32; NaN where it was not computed or nothing is above -offset.
        boxes: (N, 4) float32 XYXY in pixels of the image: first and last pixel of the mask; zeros
            for an empty one.
        points: (N, 2) float64 x, y, the prompt, in pixels of the image.
        crops: (N, 4) int64 XYXY, the crop of the image that the mask is from.
        logits: N low-resolution logits (h, w) on the model's device, if they were to be kept.
        rles: N run-length encodings at the size of the image, if they were to be kept.
    """

    iou: NDArray[np.float32]
    stability: NDArray[np.float32]
    boxes: NDArray[np.float32]
    points: NDArray[np.float64]
    crops: NDArray[np.int64]
    logits: tuple[Tensor, ...] = ()
    rles: tuple[JSON, ...] = ()

    def __len__(self) -> int:
        return len(self.iou)

    def take(self, index: NDArray[np.int64]) -> MaskData:
        """The masks of an index (K,), in its order."""
        return MaskData(
            self.iou[index],
            self.stability[index],
            self.boxes[index],
            self.points[index],
            self.crops[index],
            tuple(self.logits[i] for i in index) if self.logits else (),
            tuple(self.rles[i] for i in index) if self.rles else (),
        )


def joined(parts: Sequence[MaskData]) -> MaskData:
    """The masks of one or more crops of an image as one."""
    return MaskData(
        np.concatenate([part.iou for part in parts]),
        np.concatenate([part.stability for part in parts]),
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.crops for part in parts]),
        tuple(logits for part in parts for logits in part.logits),
        tuple(encoded for part in parts for encoded in part.rles),
    )


class MaskBuffer:
    """Memory for the masks of a grid, allocated before the first of them is there.

    Were the small arrays of each mask allocated in between the large ones that come and go, the
    heap would be fragmented: by several gigabytes on a grid of 64 x 64.

    Args:
        most: how many masks there may be.
        crop: what the grid lies on.
    """

    def __init__(self, most: int, crop: Crop) -> None:
        self._count, self._crop = 0, crop
        self._iou, self._stability = np.empty((2, most), np.float32)
        self._boxes, self._points = np.empty((most, 4), np.float32), np.empty((most, 2))
        self._logits: list[Tensor] = []
        self._texts, self._ends = bytearray(), np.zeros(most + 1, np.int64)

    def append(
        self,
        iou: Tensor,
        stability: Tensor,
        boxes: Tensor,
        points: NDArray[Any],
        *,
        logits: Tensor | None = None,
        masks: Tensor | None = None,
    ) -> None:
        """Add n masks, see `MaskData`; all calls give logits, or all give masks.

        Args:
            iou: (n,) float.
            stability: (n,) float.
            boxes: (n, 4).
            points: (n, 2) float.
            logits: (n, h, w) float, which are kept as they are.
            masks: (n, H, W) bool at the size of the image, which are kept as run lengths.
        """
        rows = slice(self._count, self._count + len(points))
        self._iou[rows], self._stability[rows] = iou.float().cpu(), stability.cpu()
        self._boxes[rows], self._points[rows] = boxes.float().cpu(), points
        if logits is not None:
            self._logits += list(logits)
        if masks is not None:
            for index, encoded in enumerate(rle.encode(masks), start=self._count + 1):
                self._texts += encoded["counts"]
                self._ends[index] = len(self._texts)
        self._count += len(points)

    def data(self) -> MaskData:
        """All masks that were added, in that order."""
        n, size = self._count, list(self._crop.image)
        texts = (bytes(self._texts[start:end]) for start, end in pairwise(self._ends[: n + 1]))
        rles = tuple({"size": size, "counts": text} for text in texts) if self._texts else ()
        return MaskData(
            self._iou[:n],
            self._stability[:n],
            self._boxes[:n],
            self._points[:n],
            np.tile(np.array(self._crop.box, np.int64), (n, 1)),
            tuple(self._logits),
            rles,
        )
