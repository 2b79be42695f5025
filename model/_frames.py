"""How an image becomes the square input of a network, and masks come back to its size."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from sambench.masks.upsampling import Upsampling

from .nn.sam import PIXEL_MEAN, PIXEL_STD, input_size, preprocess, to_input_pixels, upsampling

MEAN = tuple(value / 255 for value in PIXEL_MEAN)
STD = tuple(value / 255 for value in PIXEL_STD)


class Frame(Protocol):
    """How an image becomes a network's square input, and masks come back."""

    @property
    def words(self) -> str:
        """The preprocessing in words, for the card."""

    def pixels(self, image: NDArray[np.uint8]) -> Tensor:
        """(H, W, 3) uint8 RGB -> (3, side, side) float32."""

    def points(self, points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
        """(..., 2) x, y in pixels of the image (H, W) -> in pixels of the frame."""

    def resize(self, low: tuple[int, int], size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
        """What brings logits (n, *low) of the frame to (n, H, W) of the image."""


@dataclass(frozen=True)
class Padded:
    """SAM's: the longest side resized, zeros to the right and below."""

    side: int = 1024

    @property
    def words(self) -> str:
        """The preprocessing in words, for the model card."""
        return (
            f"longest side resized to {self.side} pixels (Pillow, bilinear, antialiased), RGB "
            f"normalised by mean {_words(PIXEL_MEAN)} and deviation {_words(PIXEL_STD)}, then "
            f"zero-padded right and below to {self.side} x {self.side}"
        )

    def pixels(self, image: NDArray[np.uint8]) -> Tensor:
        """Image (H, W, 3) uint8 RGB -> network input (3, side, side) float32."""
        return preprocess(image, self.side)

    def points(self, points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
        """Points (..., 2) x, y in pixels of the image of size (H, W) -> in pixels of the frame."""
        return to_input_pixels(points, size, self.side)

    def resize(self, low: tuple[int, int], size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
        """Return what maps logits (n, *low) of the frame to logits (n, H, W) of the image."""
        return upsampling(input_size(*size, self.side), size, low[0], self.side)


@dataclass(frozen=True)
class Stretched:
    """SAM 2's: both sides resized to the same, whatever the image's shape.

    Attributes:
        side: of the frame, in pixels.
        mean: of RGB in 0 to 1.
        std: deviation of RGB in 0 to 1.
    """

    side: int = 1024
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD

    @property
    def words(self) -> str:
        """The preprocessing in words, for the model card."""
        return (
            f"stretched to {self.side} x {self.side} (bilinear, antialiased), RGB in 0 to 1 "
            f"normalised by mean {_words(self.mean)} and deviation {_words(self.std)}"
        )

    def pixels(self, image: NDArray[np.uint8]) -> Tensor:
        """Image (H, W, 3) uint8 RGB -> network input (3, side, side) float32."""
        rgb = torch.tensor(image).permute(2, 0, 1)[None].float() / 255
        square = F.interpolate(rgb, (self.side, self.side), mode="bilinear", antialias=True)[0]
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        return (square - mean[:, None, None]) / std[:, None, None]

    def points(self, points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
        """Points (..., 2) x, y in pixels of the image of size (H, W) -> in pixels of the frame."""
        scaled: NDArray[np.float64] = points * (self.side / np.array(size[::-1], np.float64))
        return scaled

    def resize(self, low: tuple[int, int], size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
        """Return what maps logits (n, *low) of the frame to logits (n, H, W) of the image."""
        return Upsampling(size, ((low, size),))


def _words(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
