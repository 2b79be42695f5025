"""Baseline: edges by Canny (1986), as many of them as the threshold leaves."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from sambench.options import Range

from ._baseline import PromptFree

THRESHOLDS = np.linspace(0.02, 0.4, 20)


class Canny(PromptFree):
    """Canny's detector at 20 thresholds: a pixel's value is how many of them keep it.

    Args:
        sigma: deviation of the Gaussian, in pixels.
    """

    name = "canny"
    citation = "Canny, A Computational Approach to Edge Detection, TPAMI 1986"

    def __init__(self, sigma: Annotated[float, Range(0)] = 2.0) -> None:
        self.sigma = sigma
        super().__init__()

    def settings(self) -> str:
        """The settings that affect its predictions, in words, for the model card."""
        return f"grey, Gaussian of sigma {self.sigma:g}, 20 high thresholds, low is 0.4 of high"

    def boundaries(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W) in 0 to 1."""
        from skimage.color import rgb2gray
        from skimage.feature import canny

        grey = rgb2gray(image)
        kept = [canny(grey, self.sigma, 0.4 * high, high) for high in THRESHOLDS]  # type: ignore[no-untyped-call]
        share: NDArray[np.float32] = np.mean(kept, axis=0, dtype=np.float32)
        return share
