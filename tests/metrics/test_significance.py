"""Stars: known answers, and equal models that must not get one."""

import math
from itertools import product

import numpy as np
import pytest

from sambench.metrics.edges.f_measure import boundary_estimator
from sambench.metrics.significance import (
    holm,
    images_to_settle,
    p_of_apart,
    p_values,
    swaps_for,
)
from sambench.metrics.statistics import Estimate, Statistic, ratios


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


def _counts(hits: int, threshold: int, slope: int = 8) -> list[list[int]]:
    """Counts of an image at ten thresholds, best at one of them."""
    found = [max(hits - slope * abs(t - threshold), 0) for t in range(1, 11)]
    return [[value, 200, value, 200] for value in found]


def test_ods_is_tested_at_each_models_own_threshold():
    """Two models whose thresholds are on different scales: a mixture of both fits no threshold."""
    rng = np.random.default_rng(5)
    hard, slopes = rng.integers(80, 190, 10).tolist(), rng.integers(2, 20, (2, 10)).tolist()
    weaker = [_counts(hits, 2, slope) for hits, slope in zip(hard, slopes[0], strict=True)]
    better = [_counts(hits + 3, 9, slope) for hits, slope in zip(hard, slopes[1], strict=True)]
    pooled = boundary_estimator(np.array([*weaker, *better]))
    mixed = Statistic(pooled.one, pooled.many)
    p, old = (p_values(each, each, 10) for each in (pooled, mixed))

    assert p["ODS"] == pytest.approx(2 * 0.5**10)  # all ten images speak for one model
    assert old["ODS"] > 0.5
    assert p["AP"] == old["AP"]


def test_a_settled_estimator_takes_each_side_at_its_best_threshold():
    counts = np.array([_counts(130, 2), _counts(120, 3), _counts(140, 9)])
    pooled = boundary_estimator(counts)
    settled = pooled.settled(np.array([0, 0, 1]))
    sides = counts[:2].sum(axis=0)[:, 0].argmax(), counts[2, :, 0].argmax()
    hits = counts[0, sides[0], 0] + 3 * counts[2, sides[1], 0]

    found = settled(np.array([1.0, 0.0, 3.0]))
    assert found["ODS"] == pytest.approx(hits / 800)
    assert settled.many is not None
    for names in (None, frozenset({"ODS"})):
        again = settled.many(np.array([[1.0, 0.0, 3.0]]), names)
        assert again["ODS"][0] == found["ODS"]
    assert found["OIS"] == pooled(np.array([1.0, 0.0, 3.0]))["OIS"]
