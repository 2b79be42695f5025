"""Simulated prompts: what is drawn, from where, and how often."""

import numpy as np
import pytest
import torch
from numpy.random import default_rng

from sambench.datasets._instances import encode, from_rles
from sambench.model.training.interaction import (
    Prompted,
    corrected,
    decode,
    first_boxes,
    first_points,
    intersection_over_union,
)
from sambench.model.training.objects import Objects, choose, grid_valid, on_grid
from sambench.model.training.simulation import correction, later_rounds, noised_box, point_in

from .tiny import CHANNELS, tiny_net


def region(*pixels, size=(4, 5)):
    mask = np.zeros(size, bool)
    for x, y in pixels:
        mask[y, x] = True
    return mask


def test_a_point_is_uniform_in_its_region():
    mask, random = region((0, 0), (4, 1), (2, 3), (3, 3)), default_rng(0)
    drawn = [point_in(mask, random) for _ in range(4000)]
    counts = [drawn.count(pixel) for pixel in ((0, 0), (4, 1), (2, 3), (3, 3))]
    assert sum(counts) == 4000
    assert max(abs(count - 1000) for count in counts) < 110  # four deviations


def test_a_correction_is_where_the_prediction_is_wrong_and_says_how():
    truth, seen = region((1, 1), (2, 1)), region((2, 1), (3, 1))
    drawn = {correction(truth, seen, default_rng(i)) for i in range(50)}
    assert drawn == {(1, 1, True), (3, 1, False)}
    valid = ~region((3, 1))
    assert {correction(truth, seen, default_rng(i), valid) for i in range(50)} == {(1, 1, True)}


def test_a_perfect_mask_gets_one_more_click_inside():
    truth = region((1, 1), (2, 1))
    drawn = {correction(truth, truth, default_rng(i)) for i in range(50)}
    assert drawn == {(1, 1, True), (2, 1, True)}


def test_box_noise_is_a_tenth_of_the_side_and_at_most_twenty_pixels():
    random, small = default_rng(0), np.array([400.0, 300, 500, 350])  # 100 x 50
    moved = np.array([noised_box(small, (1000, 1000), random) - small for _ in range(4000)])
    assert moved.std(axis=0) == pytest.approx([9.6, 5, 9.6, 5], rel=0.05)  # 10 cut at two sigma
    assert np.abs(moved.mean(axis=0)).max() < 0.7
    large = np.array([100.0, 100, 900, 900])
    moved = np.array([noised_box(large, (1000, 1000), random) - large for _ in range(200)])
    assert np.abs(moved).max() == 20


def test_a_noised_box_stays_in_the_image():
    boxes = [noised_box(np.array([0.0, 0, 60, 40]), (40, 60), default_rng(i)) for i in range(30)]
    assert np.min(boxes) == 0
    assert np.max(boxes, axis=0).tolist()[2:] == [60, 40]


def test_eleven_rounds_two_of_them_without_new_information():
    drawn = [later_rounds(8, default_rng(i)) for i in range(400)]
    assert {len(rounds) + 1 for rounds in drawn} == {11}
    assert all(sum(rounds) == 8 and not rounds[-1] for rounds in drawn)
    places = [rounds.index(False) for rounds in drawn]
    assert sorted(set(places)) == list(range(8))
    assert max(places.count(place) for place in range(8)) < 85
    assert later_rounds(0, default_rng(0)) == (False, False)


def instances(*masks):
    return from_rles(masks[0].shape, [encode(mask) for mask in masks])


def test_objects_that_fill_the_image_are_left_out():
    full, most = np.ones((10, 10), bool), np.ones((10, 10), bool)
    most[0] = False  # 90 %: stays
    chosen = choose(instances(full, most, np.zeros((10, 10), bool)), 64, default_rng(0))
    assert chosen.masks.sum(axis=(1, 2)).tolist() == [90]
    assert chosen.boxes.tolist() == [[0, 1, 10, 10]]


def test_at_most_so_many_objects_any_of_them():
    masks = [region((x, y)) for x in range(5) for y in range(4)]
    drawn = [choose(instances(*masks), 3, default_rng(i)) for i in range(60)]
    assert {len(objects) for objects in drawn} == {3}
    assert len({box.tobytes() for objects in drawn for box in objects.boxes}) == 20


def test_a_mask_on_the_grid_of_a_padded_square():
    mask = np.zeros((4, 8), bool)
    mask[:2, :2] = mask[2, 4] = mask[3, 4] = True
    grid = on_grid(mask[None], 4)[0]  # cells of 2 x 2 pixels; the lower half is padding
    assert grid.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert grid_valid(np.ones((4, 8), bool), 4).tolist() == [[True] * 4] * 2 + [[False] * 4] * 2


def test_an_object_smaller_than_half_a_cell_is_not_lost():
    assert on_grid(region((5, 2), size=(8, 8))[None], 2)[0].tolist() == [[0, 1], [0, 0]]


def objects():
    masks = np.stack([region((1, 1), (2, 1)), region((4, 3))])
    return Objects(masks, np.array([[1.0, 1, 3, 2], [4, 3, 5, 4]]), np.ones((4, 5), bool))


def test_interactions_begin_with_a_point_or_a_box_and_add_clicks():
    users = [default_rng(0), default_rng(1)]
    points = first_points(objects(), users)
    assert points.points[1].tolist() == [[4, 3]]
    assert points.ambiguous
    boxes = first_boxes(objects(), users)
    assert not boxes.ambiguous
    more = corrected(points, np.zeros((2, 4, 5), bool), objects(), users)
    assert more.points.shape == (2, 2, 2)
    assert more.labels.tolist() == [[1, 1], [1, 1]]
    assert not more.ambiguous


def test_iou_counts_valid_pixels_only():
    seen = np.stack([region((1, 1), (3, 1)), region((4, 3))])[:, None]
    assert intersection_over_union(seen, objects()).tolist() == [[1 / 3], [1]]
    part = Objects(objects().masks, objects().boxes, ~region((3, 1)))
    assert intersection_over_union(seen, part).tolist() == [[1 / 2], [1]]


def test_three_masks_for_one_point_and_one_for_more():
    net, features = tiny_net(), torch.randn(1, CHANNELS, 4, 4)
    one = Prompted(np.ones((2, 1, 2)), np.ones((2, 1), np.int64))
    two = Prompted(np.ones((2, 2, 2)), np.ones((2, 2), np.int64))
    fed = Prompted(one.points, one.labels, masks=torch.zeros(2, 1, 16, 16))
    shapes = [decode(net, features, prompts, (60, 64))[0].shape[1] for prompts in (one, two, fed)]
    assert shapes == [3, 1, 1]
