"""What a predicted IoU says of the true one: by hand, against scipy and all pairs, weighted."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from sambench.metrics import calibration
from sambench.metrics.calibration import Ranked, rank_correlation, roc_area

RNG = np.random.default_rng(0)
PREDICTED = np.round(RNG.random(200) * 1.2 - 0.1, 2)
"""With ties, and beyond both ends of the bins."""
TRUE = np.round(np.clip(PREDICTED + RNG.normal(0, 0.3, 200), 0, 1), 1)


def by_image(values, sizes=(0, 3, 1, 96, 100)):
    return [part.tolist() for part in np.split(values, np.cumsum(sizes)[:-1])]


def measured(predicted, true, counts=None):
    found = calibration.estimator(predicted, true)
    return found(np.ones(len(true)) if counts is None else counts)


def test_numbers_of_four_masks_by_hand():
    # Bins of a 15th: .90 and .92 are in the same one, whose means are .91 and .6; .5 and 1.1 are
    # alone. Ranks of the predictions: 1 2 3 4; of the truth: 1.5 3 1.5 4.
    found = measured([[0.5, 0.9], [0.92, 1.1]], [[0.4, 0.8], [0.4, 1.0]])
    assert found["ECE"] == pytest.approx((0.1 + 2 * 0.31 + 0.1) / 4)
    assert found["overconfidence"] == pytest.approx((0.1 + 0.1 + 0.52 + 0.1) / 4)
    assert found["Spearman"] == pytest.approx((1.5 - 0.25 - 0.5 + 2.25) / np.sqrt(5 * 4.5))
    assert found["AUC@50"] == found["AUC@75"] == pytest.approx(3 / 4)
    assert found["AUC@90"] == 1


def test_the_ends_of_bins():
    found = calibration.bin_of(np.array([-0.3, 0, 1 / 15 - 1e-9, 0.999, 1, 1.7]))
    assert found.tolist() == [0, 0, 0, 14, 14, 14]
    said, was, weight = calibration.reliability(
        np.array([-0.3, 0.1, 1.7]), np.array([0.2, 0.3, 0.9]), np.array([1.0, 0, 2])
    )
    assert (said[[0, 14]].tolist(), was[[0, 14]].tolist()) == ([-0.3, 1.7], [0.2, 0.9])
    assert (weight[[0, 14]].tolist(), weight.sum()) == ([1, 2], 3)
    assert np.isnan(said[1:14]).all()
    assert np.isnan(was[1:14]).all()


def test_ranks_are_scipys():
    expected = spearmanr(PREDICTED, TRUE).statistic
    assert measured(by_image(PREDICTED), by_image(TRUE))["Spearman"] == pytest.approx(expected)


@pytest.mark.parametrize("threshold", calibration.THRESHOLDS)
def test_areas_are_those_of_all_pairs(threshold):
    right = threshold / 100 <= TRUE
    a, b = PREDICTED[right][:, None], PREDICTED[~right]
    beaten = (a > b) + (a == b) / 2
    found = measured(by_image(PREDICTED), by_image(TRUE))[f"AUC@{threshold}"]
    assert found == pytest.approx(beaten.mean())
    weights = RNG.integers(0, 4, len(TRUE)).astype(float)
    pairs = weights[right][:, None] * weights[~right]
    found = roc_area(Ranked.of(PREDICTED), right, weights)
    assert found == pytest.approx((beaten * pairs).sum() / pairs.sum())


def test_images_that_are_taken_more_often_count_as_often():
    predicted, true, counts = by_image(PREDICTED), by_image(TRUE), np.array([1, 2, 0, 1, 3.0])
    taken = np.repeat(np.arange(5), counts.astype(int))
    again = measured([predicted[i] for i in taken], [true[i] for i in taken])
    assert measured(predicted, true, counts) == pytest.approx(again)


def test_what_is_not_defined_has_no_value():
    constant = measured([[0.5, 0.5, 0.5]], [[0.1, 0.6, 0.8]])
    assert np.isnan(constant["Spearman"])
    assert (constant["AUC@50"], constant["AUC@75"]) == (0.5, 0.5)
    assert np.isnan(constant["AUC@90"])
    assert constant["ECE"] == constant["overconfidence"] == 0 == pytest.approx(0.5 - 1.5 / 3)
    for nothing in (measured([[]], [[]]), measured([[0.5]], [[0.5]], np.zeros(1))):
        assert np.isnan([*nothing.values()]).all()


def test_a_constant_of_any_weights_has_no_rank():
    weights = RNG.random(50)
    constant, other = Ranked.of(np.ones(50)), Ranked.of(RNG.random(50))
    assert np.isnan(rank_correlation(constant, other, weights))
    weights[1:] = 0
    assert np.isnan(rank_correlation(other, other, weights))
