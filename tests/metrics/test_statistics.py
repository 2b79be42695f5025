"""Intervals: known answers, and samples of populations whose truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from sambench.metrics.detection.accumulate import Tally
from sambench.metrics.detection.coco import average_precision, category_precision
from sambench.metrics.edges.f_measure import boundary_estimator
from sambench.metrics.statistics import (
    CATEGORIES,
    MEAN,
    RECALL,
    TOTAL,
    Estimate,
    Kind,
    Statistic,
    bias_range,
    by_group,
    difference,
    estimates,
    evaluate,
    ratios,
)


def means(*values: float) -> Statistic:
    return ratios({"m": [[value] for value in values]})


def of_kind(kind: Kind, estimator: Statistic) -> Statistic:
    return Statistic(estimator.one, estimator.many, {"m": kind})


def detections(images: int) -> list[dict]:
    """Records of three categories, of which images have some, with objects of all sizes."""
    rng = np.random.default_rng(0)
    return [merged([category(rng, name) for name in (1, 7, 9) if rng.random() < 0.6])
            for _ in range(images)]  # fmt: skip


def category(rng: np.random.Generator, name: int) -> dict:
    """Detections of an image, the first of which found its objects as far as they overlap."""
    objects, found = rng.integers(0, 5, 2)
    inside = [1 | 1 << size for size in rng.integers(1, 4, max(objects, found))]
    reached = [(1 << int(t)) - 1 for t in rng.integers(0, 11, min(objects, found))]
    spread = [sum(r << 10 * a for a in range(4) if i >> a & 1)
              for r, i in zip(reached, inside, strict=False)]  # fmt: skip
    everywhere = [r * sum(1 << 10 * a for a in range(4)) for r in reached]
    nothing = [0] * (found - len(reached))
    return {
        "categories": [name], "detections": [int(found)],
        "truths": [[sum(i >> a & 1 for i in inside[:objects]) for a in range(4)]],
        "scores": sorted(rng.integers(0, 9, found).tolist(), reverse=True),
        "ranges": inside[:found], "matched": spread + nothing,
        "skipped": [e & ~s for e, s in zip(everywhere, spread, strict=True)] + nothing,
    }  # fmt: skip


def merged(parts: list[dict]) -> dict:
    names = "categories", "detections", "truths", "scores", "ranges", "matched", "skipped"
    return {name: [value for part in parts for value in part[name]] for name in names}


def test_the_interval_of_a_mean_is_student_s_or_wider():
    values = np.random.default_rng(0).normal(0.5, 0.1, 40)
    found = estimates(means(*values), 40)["m"]
    assert found.value == pytest.approx(values.mean())
    # About the value itself the jackknife's error is that of the mean times sqrt(n / (n - 1)).
    half = stats.t.ppf(0.975, 39) * values.std(ddof=1) / math.sqrt(40) * math.sqrt(40 / 39)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    assert (found.high - found.low) / 2 >= half * (1 - 1e-9)
    assert (found.withheld, found.bias) == ("", None)


def test_seeds_decide_and_equal_ones_repeat():
    values = np.random.default_rng(0).random(8)
    first = estimates(means(*values), 8, seed=3)
    assert estimates(means(*values), 8, seed=3) == first
    many = means(*np.random.default_rng(0).random(50))
    assert estimates(many, 50, resamples=10, seed=1) != estimates(many, 50, resamples=10, seed=2)


def test_groups_of_images_stand_for_single_ones():
    values = np.random.default_rng(1).random(3000)
    single = estimates(means(*values), 3000, resamples=15000)["m"]
    grouped = estimates(means(*values), 3000, resamples=500)["m"]
    assert grouped.value == single.value
    assert grouped.high - grouped.low == pytest.approx(single.high - single.low, rel=0.15)


@pytest.mark.parametrize("images", [2, 4])
def test_few_images_have_no_interval_and_say_why(images):
    found = estimates(means(*np.linspace(0, 1, images)), images)["m"]
    assert found.value == pytest.approx(0.5)
    assert math.isnan(found.low)
    assert found.withheld == MEAN.reason


def test_only_images_that_bear_on_a_metric_count():
    """Of twelve images three have an object of the second kind."""
    rng = np.random.default_rng(0)
    rows = [[value] for value in rng.random(12)]
    found = estimates(ratios({"all": rows, "rare": [*rows[:3], *([[]] * 9)]}), 12)
    assert (found["all"].withheld, found["rare"].withheld) == ("", MEAN.reason)
    one = estimates(ratios({"m": [[0.5], *([[]] * 9)]}), 10)["m"]
    assert (one.value, math.isnan(one.low), one.withheld) == (0.5, True, MEAN.reason)
    none = estimates(ratios({"m": [[]] * 9}), 9)["m"]
    assert math.isnan(none.value)
    assert none.withheld == ""


def test_the_interval_of_a_sum_is_that_of_the_mean_of_as_many():
    values = np.random.default_rng(0).random(10)
    total = Statistic(lambda w: {"m": float(values @ w)}, None, {"m": TOTAL})
    found, mean = estimates(total, 10)["m"], estimates(means(*values), 10)["m"]
    assert (found.low, found.high) == pytest.approx((10 * mean.low, 10 * mean.high))


def test_images_that_are_all_alike_have_an_interval_without_width():
    found = estimates(means(*[0.5] * 10), 10)["m"]
    assert (found.low, found.value, found.high) == (0.5, 0.5, 0.5)


def test_no_resamples_and_single_images_give_no_interval():
    for images, resamples in ((10, 0), (1, 100)):
        found = estimates(means(*[0.3] * images), images, resamples=resamples)["m"]
        assert found.value == pytest.approx(0.3)
        assert math.isnan(found.high)


def test_bias_that_falls_between_slow_and_fast():
    assert bias_range(0.0) == (0, 0)
    least, most = bias_range(0.01)
    # Halving the images of a bias c / cbrt(n) adds cbrt(2) - 1 of it.
    assert least == 0
    assert most * (math.cbrt(2) - 1) == pytest.approx(0.01)
    assert bias_range(-0.01) == (-most, 0)


def test_the_greatest_of_the_images_is_biased_and_its_interval_says_so():
    values = np.random.default_rng(2).random(200)
    spread = Statistic(lambda w: {"m": float(values[w > 0].mean() + 1 / np.cbrt((w > 0).sum()))})
    kind = Kind(100, True, "biased")
    plain = estimates(spread, 200)["m"]
    found = estimates(of_kind(kind, spread), 200)["m"]
    # 1 / cbrt(n) is the bias, all of it.
    assert found.bias == pytest.approx(1 / math.cbrt(200), rel=0.05)
    assert found.low == pytest.approx(plain.low - found.bias)
    assert found.high == pytest.approx(plain.high)
    few = estimates(of_kind(Kind(201, True, "biased"), spread), 200)["m"]
    assert (math.isnan(few.low), few.withheld) == (True, "biased")
    assert few.bias == found.bias


def test_ap_asks_for_more_images_than_that_of_one_category():
    records = detections(100)
    whole = estimates(average_precision(records), 100, resamples=50)
    assert whole["AP"].withheld.startswith("AP of fewer than 300 images is biased upward")
    assert whole["AP"].bias is not None
    assert (whole["AR@100"].withheld, whole["AR@100"].low < whole["AR@100"].high) == ("", True)
    assert estimates(category_precision(records), 100, resamples=50)["7"].withheld == ""
    few = estimates(category_precision(records[:25]), 25, resamples=50)["7"]
    assert few.withheld.startswith("AP of a category on fewer than 30 images")


def test_an_evaluator_without_weights_says_so():
    def whole(counts):
        return {"m": 0.5 if (counts == 1).all() else math.nan}

    found = estimates(Statistic(whole, None, {"m": Kind(10**9, False, "no weights")}), 20)["m"]
    assert (found.value, math.isnan(found.low), found.withheld) == (0.5, True, "no weights")


def test_a_difference_is_of_what_both_have():
    first = ratios({"a": [[0.1], [0.5]], "b": [[1], [1]]})
    second = ratios({"a": [[0.3], [0.5]], "c": [[1], [1]]})
    gap = difference(first, second)
    assert gap(np.ones(2)) == {"a": pytest.approx(0.1)}
    many = evaluate(gap, [np.array([1.0, 0]), np.array([0, 1.0])])
    assert many["a"].tolist() == pytest.approx([0.2, 0])


def estimators() -> dict[str, tuple[int, Statistic]]:
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 50, (6, 9, 4))
    counts[..., 1] += counts[..., 0] + 1
    counts[..., 3] += counts[..., 2] + 1
    records = detections(20)
    rows = [rng.random(k).tolist() for k in (1, 0, 3, 2)]
    return {
        "ratios": (4, ratios({"a": rows, "b": [[1.0], [], [], []]})),
        "groups": (4, by_group([[3], [], [5, 5, 3], [5, 5]], rows)),
        "edges": (6, boundary_estimator(counts)),
        "precision": (20, average_precision(records)),
        "categories": (20, category_precision(records)),
    }


@pytest.mark.parametrize("name", list(estimators()))
def test_many_weightings_at_once_are_as_one_at_a_time(name):
    """Among them single images, whole weights and fractions."""
    images, estimator = estimators()[name]
    rng = np.random.default_rng(4)
    weights = [*np.eye(images), *rng.integers(0, 4, (70, images)) * 1.0, rng.random(images)]
    many = evaluate(estimator, weights)
    one = [estimator(w) for w in weights]
    assert many.keys() == one[0].keys()
    for metric, values in many.items():
        np.testing.assert_allclose(values, [found[metric] for found in one], atol=1e-12)
        some = evaluate(estimator, weights, frozenset({metric}))
        np.testing.assert_allclose(some[metric], values, atol=1e-12)


@pytest.mark.parametrize("name", ["ratios", "groups"])
def test_a_part_is_the_estimator_where_nothing_else_counts(name):
    images, estimator = estimators()[name]
    places = np.array([3, 0])
    weights = np.zeros(images)
    weights[places] = [1, 3]
    assert estimator.part is not None
    part = estimator.part(places)(np.array([1.0, 3.0]))
    assert part == pytest.approx(estimator(weights), nan_ok=True)


def test_weights_repeat_images_at_the_same_place():
    """Which of two equal scores comes first is open; a weight repeats both where they are."""
    record = {
        "categories": [1], "truths": [[1, 0, 0, 1]], "detections": [2], "scores": [0.5, 0.5],
        "ranges": [9, 9], "matched": [(1 << 10) - 1, 0], "skipped": [0, 0],
    }  # fmt: skip
    assert Tally.of([record]).curves(np.array([2.0])).average() == pytest.approx(1.0)
    assert Tally.of([record, record]).curves(np.ones(2)).average() < 0.9


@pytest.mark.parametrize("kind", [MEAN, RECALL, CATEGORIES])
def test_an_interval_holds_the_truth_as_often_as_it_says(kind):
    """Means of skewed values: of 300 samples of 30 images each, 95 % hold it, give or take."""
    truth, hits = 0.25, 0
    for number in range(300):
        values = np.random.default_rng([5, number]).beta(0.5, 1.5, 30)
        found = estimates(of_kind(Kind(0, kind.biased, ""), means(*values)), 30, seed=number)["m"]
        hits += found.low <= truth <= found.high
    assert 0.92 <= hits / 300 <= 0.98


def test_an_estimate_is_positional():
    assert Estimate(0.5, 0.4, 0.6) == Estimate(0.5, 0.4, 0.6, "", None)
