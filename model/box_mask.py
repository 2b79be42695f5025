"""Baseline: the box itself as the mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import Prompts

from ._baseline import Baseline, Seen


class BoxMask(Baseline):
    """All pixels whose centre lies in the box."""

    name = "box_mask"
    prompts = frozenset({"boxes"})

    def segment(self, seen: Seen, prompt: Prompts) -> NDArray[np.bool_]:
        """The pixels of the box, (H, W) bool."""
        assert prompt.boxes is not None
        return filled(prompt.boxes[0], seen.size)


def filled(box: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of an image (H, W) that a box x0, y0, x1, y1 covers at least by half."""
    mask = np.zeros(size, dtype=bool)
    x0, y0, x1, y1 = np.rint(box).clip(min=0).astype(int)
    mask[y0:y1, x0:x1] = True
    return mask
