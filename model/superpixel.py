"""Baseline: the SLIC superpixel (Achanta et al., 2012) under each click."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import Prompts
from sambench.options import Range

from ._baseline import Baseline, Seen, clicked


class Superpixel(Baseline):
    """The superpixels that foreground clicks hit.

    Args:
        segments: about how many superpixels an image has.
        compactness: weight of nearness against colour.
    """

    name = "superpixel"
    citation = "Achanta et al., SLIC Superpixels, TPAMI 2012"
    prompts = frozenset({"points"})

    def __init__(
        self,
        segments: Annotated[int, Range(1)] = 60,
        compactness: Annotated[float, Range(above=0)] = 10.0,
    ) -> None:
        self.segments, self.compactness = segments, compactness
        super().__init__()

    def settings(self) -> str:
        """The settings that affect its predictions, in words, for the model card."""
        return f"SLIC, {self.segments} segments, compactness {self.compactness:g}"

    def study(self, image: NDArray[np.uint8]) -> Any:
        """SLIC labels (H, W) int64."""
        from skimage.segmentation import slic

        return slic(image, n_segments=self.segments, compactness=self.compactness)

    def segment(self, seen: Seen, prompt: Prompts) -> NDArray[np.bool_]:
        """The superpixels of foreground clicks minus those of background clicks, (H, W) bool."""
        return clicked(seen.known, prompt)
