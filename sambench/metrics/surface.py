"""Dice, normalised surface distance and robust Hausdorff distance of masks.

* Dice: Dice, Measures of the Amount of Ecologic Association Between Species, Ecology 1945.
* Surface distances, and the surface Dice or normalised surface distance (NSD): Nikolov et al.,
  Clinically Applicable Segmentation of Head and Neck Anatomy for Radiotherapy, J. Med. Internet
  Res. 2021; elements of a contour are weighted by their length, as in their package
  surface-distance.
* HD95, the 95th percentile in place of the Hausdorff distance's maximum: Huttenlocher et al.,
  Comparing Images Using the Hausdorff Distance, PAMI 1993; of the percentiles in both directions
  the larger, weighted as above.

A contour runs between pixels: its elements lie at the corners of pixels, where not all of the four
around are of one kind, and the image's border is no pixel's neighbour. Two empty masks agree, as
for the IoU: Dice and NSD are 1, HD95 is 0. One that is empty alone has Dice and NSD 0, and an
infinite HD95.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Spacing = tuple[float, float]
PERCENTILE = 0.95


class Contour(NamedTuple):
    """N elements of a contour: their places (N, 2), row and column, and lengths (N,)."""

    places: NDArray[np.int64]
    lengths: Floats


@dataclass(frozen=True)
class Distances:
    """How far two contours are apart, in the unit of the spacing.

    Attributes:
        first: (N,) of each element of the first to the nearest of the second; infinite if none.
        second: (M,) the other way.
        first_lengths, second_lengths: of the elements.
    """

    first: Floats
    second: Floats
    first_lengths: Floats
    second_lengths: Floats

    def nsd(self, tolerance: float) -> float:
        """The share of both contours, by length, that is within a distance of the other one."""
        total = self.first_lengths.sum() + self.second_lengths.sum()
        if not total:
            return 1.0
        near = self.first_lengths[self.first <= tolerance].sum()
        near += self.second_lengths[self.second <= tolerance].sum()
        return float(near / total)

    def hausdorff(self, share: float = PERCENTILE) -> float:
        """The distance within which a share of each contour, by length, is of the other one."""
        if not len(self.first) and not len(self.second):
            return 0.0
        if not len(self.first) or not len(self.second):
            return math.inf
        return max(
            _quantile(self.first, self.first_lengths, share),
            _quantile(self.second, self.second_lengths, share),
        )


def dice(overlap: Floats | float) -> Floats:
    """Dice of masks whose IoU is known: twice the common pixels over the sum of both areas.

    Args:
        overlap: (...) IoU.
    """
    known = np.asarray(overlap, dtype=np.float64)
    found: Floats = 2 * known / (1 + known)
    return found


def distances(
    first: NDArray[np.bool_], second: NDArray[np.bool_], spacing: Spacing = (1.0, 1.0)
) -> Distances:
    """Distances of the contours of two masks.

    Args:
        first: (H, W) bool.
        second: (H, W) bool.
        spacing: from row to row and from column to column, in any unit.
    """
    one, other = contour(first, spacing), contour(second, spacing)
    there, back = _nearest(one, other, spacing), _nearest(other, one, spacing)
    return Distances(there, back, one.lengths, other.lengths)


def contour(mask: NDArray[np.bool_], spacing: Spacing = (1.0, 1.0)) -> Contour:
    """The contour of a mask (H, W) bool; place (0, 0) is the outer corner of the first pixel."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return Contour(np.zeros((0, 2), dtype=np.int64), np.zeros(0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    padded = np.pad(box, 1).view(np.uint8)
    kinds = 8 * padded[:-1, :-1] + 4 * padded[:-1, 1:] + 2 * padded[1:, :-1] + padded[1:, 1:]
    places = np.argwhere((kinds > 0) & (kinds < 15))
    lengths = _lengths(spacing)[kinds[places[:, 0], places[:, 1]]]
    return Contour(places + np.array([rows[0], columns[0]]), lengths)


def _lengths(spacing: Spacing) -> Floats:
    """Length of the contour at a corner, by which of the four pixels around are of the object.

    The pixels count 8, 4, 2 and 1, row by row. One of another kind than the others cuts the corner
    off, two side by side are cut straight, and two across are two corners.
    """
    down, along = spacing
    across = math.hypot(down, along) / 2
    lengths = np.full(16, across)
    lengths[[0, 15]] = 0
    lengths[[0b0011, 0b1100]] = along
    lengths[[0b0101, 0b1010]] = down
    lengths[[0b0110, 0b1001]] = 2 * across
    return lengths


def _nearest(one: Contour, other: Contour, spacing: Spacing) -> Floats:
    """Distance of each element of one contour to the nearest of another, (N,)."""
    from scipy.spatial import KDTree

    if not len(other.places):
        return np.full(len(one.places), math.inf)
    scale = np.array(spacing)
    _, nearest = KDTree(other.places * scale).query(one.places * scale)
    steps = (one.places - other.places[nearest]) * scale
    found: Floats = np.sqrt((steps * steps).sum(axis=1))
    return found


def _quantile(values: Floats, weights: Floats, share: float) -> float:
    """The smallest value within which a share of the weights lies."""
    order = np.lexsort((weights, values))
    reached = np.cumsum(weights[order]) / weights.sum()
    place = min(int(np.searchsorted(reached, share)), len(values) - 1)
    return float(values[order][place])
