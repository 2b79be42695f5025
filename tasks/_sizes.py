"""Objects by size, as COCO sets the limits, and what metrics are broken down by."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sambench.interfaces import Metric

BINS = {"s": (0.0, 32.0**2), "m": (32.0**2, 96.0**2), "l": (96.0**2, float("inf"))}
"""Annotated area in pixels, from and below, by the letter in a metric's name."""


def of_size(values: Sequence[float], areas: Sequence[float], size: str) -> list[float]:
    """The values of the objects of one size: s, m or l."""
    low, high = BINS[size]
    return [value for value, area in zip(values, areas, strict=True) if low <= area < high]


SIZES = {"s": "small", "m": "medium", "l": "large"}
FREQUENCIES = {"r": "rare", "c": "common", "f": "frequent"}


def by_size(whole: Metric) -> tuple[Metric, ...]:
    """A metric of small, medium and large objects: AR@100 -> ARs@100, ARm@100, ARl@100."""
    return _broken_down(whole, "size", SIZES, "objects")


def by_frequency(whole: Metric) -> tuple[Metric, ...]:
    """A metric of rare, common and frequent categories of LVIS: AP -> APr, APc, APf."""
    return _broken_down(whole, "frequency", FREQUENCIES, "categories")


def _broken_down(
    whole: Metric, group: str, members: Mapping[str, str], noun: str
) -> tuple[Metric, ...]:
    stem, at, budget = whole.name.partition("@")
    return tuple(
        replace(
            whole,
            name=f"{stem}{letter}{at}{budget}",
            description=f"{whole.description}, {member} {noun}",
            group=group,
            member=member,
            of=whole.name,
        )
        for letter, member in members.items()
    )
