"""Baseline: GrabCut (Rother et al., 2004) from a box, by OpenCV."""

from __future__ import annotations

from importlib.metadata import packages_distributions, version
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import Prompts
from sambench.options import Range

from ._baseline import Baseline, Seen
from ._framed import require
from .box_mask import filled


class GrabCut(Baseline):
    """Colour models of the box and of its surroundings, separated by a graph cut.

    Args:
        iterations: of fitting and cutting.
    """

    requires = "pip install 'sambench[opencv]'"
    name = "grabcut"
    citation = "Rother et al., GrabCut, SIGGRAPH 2004"
    prompts = frozenset({"boxes"})

    def __init__(self, iterations: Annotated[int, Range(1)] = 5) -> None:
        self.cv2, self.iterations = require("cv2", "opencv"), iterations
        super().__init__()

    def settings(self) -> str:
        """The settings that affect its predictions, in words, for the model card."""
        package = packages_distributions()["cv2"][0]
        return f"{self.iterations} iterations, {package} {version(package)}, seed 0"

    def segment(self, seen: Seen, prompt: Prompts) -> NDArray[np.bool_]:
        """Mask (H, W) bool from a box; the box itself if its inside or outside is empty."""
        assert prompt.boxes is not None
        inside = filled(prompt.boxes[0], seen.size)
        if inside.all() or not inside.any():
            return inside
        cv2 = self.cv2
        labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(0)  # it draws the centres of its colour models
        bgr = np.ascontiguousarray(seen.image[..., ::-1])
        cv2.grabCut(bgr, labels, None, *models, self.iterations, cv2.GC_INIT_WITH_MASK)
        found: NDArray[np.bool_] = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
        return found
