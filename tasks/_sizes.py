"""Objects by size, as COCO sets the limits; each object is of one size."""

from collections.abc import Sequence

BINS = {"s": (0.0, 32.0**2), "m": (32.0**2, 96.0**2), "l": (96.0**2, float("inf"))}
"""Annotated area in pixels, from and below, by the letter in a metric's name."""


def of_size(values: Sequence[float], areas: Sequence[float], size: str) -> list[float]:
    """The values of the objects of one size: s, m or l."""
    low, high = BINS[size]
    return [value for value, area in zip(values, areas, strict=True) if low <= area < high]
