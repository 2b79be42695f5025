"""The simulated clicks, against a brute-force implementation and by hand."""

import numpy as np
import pytest

from sambench.masks.clicks import Click, farthest, first_click, next_click, random_click


def brute_distance(region):
    """Squared distance of each pixel to the nearest pixel outside the region or the image."""
    height, width = region.shape
    padded = np.zeros((height + 2, width + 2), dtype=bool)
    padded[1:-1, 1:-1] = region
    outside = np.argwhere(~padded)
    distance = np.zeros(region.shape, dtype=np.int64)
    for y, x in np.argwhere(region):
        distance[y, x] = ((outside - (y + 1, x + 1)) ** 2).sum(axis=1).min()
    return distance


def brute_next(truth, predicted, ignore, clicked):
    """The clicker of the field, literally: whole-image distance maps, first arg-max."""
    missed, extra = truth & ~predicted & ~ignore, predicted & ~truth & ~ignore
    free = np.ones(truth.shape, dtype=np.int64)
    for x, y in clicked:
        free[y, x] = 0
    missed_map, extra_map = brute_distance(missed) * free, brute_distance(extra) * free
    positive = missed_map.max() > extra_map.max()
    best = missed_map if positive else extra_map
    if best.max() == 0:
        return None
    y, x = np.unravel_index(best.argmax(), best.shape)
    return Click(int(x), int(y), bool(positive))


def blobs(rng, height, width):
    """Random rectangles and discs, some over the border of the image."""
    yy, xx = np.mgrid[:height, :width]
    mask = np.zeros((height, width), dtype=bool)
    for _ in range(rng.integers(1, 4)):
        y, x = rng.integers(-3, height + 3), rng.integers(-3, width + 3)
        if rng.random() < 0.5:
            mask |= (abs(yy - y) <= rng.integers(0, 8)) & (abs(xx - x) <= rng.integers(0, 8))
        else:
            mask |= (yy - y) ** 2 + (xx - x) ** 2 <= rng.integers(1, 80)
    return mask


@pytest.mark.parametrize("seed", range(200))
def test_click_equals_brute_force_on_random_masks(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(5, 28, 2)
    truth, predicted = blobs(rng, height, width), blobs(rng, height, width)
    ignore = blobs(rng, height, width) & (rng.random() < 0.3)
    clicked = [(int(rng.integers(width)), int(rng.integers(height))) for _ in range(3)]
    expected = brute_next(truth, predicted, ignore, clicked)
    assert next_click(truth, predicted, ignore=ignore, clicked=clicked) == expected
    nothing = np.zeros_like(truth)
    assert first_click(truth) == brute_next(truth, nothing, nothing, [])


def test_the_border_of_the_image_is_a_boundary():
    # Without that rule the farthest pixel of the left half would lie on the image's edge.
    mask = np.zeros((21, 40), dtype=bool)
    mask[:, :21] = True
    assert first_click(mask) == Click(10, 10, True)


def test_equal_errors_give_a_negative_click():
    truth, predicted = np.zeros((2, 9, 20), dtype=bool)
    truth[3:6, 2:5] = True
    predicted[3:6, 12:15] = True
    assert next_click(truth, predicted) == Click(13, 4, False)


def test_equally_far_pixels_give_the_first_in_rows():
    mask = np.zeros((7, 9), dtype=bool)
    mask[1:6, 1:8] = True
    assert farthest(mask) == (3.0, 3, 3)


def test_the_largest_circle_is_taken_over_all_components():
    mask = np.zeros((20, 40), dtype=bool)
    mask[2:5, 2:38] = True  # larger area, narrower
    mask[8:17, 5:14] = True
    assert first_click(mask) == Click(9, 12, True)


def test_nothing_to_click_on():
    empty = np.zeros((4, 4), dtype=bool)
    assert first_click(empty) is None
    assert next_click(~empty, ~empty) is None
    assert random_click(empty, empty, np.random.default_rng(0)) is None


def test_a_pixel_is_not_clicked_twice():
    truth, predicted = np.zeros((2, 9, 9), dtype=bool)
    truth[2:7, 2:7] = True
    first = next_click(truth, predicted)
    assert first == Click(4, 4, True)
    second = next_click(truth, predicted, clicked=[(4, 4)])
    assert second is not None
    assert (second.x, second.y) != (4, 4)


def test_random_clicks_cover_the_region_evenly_and_carry_their_label():
    region, truth = np.zeros((2, 6, 6), dtype=bool)
    region[1:3, 1:5] = True
    truth[:, :3] = True
    rng = np.random.default_rng(0)
    clicks = [random_click(region, truth, rng) for _ in range(4000)]
    assert all(click.positive == (click.x < 3) for click in clicks)
    pixels, counts = np.unique([(c.x, c.y) for c in clicks], axis=0, return_counts=True)
    assert len(pixels) == 8
    assert counts.min() > 400
