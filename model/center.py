"""Baseline: the centre of the image is salient."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from sambench.options import Range

from ._baseline import PromptFree


class Center(PromptFree):
    """A Gaussian around the centre of the image, regardless of content.

    Args:
        sigma: its deviation, as a fraction of each side of the image.
    """

    name = "center"

    def __init__(self, sigma: Annotated[float, Range(above=0)] = 0.25) -> None:
        self.sigma = sigma
        super().__init__()

    def settings(self) -> str:
        """The settings that affect its predictions, in words, for the model card."""
        return f"Gaussian of sigma {self.sigma:g} of each side; the image is not looked at"

    def saliency(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W) in 0 to 1."""
        rows, columns = (
            np.exp(-(((np.arange(side) + 0.5) / side - 0.5) ** 2) / (2 * self.sigma**2))
            for side in image.shape[:2]
        )
        return np.outer(rows, columns).astype(np.float32)
