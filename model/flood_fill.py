"""Baseline: the connected region of similar colour around a click."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import Prompts
from sambench.options import Range

from ._baseline import Baseline, Seen, clicks


class FloodFill(Baseline):
    """Connected pixels whose CIELAB colour is near that of the clicked one.

    Args:
        tolerance: largest distance in CIELAB.
    """

    name = "flood_fill"
    prompts = frozenset({"points"})

    def __init__(self, tolerance: Annotated[float, Range(0)] = 15.0) -> None:
        self.tolerance = tolerance
        super().__init__()

    def settings(self) -> str:
        """The settings that affect its predictions, in words, for the model card."""
        return f"CIELAB, tolerance {self.tolerance:g}, 4-connected"

    def study(self, image: NDArray[np.uint8]) -> Any:
        """The image in CIELAB, (H, W, 3) float64."""
        from skimage.color import rgb2lab

        return rgb2lab(image)

    def segment(self, seen: Seen, prompt: Prompts) -> NDArray[np.bool_]:
        """All regions of foreground clicks minus those of background clicks, (H, W) bool."""
        mask = np.zeros(seen.size, dtype=bool)
        points = clicks(prompt, seen.size)
        for y, x, label in sorted(points, key=lambda point: -point[2]):  # background last
            mask[self._region(seen.known, y, x)] = bool(label)
        return mask

    def _region(self, lab: NDArray[np.float64], y: int, x: int) -> NDArray[np.bool_]:
        from scipy.ndimage import label

        near = np.linalg.norm(lab - lab[y, x], axis=-1) <= self.tolerance
        regions, _ = label(near)
        region: NDArray[np.bool_] = regions == regions[y, x]
        return region
