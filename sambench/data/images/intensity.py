"""Samples of more than 8 bits: the user chooses how they become 8 bits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError

WAYS = "full, minmax, percentile or LO..HI"
PERCENTILES = (1.0, 99.0)
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")


@dataclass(frozen=True)
class Intensity:
    """Which values become black and white; those between are mapped linearly, others are clipped.

    Attributes:
        way: full (all that the type of the samples can hold; 0 to 1 for floats), minmax (the
            image's own least and greatest), percentile (its 1st and 99th) or range.
        low: what becomes black, for range.
        high: what becomes white, for range.
    """

    way: str
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Intensity | None:
        """``full``, ``minmax``, ``percentile`` or ``LO..HI``; None for an empty text.

        Raises:
            UserError: it is something else.
        """
        if not text:
            return None
        if text in ("full", "minmax", "percentile"):
            return cls(text)
        given = _RANGE.fullmatch(text)
        if given is None or not float(given[1]) < float(given[2]):
            raise UserError(f"intensity {text} is unknown; give {WAYS}, such as 0..4095.")
        return cls("range", float(given[1]), float(given[2]))

    def to_eight_bits(
        self, samples: NDArray[Any], most: tuple[float, float], path: Path
    ) -> NDArray[np.uint8]:
        """Map samples of any shape to 0 to 255; all channels alike.

        Args:
            samples: numbers.
            most: the least and greatest that their type can hold.
            path: for the message.

        Raises:
            UserError: samples are not finite, or do not fit the way.
        """
        values = samples.astype(np.float64)
        if not np.isfinite(values).all():
            raise UserError(f"{path} has samples that are NaN or infinite; replace them.")
        low, high = self._bounds(values, most, path)
        scale = 255 / (high - low) if high > low else 0.0
        return np.rint(np.clip((values - low) * scale, 0, 255)).astype(np.uint8)

    def _bounds(
        self, values: NDArray[np.float64], most: tuple[float, float], path: Path
    ) -> tuple[float, float]:
        least, greatest = float(values.min()), float(values.max())
        if self.way == "range":
            return self.low, self.high
        if self.way == "minmax":
            return least, greatest
        if self.way == "percentile":
            low, high = (float(value) for value in np.percentile(values, PERCENTILES))
            if low == high and least < greatest:
                raise UserError(
                    f"{path} has the value {low:g} at its 1st and 99th percentile; give the "
                    "intensity as minmax or LO..HI."
                )
            return low, high
        if least < most[0] or greatest > most[1]:
            raise UserError(
                f"{path} has floats from {least:g} to {greatest:g}, but the intensity full is for "
                f"0 to 1; give minmax, percentile or LO..HI."
            )
        return most
