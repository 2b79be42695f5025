"""Baseline: every pixel, for any prompt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import Prompts

from ._baseline import Baseline, Seen


class WholeImage(Baseline):
    """Every pixel, for any prompt."""

    name = "whole_image"
    prompts = frozenset({"points", "boxes", "masks", "texts"})

    def segment(self, seen: Seen, prompt: Prompts) -> NDArray[np.bool_]:
        """Every pixel, for any prompt, (H, W) bool."""
        del prompt
        return np.ones(seen.size, dtype=bool)
