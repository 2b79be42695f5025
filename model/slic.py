"""Baseline: SLIC superpixels (Achanta et al., 2012)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from sambench.options import Range

from ._baseline import PromptFree


class Slic(PromptFree):
    """Superpixels of about equal size, by k-means of colour and place.

    Args:
        segments: about how many an image has.
        compactness: weight of nearness against colour.
        sigma: deviation of the Gaussian that smooths the image, in pixels.
    """

    name = "slic"
    citation = "Achanta et al., SLIC Superpixels, TPAMI 2012"

    def __init__(
        self,
        segments: Annotated[int, Range(1)] = 200,
        compactness: Annotated[float, Range(above=0)] = 10.0,
        sigma: Annotated[float, Range(0)] = 0.0,
    ) -> None:
        self.segments, self.compactness, self.sigma = segments, compactness, sigma
        super().__init__()

    def settings(self) -> str:
        """The settings that affect its predictions, in words, for the model card."""
        return (
            f"{self.segments} segments, compactness {self.compactness:g}, sigma {self.sigma:g}, "
            "CIELAB"
        )

    def superpixels(self, image: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Labels (H, W)."""
        from skimage.segmentation import slic

        found: NDArray[np.int64] = slic(
            image,
            n_segments=self.segments,
            compactness=self.compactness,
            sigma=self.sigma,
            start_label=0,
        )
        return found
