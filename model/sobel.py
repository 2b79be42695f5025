"""Baseline: edges by the gradient of Sobel."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from sambench.options import Range

from ._baseline import PromptFree


class Sobel(PromptFree):
    """The largest Sobel magnitude of the three colours after Gaussian smoothing.

    Args:
        sigma: deviation of the Gaussian, in pixels.
    """

    name = "sobel"

    def __init__(self, sigma: Annotated[float, Range(0)] = 2.0) -> None:
        self.sigma = sigma
        super().__init__()

    def settings(self) -> str:
        """The settings that affect its predictions, in words, for the model card."""
        return f"RGB, Gaussian of sigma {self.sigma:g}, the largest of the channels"

    def boundaries(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W) in 0 to 1."""
        return gradient(image, self.sigma)


def gradient(image: NDArray[np.uint8], sigma: float) -> NDArray[np.float32]:
    """Sobel magnitude (H, W) of a smoothed image (H, W, 3), scaled so that its maximum is 1."""
    from skimage.filters import gaussian, sobel

    smooth = gaussian(image / 255, sigma, channel_axis=-1)  # type: ignore[no-untyped-call]
    channels = [sobel(smooth[..., c]) for c in range(3)]  # type: ignore[no-untyped-call]
    edges = np.max(channels, axis=0).astype(np.float32)
    peak = float(edges.max())
    scaled: NDArray[np.float32] = edges / np.float32(peak) if peak else edges
    return scaled
