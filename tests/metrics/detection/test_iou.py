import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sambench.errors import UserError
from sambench.metrics import iou as masks

pairs = st.tuples(st.integers(1, 20), st.integers(1, 20)).flatmap(
    lambda size: st.tuples(arrays(bool, size), arrays(bool, size))
)
EMPTY, SQUARE = np.zeros((6, 6), dtype=bool), np.pad(np.ones((2, 2), dtype=bool), 2)


@given(pairs)
def test_iou_is_symmetric_and_one_only_for_equal_masks(pair):
    first, second = pair
    value = masks.iou(first, second)
    assert value == masks.iou(second, first)
    assert 0 <= value <= 1
    assert (value == 1) == np.array_equal(first, second)


def test_iou_of_many_pairs_at_once():
    first = np.stack([EMPTY, SQUARE, SQUARE])[:, None]
    second = np.stack([EMPTY, SQUARE])[None]
    assert masks.iou(first, second).tolist() == [[1, 0], [0, 1], [0, 1]]


def test_iou_of_a_known_overlap():
    assert masks.iou(SQUARE, np.roll(SQUARE, 1, axis=0)) == 2 / 6


def test_two_empty_masks_agree():
    assert masks.iou(EMPTY, EMPTY) == 1
    assert masks.boundary_iou(EMPTY, EMPTY) == 1
    assert masks.boundary_iou(EMPTY, SQUARE) == 0


def test_ignored_pixels_do_not_count():
    ignore = EMPTY.copy()
    ignore[2] = True
    assert masks.iou(SQUARE, np.roll(SQUARE, 1, axis=0), ignore) == 2 / 4
    assert masks.iou(SQUARE, EMPTY, SQUARE) == 1


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(UserError, match="cannot be compared"):
        masks.iou(EMPTY, EMPTY[:5])


@given(arrays(bool, st.tuples(st.integers(1, 60), st.integers(1, 60))), st.floats(0.001, 0.2))
def test_boundary_is_what_opencv_makes_of_the_definition(oracle, mask, ratio):
    expected = oracle.cv2_boundary(mask.astype(np.uint8), ratio)
    assert np.array_equal(masks.boundary(mask, ratio), expected.astype(bool))


@pytest.mark.parametrize("ratio", [0.02, 0.01])
def test_boundary_of_real_objects(coco_truth, oracle, ratio):
    for truth in list(coco_truth.values())[:12]:
        for mask in truth.masks():
            expected = oracle.cv2_boundary(mask.astype(np.uint8), ratio).astype(bool)
            assert np.array_equal(masks.boundary(mask, ratio), expected)


def test_the_border_of_the_image_is_a_contour():
    full = np.ones((50, 50), dtype=bool)
    contour = masks.boundary(full, ratio=0.02)
    assert contour.sum() == 50 * 50 - 48 * 48
    assert contour[0].all()
