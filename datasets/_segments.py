"""Segments of any origin -> `Segments`."""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from sambench.truths import Instances, Segments


def from_numbers(
    numbers: NDArray[np.int64],
    known: Mapping[int, tuple[int, bool]],
    crowd: Collection[int] = (),
) -> Segments:
    """Segments of a map of numbers; pixels of numbers that are not known are void.

    Args:
        numbers: (H, W).
        known: number -> category, and whether it is a thing. Those without a pixel are left out.
        crowd: numbers that are regions of many objects.
    """
    values, places = np.unique(numbers, return_inverse=True)
    kept = [int(value) for value in values if int(value) in known]
    number_of = np.searchsorted(kept, values) + 1 if kept else np.zeros_like(values)
    labels = np.where(np.isin(values, kept), number_of, 0)[places.reshape(numbers.shape)]
    return Segments(
        labels=labels.astype(np.int64),
        categories=np.array([known[value][0] for value in kept], dtype=np.int64),
        things=np.array([known[value][1] for value in kept], dtype=bool),
        crowd=np.array([value in crowd for value in kept], dtype=bool),
        ids=tuple(kept),
    )


def from_instances(truth: Instances) -> Segments:
    """Objects laid over each other, larger ones and crowd regions first; the rest is void.

    All are things. An object that others hide is left out.
    """
    numbers = np.zeros(truth.size, dtype=np.int64)
    areas = np.array([truth.mask(i).sum() for i in range(len(truth))], dtype=np.int64)
    for index in np.lexsort((-areas, ~truth.crowd)):
        numbers[truth.mask(int(index))] = index + 1
    if truth.ignore is not None:
        numbers[truth.ignore] = 0
    known = {i + 1: (int(category), True) for i, category in enumerate(truth.categories)}
    found = from_numbers(numbers, known, crowd=set((np.flatnonzero(truth.crowd) + 1).tolist()))
    ids = tuple(truth.ids[number - 1] for number in found.ids)
    return Segments(found.labels, found.categories, found.things, found.crowd, ids)
