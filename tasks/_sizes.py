"""Objects by size, as COCO sets the limits, and what metrics are broken down by."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sambench.interfaces import JSON, Metric

BINS = {"s": (0.0, 32.0**2), "m": (32.0**2, 96.0**2), "l": (96.0**2, float("inf"))}
"""Annotated area in pixels, from and below, by the letter in a metric's name."""


def of_size(values: Sequence[float], areas: Sequence[float], size: str) -> list[float]:
    """The values of the objects of one size: s, m or l."""
    low, high = BINS[size]
    return [value for value, area in zip(values, areas, strict=True) if low <= area < high]


def sized(
    name: str, values: Sequence[Sequence[float]], records: Sequence[JSON]
) -> dict[str, list[list[float]]]:
    """Values of objects for `ratios`, by name: those of small, medium and large objects.

    Args:
        name: of the metric of all objects, such as mIoU@3, which gives mIoUs@3 and so on.
        values: for each image, the value of each of its objects.
        records: of these images, with the ``areas`` of the objects.
    """
    return {
        _named(name, size): [
            of_size(own, record["areas"], size) for own, record in zip(values, records, strict=True)
        ]
        for size in BINS
    }


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
    return tuple(
        replace(
            whole,
            name=_named(whole.name, letter),
            description=f"{whole.description}, {member} {noun}",
            group=group,
            member=member,
            of=whole.name,
        )
        for letter, member in members.items()
    )


def _named(name: str, letter: str) -> str:
    stem, at, budget = name.partition("@")
    return f"{stem}{letter}{at}{budget}"
