"""Baseline: proposals that do not look at the image, boxes of several sizes on a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import JSON

from ._baseline import PromptFree, as_proposals
from .box_mask import filled

ASPECTS = (0.5, 1.0, 2.0)
LEVELS = (1.0, 0.5, 0.25, 0.125)
"""Square root of a box's share of the image."""


class BoxGrid(PromptFree):
    """Filled boxes of four sizes and three shapes, half overlapping, the larger ones first."""

    name = "box_grid"

    def settings(self) -> str:
        """The settings that affect its predictions, in words, for the model card."""
        return f"sides {LEVELS} of the image, aspects {ASPECTS}, steps of half a box"

    def propose(self, image: NDArray[np.uint8]) -> tuple[list[JSON], NDArray[np.float64]]:
        """Some 800 masks and their scores."""
        size = image.shape[0], image.shape[1]
        boxes = [box for level in LEVELS for aspect in ASPECTS for box in _boxes(level, aspect)]
        return as_proposals([filled(box * np.tile(size[::-1], 2), size) for box in boxes])


def _boxes(level: float, aspect: float) -> list[NDArray[np.float64]]:
    """Boxes x0, y0, x1, y1 of one size and shape, in parts of the image."""
    width, height = min(1, level * aspect**0.5), min(1, level / aspect**0.5)
    columns = np.linspace(0, 1 - width, round(2 * (1 - width) / width) + 1)
    rows = np.linspace(0, 1 - height, round(2 * (1 - height) / height) + 1)
    return [np.array([x, y, x + width, y + height]) for y in rows for x in columns]
