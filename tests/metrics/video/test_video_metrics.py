"""J and F against a slow second reading of their definitions, and against answers made by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from sambench.errors import UserError
from sambench.masks.rle import encode
from sambench.metrics.video import (
    boundary_f,
    clip_record,
    estimator,
    jaccard,
    object_table,
    statistics,
)
from sambench.metrics.video.boundary import half_heights, reach

FEW = settings(max_examples=25, deadline=None)


def masks(*pictures):
    """Pictures of # and . -> run lengths."""
    return encode(np.array([[[c == "#" for c in row] for row in p.split()] for p in pictures]))


def contour(mask):
    """Pixels (row, column) of which right, lower and lower right neighbour are not all like it."""
    height, width = mask.shape
    found = []
    for row in range(height):
        for column in range(width):
            below, right = min(row + 1, height - 1), min(column + 1, width - 1)
            around = {bool(mask[r, c]) for r in (row, below) for c in (column, right)}
            if len(around) == 2:
                found.append((row, column))
    return found


def slow_f(predicted, truth):
    """The boundary measure by the distances of all pixels of the contours."""
    radius = math.ceil(0.008 * math.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2))
    first, second = contour(predicted), contour(truth)
    if not first and not second:
        return 1.0
    if not first or not second:
        return 0.0

    def share(own, other):
        return sum(any(math.dist(p, q) <= radius for q in other) for p in own) / len(own)

    precision, recall = share(first, second), share(second, first)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def slow_j(predicted, truth):
    union = int((predicted | truth).sum())
    return int((predicted & truth).sum()) / union if union else 1.0


def blobs(rng, count, size):
    """Rectangles, noise, nothing, everything."""
    found = np.zeros((count, *size), bool)
    for i, mask in enumerate(found):
        y, x = rng.integers(0, size[0]), rng.integers(0, size[1])
        if i % 5 == 1:
            mask[:] = True
        elif i % 5 == 2:
            mask[:] = rng.random(size) < 0.3
        elif i % 5 > 2:
            mask[y : y + rng.integers(1, 30), x : x + rng.integers(1, 30)] = True
    return found[rng.permutation(count)]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (13, 20), (9, 140), (150, 12)])
def test_both_are_what_the_definitions_say(size):
    rng = np.random.default_rng(size[0])
    predicted, truth = blobs(rng, 15, size), blobs(rng, 15, size)
    expected = [slow_j(p, t) for p, t in zip(predicted, truth, strict=True)]
    assert jaccard(encode(predicted), encode(truth)) == pytest.approx(expected, abs=1e-15)
    expected = [slow_f(p, t) for p, t in zip(predicted, truth, strict=True)]
    assert boundary_f(encode(predicted), encode(truth)) == pytest.approx(expected, abs=1e-15)


def test_a_square_moved_by_hand():
    """Images of 5 x 7 agree within one pixel, and not across a corner."""
    truth = masks("....... .##.... .##.... ....... .......")
    predicted = masks("....... ...##.. ...##.. ....... .......")
    # Contours: rows 0 to 2; columns 0 to 2 of the truth, 2 to 4 of the prediction; but of each the
    # pixel in the middle, whose block is full. Column 2 is of both, 1 and 3 are near it.
    assert jaccard(predicted, truth).tolist() == [0]
    near = 5  # three in the column of both, and two beside them
    assert boundary_f(predicted, truth).tolist() == [near / 8]


def test_nothing_and_everything():
    nothing, everything = masks("... ..."), masks("### ###")
    assert jaccard(nothing, nothing).tolist() == boundary_f(nothing, nothing).tolist() == [1]
    assert jaccard(nothing, everything).tolist() == [0]
    assert boundary_f(nothing, everything).tolist() == [1]  # neither has a contour
    some = masks("#.. ...")
    assert boundary_f(some, nothing).tolist() == boundary_f(nothing, some).tolist() == [0]


def test_the_distance_is_a_part_of_the_diagonal():
    assert reach((480, 854)) == 8
    assert reach((1080, 1920)) == 18
    assert reach((300, 400)) == 4
    assert half_heights(1).tolist() == [1, 0]
    assert half_heights(5).tolist() == [5, 4, 4, 4, 3, 0]


def test_masks_of_other_sizes_or_number_are_refused():
    with pytest.raises(UserError, match="save them at the size of the frames"):
        jaccard(masks("#."), masks("# ."))
    with pytest.raises(UserError, match="2 predicted masks for 1 frames"):
        boundary_f(masks("#.", "#."), masks("#."))


def test_recall_and_decay_by_hand():
    values = np.array([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    # Cut at frames 1, 3 (2.75), 5 (4.5, up), 6 (6.25), 8: the first three and the last three.
    found = statistics(values)
    assert found.mean == pytest.approx(0.65)
    assert found.recall == 5 / 8  # .5 itself is not above
    assert found.decay == pytest.approx(0.9 - 0.4)
    assert statistics(np.array([0.25])) == (0.25, 0, 0)
    assert all(math.isnan(value) for value in statistics(np.array([])))


SEEN, MOVED, GONE = masks(
    "....... .##.... .##....", "....... ...##.. ...##..", "....... ....... ......."
)


def test_davis_leaves_out_the_first_and_last_frame_and_objects_that_come_later():
    truth = {1: [SEEN, GONE, SEEN, SEEN], 2: [GONE, GONE, GONE, SEEN], 3: [SEEN] * 4}
    truth[4] = [GONE, SEEN, SEEN, SEEN]
    predicted = {1: [SEEN, GONE, MOVED, SEEN], 2: [GONE, SEEN, GONE, GONE], 9: [SEEN] * 4}
    record = clip_record(predicted, truth)["objects"]
    assert {id: own["j"] for id, own in record.items()} == {
        "1": [None, 1, 0, None],
        "2": [None, 0, 1, None],  # below the highest id of the first frame
        "3": [None, 0, 0, None],  # never predicted
    }
    assert record["2"]["f"] == [None, 0, 1, None]


def test_davis_numbers_objects_by_the_first_frame_that_is_annotated():
    truth = {1: [None, GONE, SEEN, SEEN, SEEN], 2: [None, SEEN, SEEN, SEEN, SEEN]}
    truth[3] = [None, None, SEEN, SEEN, SEEN]
    record = clip_record({}, truth)["objects"]
    assert {id: own["j"] for id, own in record.items()} == {
        "1": [None, None, 0, 0, None],
        "2": [None, None, 0, 0, None],
    }


def test_sav_begins_where_an_object_is_seen_or_predicted():
    truth = {
        0: [SEEN, None, GONE, None, SEEN, SEEN, SEEN],
        1: [GONE, None, GONE, GONE, GONE, None, SEEN],
        2: [GONE, None, GONE, GONE, SEEN, GONE, SEEN],
        3: [GONE, GONE, GONE, SEEN, SEEN, None, None],
    }
    predicted = {0: [GONE] * 7, 2: [GONE, SEEN, GONE, SEEN, SEEN, GONE, GONE], 3: [GONE] * 7}
    record = clip_record(predicted, truth, "sav")["objects"]
    assert {id: own["j"] for id, own in record.items()} == {
        "0": [None, None, None, None, 0, 0, None],
        "2": [None, None, None, 0, 1, 1, None],  # from a frame in which it is but predicted
        "3": [None, None, None, 0, None, None, None],
    }


def test_a_set_is_the_mean_over_its_objects_whatever_their_clips():
    one = clip_record({1: [SEEN] * 4}, {1: [SEEN] * 4})
    two = clip_record({}, {1: [SEEN] * 4, 2: [SEEN, GONE, SEEN, SEEN]})
    assert object_table(two)["2"] == {
        "jf": 0.5, "j": 0.5, "j_recall": 0.5, "j_decay": 1, "f": 0.5, "f_recall": 0.5, "f_decay": 1,
    }  # fmt: skip
    short = clip_record({1: [SEEN] * 2}, {1: [SEEN] * 2})
    assert object_table(short) == {}
    estimate = estimator([one, two, short])
    assert estimate(np.array([1, 1, 1]))["jf"] == 0.5
    assert estimate(np.array([1, 3, 0]))["j"] == pytest.approx((1 + 3 * 0.5) / 7)
    assert math.isnan(estimate(np.array([0, 0, 1]))["jf"])
    assert math.isnan(estimator([])(np.array([]))["f"])


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(UserError, match="rule ytvos is unknown; give davis or sav"):
        clip_record({}, {1: [SEEN] * 3}, "ytvos")
    with pytest.raises(UserError, match="3 predicted masks for 4 frames"):
        clip_record({1: [SEEN] * 3}, {1: [SEEN] * 4})


bits = arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=12))


@FEW
@given(st.data(), bits)
def test_symmetric_in_both_masks_and_in_rows_and_columns(data, first):
    second = data.draw(arrays(np.bool_, first.shape))
    turned, other = first.transpose(0, 2, 1), second.transpose(0, 2, 1)
    for metric in (jaccard, boundary_f):
        expected = metric(encode(first), encode(second))
        assert metric(encode(second), encode(first)) == pytest.approx(expected, abs=1e-15)
        assert metric(encode(turned), encode(other)).tolist() == expected.tolist()
        assert metric(encode(first), encode(first)).tolist() == [1] * len(first)


@FEW
@given(st.data(), bits)
def test_flips_change_nothing_where_masks_do_not_touch_the_border(data, first):
    second = data.draw(arrays(np.bool_, first.shape))
    first, second = (np.pad(m, ((0, 0), (1, 1), (1, 1))) for m in (first, second))
    for metric in (jaccard, boundary_f):
        expected = metric(encode(first), encode(second)).tolist()
        assert metric(encode(first[:, ::-1]), encode(second[:, ::-1])).tolist() == expected
        assert metric(encode(first[..., ::-1]), encode(second[..., ::-1])).tolist() == expected
