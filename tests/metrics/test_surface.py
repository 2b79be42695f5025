"""Dice, NSD and HD95: by hand, and what the package surface-distance gives for 250 pairs of masks.

Run as a script, with surface-distance 0.1 installed, this file writes fixtures/surface.json anew.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from sambench.metrics import surface
from sambench.metrics.iou import iou
from sambench.registry import load
from sambench.truths import Instances

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "surface.json"
SPACINGS = ((1.0, 1.0), (0.5, 2.0), (1.7, 0.9))


def random_pair(number):
    """Two masks of blobs, their spacing and a tolerance; integers alone draw them."""
    rng = np.random.default_rng(number)
    shape = rng.integers(4, 48, 2)
    masks = []
    for _ in range(2):
        noise = rng.integers(0, 2, shape)
        sums = ndimage.convolve(noise, np.ones((5, 5), dtype=np.int64), mode="constant")
        masks.append(sums > rng.integers(8, 16))
    return *masks, SPACINGS[number % 3], float(rng.integers(0, 4))


def real_pairs():
    """Fifty annotated masks of photographs, each beside itself, grown and moved."""
    dataset = load("dataset", "mini")
    masks = (mask for id in dataset.ids for mask in dataset.read_truth(id, Instances).masks())
    for number, mask in zip(range(50), masks):  # noqa: B905 (there are more)
        grown = ndimage.binary_dilation(mask, iterations=1 + number % 4)
        yield mask, np.roll(grown, (number % 3, -number % 5), (0, 1))


def pairs():
    """All pairs with their spacing and tolerance."""
    yield from (random_pair(number) for number in range(200))
    yield from ((first, second, (1.0, 1.0), 2.0) for first, second in real_pairs())


def measured(first, second, spacing, tolerance):
    found = surface.distances(first, second, spacing)
    return [float(surface.dice(iou(first, second))), found.nsd(tolerance), found.hausdorff()]


def square(x0, y0, x1, y1, size=20):
    mask = np.zeros((size, size), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_equals_surface_distance():
    expected = json.loads(FIXTURE.read_text())
    assert len(expected) == 250
    for number, (pair, values) in enumerate(zip(pairs(), expected, strict=True)):
        if values[0] is not None:  # it gives NaN where both masks are empty
            assert measured(*pair) == pytest.approx(values, abs=1e-12), number


def test_a_moved_square_by_hand():
    first, second = square(2, 2, 12, 12), square(5, 2, 15, 12)
    found = surface.distances(first, second)
    # 10 x 10, moved by 3: 70 pixels in common.
    assert surface.dice(iou(first, second)) == pytest.approx(2 * 70 / 200)
    # A contour has 9 straight elements for each side and corners of sqrt(1/2). Of each, the side
    # that the other does not reach is 3 away, and so are the 5 middle elements of the side that
    # lies inside of the other: the nearer ones are within 2 of its sides above and below.
    whole = 4 * (9 + math.sqrt(0.5))
    assert found.nsd(2) == pytest.approx((whole - (9 + 2 * math.sqrt(0.5)) - 5) / whole)
    assert found.nsd(3) == 1
    assert found.hausdorff() == 3
    # 15.4 of 38.8 lie on the other contour, 4 more are 1 away.
    assert found.hausdorff(0.39) == 0
    assert found.hausdorff(0.45) == 1


def test_spacing_is_of_rows_and_columns():
    found = surface.distances(square(2, 2, 12, 12), square(5, 2, 15, 12), (4.0, 0.5))
    assert found.hausdorff() == 1.5  # 3 columns
    found = surface.distances(square(2, 2, 12, 12), square(2, 5, 12, 15), (4.0, 0.5))
    assert found.hausdorff() == 12  # 3 rows: a side is 5 of 90


def test_a_point_far_away_moves_the_percentile_only_if_it_is_long_enough():
    first = square(0, 0, 20, 20)
    speck = square(0, 0, 20, 20, 40)
    first = np.pad(first, ((0, 20), (0, 20)))
    speck[39, 39] = True
    assert surface.distances(first, speck).hausdorff() == 0
    assert surface.distances(first, speck).hausdorff(1.0) > 26


@pytest.mark.parametrize("swapped", [False, True])
def test_empty_masks(swapped):
    empty, some = np.zeros((20, 20), dtype=bool), square(3, 3, 9, 9)
    pair = (some, empty) if swapped else (empty, some)
    assert measured(*pair, (1, 1), 5) == [0, 0, math.inf]
    assert measured(empty, empty, (1, 1), 0) == [1, 1, 0]


def test_a_mask_agrees_with_itself_and_both_ways_are_one():
    for number in range(0, 200, 20):
        first, second, spacing, tolerance = random_pair(number)
        assert measured(second, first, spacing, tolerance) == pytest.approx(
            measured(first, second, spacing, tolerance)
        )
        assert measured(first, first, spacing, 0) == [1, 1, 0]


def write():
    """The fixture, by the package itself, which asks for names that NumPy 2 and SciPy dropped."""
    np.Inf, np.NaN = np.inf, np.nan
    ndimage.filters = ndimage.morphology = ndimage
    import surface_distance as peer

    rows = []
    for first, second, spacing, tolerance in pairs():
        found = peer.compute_surface_distances(first, second, spacing)
        with np.errstate(invalid="ignore"):
            values = (
                peer.compute_dice_coefficient(first, second),
                peer.compute_surface_dice_at_tolerance(found, tolerance),
                peer.compute_robust_hausdorff(found, 95),
            )
        both_empty = not (first.any() or second.any())
        rows.append([None if both_empty else float(value) for value in values])
    FIXTURE.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")


if __name__ == "__main__":
    write()
