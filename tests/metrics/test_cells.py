"""Segmentation accuracy of label images: against all matchings, and by hand."""

from itertools import permutations

import numpy as np
import pytest

from sambench.metrics.cells import THRESHOLDS, accuracy, components, overlaps, true_positives


def most_pairs(iou, threshold):
    """The largest number of pairs at a threshold, over all matchings."""
    small, large = sorted(iou.shape)
    matrix = iou if iou.shape[0] == small else iou.T
    return max(
        sum(matrix[row, column] >= threshold for row, column in enumerate(order))
        for order in permutations(range(large), small)
    )


def test_true_positives_are_as_many_as_any_matching_has():
    rng = np.random.default_rng(0)
    for _ in range(30):
        iou = rng.random((rng.integers(1, 4), rng.integers(1, 5)))
        assert true_positives(iou).tolist() == [most_pairs(iou, t) for t in THRESHOLDS]


def test_nothing_found_or_nothing_there():
    assert true_positives(np.zeros((0, 3))).tolist() == [0] * 10
    assert accuracy(np.zeros(10, int), 0, 3).tolist() == [0] * 10
    assert np.isnan(accuracy(np.zeros(10, int), 0, 0)).all()


def test_accuracy_counts_false_objects_on_both_sides():
    assert accuracy(np.array([2]), 3, 4).tolist() == [2 / 5]


def test_overlaps_by_hand():
    truth = np.array([[1, 1, 0], [2, 2, 2]])
    predicted = np.array([[1, 0, 0], [2, 2, 1]])
    assert overlaps(predicted, truth).tolist() == [[1 / 3, 1 / 4], [0, 2 / 3]]


@pytest.mark.parametrize(("diagonal", "count"), [(True, 2), (False, 4)])
def test_components_are_of_equal_value(diagonal, count):
    labels = np.array([[5, 0, 2], [0, 5, 2], [0, 0, 5]])
    parts = components(labels, diagonal=diagonal)
    assert parts.max() == count
    assert (parts > 0).tolist() == (labels > 0).tolist()
    assert parts[0, 2] == parts[1, 2]
