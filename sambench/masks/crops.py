"""Overlapping crops of an image, and masks and boxes brought from a crop to the image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from sambench.masks.transfer import upload

EDGE = 20
"""A box this near to the edge of a crop, in pixels, is likely cut off by it."""


@dataclass(frozen=True)
class Crop:
    """A part of an image, or all of it.

    Attributes:
        box: x0, y0, x1, y1 in pixels, the last ones excluded.
        image: (H, W) of the image.
    """

    box: tuple[int, int, int, int]
    image: tuple[int, int]

    @classmethod
    def whole(cls, size: tuple[int, int]) -> Crop:
        """All of an image of size (H, W)."""
        return cls((0, 0, size[1], size[0]), size)

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the crop."""
        return self.box[3] - self.box[1], self.box[2] - self.box[0]

    def uncrop_masks(self, masks: Tensor) -> Tensor:
        """Masks (n, h, w) of the crop -> (n, H, W) of the image."""
        if self.size == self.image:
            return masks
        (height, width), (x0, y0, x1, y1) = self.image, self.box
        return F.pad(masks, (x0, width - x1, y0, height - y1))

    def uncrop_boxes(self, boxes: Tensor) -> Tensor:
        """Boxes (n, 4) of the crop -> of the image."""
        return boxes + upload(np.array(self.box[:2] * 2), boxes.device)

    def holds(self, boxes: Tensor) -> Tensor:
        """(n,) bool: boxes (n, 4) of the image that do not touch an edge where it is cut off."""
        crop = upload(np.array(self.box), boxes.device)
        edges = upload(np.array([0, 0, *self.image[::-1]]), boxes.device)
        cut = ((boxes - crop).abs() <= EDGE) & ((boxes - edges).abs() > EDGE)
        return ~cut.any(dim=1)


def crop_boxes(
    size: tuple[int, int], layers: int, overlap: float
) -> list[tuple[int, tuple[int, int, int, int]]]:
    """The whole image and overlapping crops of it, column by column in each layer.

    Args:
        size: (H, W) of the image.
        layers: layer i has 2**i x 2**i crops.
        overlap: of crops of the first layer, as a part of the shorter side; half of it in the next.

    Returns:
        (layer, XYXY) of each.
    """
    height, width = size
    boxes = [(0, (0, 0, width, height))]
    for layer in range(1, layers + 1):
        n = 2**layer
        shared = int(overlap * min(size) * (2 / n))
        w, h = (math.ceil((shared * (n - 1) + side) / n) for side in (width, height))
        corners = [(i * (w - shared), j * (h - shared)) for i in range(n) for j in range(n)]
        boxes += [(layer, (x, y, min(x + w, width), min(y + h, height))) for x, y in corners]
    return boxes
