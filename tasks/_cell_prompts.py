"""Prompts for the objects of a label image, as Segment Anything for Microscopy simulates them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sambench.masks.clicks import Click
from sambench.truths import Instances

AROUND, BESIDE = 5, 3
"""Pixels around an object within which its first, and its later, negative clicks lie."""


@dataclass(frozen=True)
class LabelImage:
    """Objects that do not overlap.

    Attributes:
        labels: (H, W) int64, 0 or the place of an object in `objects`, from 1.
        objects: indices of the objects among the annotated ones.
    """

    labels: NDArray[np.int64]
    objects: list[int]

    @classmethod
    def of(cls, truth: Instances) -> LabelImage:
        """Single objects as they were annotated; later ones lie above, hidden ones are left out."""
        labels = np.zeros(truth.size, dtype=np.int64)
        for index in np.flatnonzero(~truth.crowd):
            labels[truth.mask(int(index))] = index + 1
        seen, dense = np.unique(labels, return_inverse=True)
        numbers = np.arange(len(seen)) + (0 if seen[0] == 0 else 1)
        objects = [int(value) - 1 for value in seen if value]
        return cls(numbers[dense].reshape(labels.shape), objects)

    def mask(self, place: int) -> NDArray[np.bool_]:
        """The pixels of an object, (H, W) bool."""
        own: NDArray[np.bool_] = self.labels == place + 1
        return own

    @cached_property
    def boxes(self) -> list[tuple[int, int, int, int]]:
        """The box of each object, XYXY, its far edges outside the last pixel."""
        from scipy.ndimage import find_objects

        found = find_objects(self.labels)
        return [(x.start, y.start, x.stop, y.stop) for y, x in found]

    @cached_property
    def depth(self) -> NDArray[np.float64]:
        """Distance of each pixel from the nearest boundary pixel, (H, W).

        Boundary is what of an object touches another one, the background or the image's border.
        """
        from scipy.ndimage import distance_transform_edt

        padded = np.pad(self.labels, 1)
        inner = padded[1:-1, 1:-1]
        beside = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
        boundary = (inner > 0) & np.any([inner != other for other in beside], axis=0)
        depth: NDArray[np.float64] = distance_transform_edt(~boundary)
        return depth

    def around(self, place: int, pixels: int) -> NDArray[np.bool_]:
        """The box of an object and so many pixels more, (H, W) bool."""
        x0, y0, x1, y1 = self.boxes[place]
        inside = np.zeros(self.labels.shape, dtype=bool)
        inside[max(y0 - pixels, 0) : y1 + pixels, max(x0 - pixels, 0) : x1 + pixels] = True
        return inside


def first_clicks(
    image: LabelImage, place: int, positives: int, negatives: int, rng: np.random.Generator
) -> list[Click]:
    """The object's centre, random pixels of it, and random pixels of a ring around it.

    Where a ring has too few pixels, any of the background are taken.
    """
    from scipy.ndimage import binary_dilation

    own = image.mask(place)
    row, column = np.unravel_index(np.where(own, image.depth, -1).argmax(), own.shape)
    clicks = [Click(int(column), int(row), positive=True)]
    clicks += _several(own, positives - 1, rng, positive=True)
    if negatives:
        grown = binary_dilation(own, np.ones((3, 3)), iterations=AROUND)
        ring = image.around(place, AROUND) & ~grown
        clicks += _several(ring, min(negatives, int(np.count_nonzero(ring))), rng, positive=False)
        # As in `next_clicks`, where there is no background.
        other = own if own.all() else ~own
        clicks += _several(other, positives + negatives - len(clicks), rng, positive=False)
    return clicks


def next_clicks(
    image: LabelImage, place: int, predicted: NDArray[np.bool_], rng: np.random.Generator
) -> list[Click]:
    """One positive and one negative click, in what is wrong or else beside it.

    Args:
        image: has the object.
        place: of the object.
        predicted: (H, W) bool.
        rng: draws.
    """
    own = image.mask(place)
    positive = _one((lambda: own & ~predicted, lambda: own & predicted), rng, positive=True)
    beside = (lambda: predicted & ~own, lambda: image.around(place, BESIDE) & ~own, lambda: ~own)
    # An object that fills the image has no pixel beside it: its own is clicked as one of it.
    return [positive, _one((*beside, lambda: own), rng, positive=False)]


def _one(
    regions: tuple[Callable[[], NDArray[np.bool_]], ...],
    rng: np.random.Generator,
    *,
    positive: bool,
) -> Click:
    """A random pixel of the first region that has any."""
    for region in regions:
        rows, columns = region().nonzero()
        if len(rows):
            drawn = int(rng.integers(len(rows)))
            return Click(int(columns[drawn]), int(rows[drawn]), positive)
    raise AssertionError("an object has a pixel")


def _several(
    region: NDArray[np.bool_], count: int, rng: np.random.Generator, *, positive: bool
) -> list[Click]:
    """Random pixels of a region, each once unless there are too few."""
    if not count:
        return []
    rows, columns = region.nonzero()
    drawn = rng.choice(len(rows), size=count, replace=count > len(rows))
    return [Click(int(columns[i]), int(rows[i]), positive) for i in drawn]
