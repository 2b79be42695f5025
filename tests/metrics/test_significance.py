"""Stars: known answers, and equal models that must not get one."""

import math
from itertools import product

import numpy as np
import pytest

from sambench.metrics.significance import (
    holm,
    images_to_settle,
    p_of_apart,
    p_values,
    swaps_for,
)
from sambench.metrics.statistics import Estimate, ratios


def p_of(first, second, **options) -> float:
    """p of the mean over images of one object each, and none where it is NaN."""
    both = [[] if math.isnan(v) else [v] for v in [*first, *second]]
    pooled = ratios({"m": both})
    return p_values(pooled, pooled, len(first), **options)["m"]


@pytest.mark.parametrize("images", [2, 5, 9])
def test_few_images_are_swapped_in_every_way(images):
    rng = np.random.default_rng(images)
    gaps = rng.normal(0.3, 1, images)
    signs = np.array(list(product([-1, 1], repeat=images)))
    sums = np.abs(signs @ gaps)
    exact = np.mean(sums >= abs(gaps.sum()) - 1e-12)
    assert p_of(np.zeros(images), gaps) == exact


def test_many_images_are_swapped_at_random():
    rng = np.random.default_rng(0)
    first = rng.random(200)
    second = first + rng.normal(0.005, 0.05, 200)
    # The sum of swapped differences is close to normal.
    gaps = second - first
    z = abs(gaps.sum()) / math.sqrt((gaps**2).sum())
    normal = math.erfc(z / math.sqrt(2))
    assert p_of(first, second) == pytest.approx(normal, abs=0.02)
    assert p_of(first, second, seed=1) != p_of(first, second, seed=2)
    assert p_of(first, second, seed=1) == p_of(first, second, seed=1)
    assert p_of(first, first + 0.1 + first / 10, swaps=99) == 0.01
    assert p_of(second, first) == p_of(first, second)


def test_of_thousands_of_images_groups_are_swapped():
    """p is that of single images, but for chance, also of a metric that is no mean."""
    rng = np.random.default_rng(1)
    first = rng.random(2000)
    second = first + rng.normal(0.002, 0.05, 2000)
    gaps = second - first
    normal = math.erfc(abs(gaps.sum()) / math.sqrt(2 * (gaps**2).sum()))
    assert p_of(first, second) == pytest.approx(normal, abs=0.03)
    both = np.concatenate([first, second])

    def spread(weights):
        mean = weights @ both / weights.sum()
        return {"m": float(weights @ (both - mean) ** 2 / weights.sum())}

    shares = (second - second.mean()) ** 2 - (first - first.mean()) ** 2
    normal = math.erfc(abs(shares.sum()) / math.sqrt(2 * (shares**2).sum()))
    assert p_values(spread, spread, 2000)["m"] == pytest.approx(normal, abs=0.03)
    stars = sum(
        p_of(*np.random.default_rng([3, i]).random((2, 600)), seed=i) <= 0.05 for i in range(200)
    )
    assert stars / 200 <= 0.09


def test_equal_sides_and_single_images_are_never_apart():
    assert p_of([0.1, 0.5, 0.7], [0.1, 0.5, 0.7]) == 1
    assert p_of([0.0], [1.0]) == 1
    assert p_of([0.0] * 5, [1.0] * 5) == 0.0625  # the least that five images can give


def test_metrics_that_are_not_defined_have_no_p():
    assert math.isnan(p_of([math.nan] * 3, [math.nan] * 3))
    # A swap that leaves the second side without any object counts against a difference.
    assert p_of([math.nan, 0.0, 0.0], [0.9, math.nan, math.nan]) == 0.5


@pytest.mark.parametrize("images", [2, 3, 5, 8, 30])
def test_equal_models_get_stars_in_5_percent_of_cases(images):
    stars = 0
    for number in range(400):
        first, second = np.random.default_rng([number, images]).beta(0.5, 0.5, (2, images))
        stars += p_of(first, second, swaps=199, seed=number) <= 0.05
    assert stars / 400 <= 0.075


def test_holm_by_hand():
    corrected = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert corrected == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})
    assert holm({}) == {}
    some = holm({"a": math.nan, "b": 0.02})
    assert math.isnan(some["a"])
    assert some["b"] == 0.04
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_images_that_settle_a_difference():
    # A standard error of .02 from 100 images: a difference of .056 is found in 80 % of studies.
    wide = Estimate(0.056, 0.056 - 1.96 * 0.02, 0.056 + 1.96 * 0.02)
    assert images_to_settle(wide, 100) == pytest.approx(100, abs=1)
    half = Estimate(-0.028, -0.028 - 1.96 * 0.02, -0.028 + 1.96 * 0.02)
    assert images_to_settle(half, 100) == pytest.approx(400, abs=1)
    # Five images never have a star, however large the difference is.
    assert images_to_settle(Estimate(0.5, 0.4, 0.6), 5) == 6
    assert images_to_settle(Estimate(0.0, -0.1, 0.1), 100) is None
    assert images_to_settle(Estimate(0.1, math.nan, math.nan), 100) is None


def test_p_from_intervals_alone():
    a, b = Estimate(0.5, 0.4, 0.6), Estimate(0.6414, 0.5414, 0.7414)
    assert p_of_apart(a, b, 10**9) == pytest.approx(0.05, abs=1e-3)
    assert p_of_apart(a, b, 10) == pytest.approx(0.05, abs=1e-3)
    assert p_of_apart(a, Estimate(0.9, 0.8, 1.0), 10) > p_of_apart(a, Estimate(0.9, 0.8, 1), 99)
    point = Estimate(0.5, math.nan, math.nan)
    assert p_of_apart(point, Estimate(0.51, math.nan, math.nan), 10) == 0
    assert p_of_apart(point, point, 10) == 1
    unknown = Estimate(0.9, -math.inf, math.inf)
    assert p_of_apart(point, unknown, 10) == 1


def test_swaps_suffice_for_a_board():
    assert swaps_for(1) == 1000
    assert 1 / (swaps_for(300) + 1) < 0.05 / 300
