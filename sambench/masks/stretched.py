"""An image stretched to a square, as HQ-SAM's evaluation shows it to the model.

Image and label go to 1024 x 1024 by bilinear interpolation, whatever their shape, and the decoder's
logits straight back to the size of the label (Ke et al., Segment Anything in High Quality, 2023,
the released evaluation).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from sambench.masks.upsampling import Upsampling
from sambench.prompts import Masks

SIDE = 1024
THRESHOLD = 128
"""What of a grey label is brighter is the object."""


def stretch(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) or (H, W) uint8 -> 1024 x 1024, without antialiasing, fractions cut off."""
    return _stretched(image).astype(np.uint8)


def _stretched(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    planes = torch.from_numpy(np.atleast_3d(image)).permute(2, 0, 1)[None].float()
    square = F.interpolate(planes, (SIDE, SIDE), mode="bilinear")[0].permute(1, 2, 0)
    values: NDArray[np.float32] = square.numpy()
    return values if image.ndim == 3 else values[..., 0]


def box_of(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The box of a stretched label, first and last pixel, in pixels of the image.

    Args:
        grey: (H, W) uint8, brighter than 128 where the object is.

    Returns:
        (4,) XYXY; of the whole image where nothing of the object is left.
    """
    inside = _stretched(grey) > THRESHOLD
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    ends = (columns[0], rows[0], columns[-1], rows[-1]) if len(rows) else (0, 0, SIDE, SIDE)
    height, width = grey.shape
    box: NDArray[np.float64] = np.array(ends, np.float64) * (width, height, width, height) / SIDE
    return box


def to_square(boxes: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Boxes (N, 4) XYXY in pixels of an image (H, W) -> in pixels of the square."""
    height, width = size
    square: NDArray[np.float64] = boxes / np.array([width, height, width, height]) * SIDE
    return square


def from_square(answer: Masks, size: tuple[int, int]) -> Masks:
    """An answer on the square as one of the image (H, W)."""
    height, width = answer.logits.shape[2:]
    resize = Upsampling(size, (((height, width), size),))
    return Masks(answer.logits, answer.iou, size, resize)
