"""What a GPU does with masks beside what a CPU does, on a GPU that is pretended."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sambench.interfaces import Masks, Model, ModelCard
from sambench.masks import on_gpu, rle
from sambench.masks.crops import Crop
from sambench.masks.everything import EverythingOptions, everything
from sambench.masks.geometry import nms, surviving
from sambench.masks.grid import candidates, crop_candidates, grid
from sambench.masks.grid_options import GridOptions
from sambench.masks.transfer import download, upload
from sambench.masks.upsampling import Upsampling

from ..pretended import pretended_gpu

SIZE = (90, 120)
IMAGE = np.zeros((*SIZE, 3), np.uint8)


class Blobs(Model):
    """Three smooth masks about each point, of a predicted IoU that differs from point to point."""

    def __init__(self, device, prompt_batch=5):
        self.card, self.device, self.prompt_batch = ModelCard("blobs"), device, prompt_batch

    def embed(self, images):
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        points = torch.as_tensor(prompts.points)[:, 0].float()
        scale = torch.tensor([max(embedding)]) / 64
        y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
        at = (points / scale)[:, None, :, None, None]
        apart = torch.hypot((x - at[:, :, 0]) * 0.8, y - at[:, :, 1])
        radii = torch.tensor([3.0, 9.0, 20.0]) + (points.sum(dim=1, keepdim=True) % 5)
        logits = (radii[:, :, None, None] - apart) * (1 + points[:, :1, None, None] % 3) / 2
        iou = torch.sigmoid((points[:, :1] * points[:, 1:] / 17 + radii) % 4)
        rows = min(64, round(64 * embedding[0] / max(embedding)) + 2)
        columns = min(64, round(64 * embedding[1] / max(embedding)) + 2)
        inner = tuple(round(256 * side / max(embedding)) for side in embedding)
        steps = (((rows, columns), (4 * rows, 4 * columns)), (inner, embedding))
        found = (upload(values, self.device) for values in (logits, iou))
        return Masks(*found, embedding, Upsampling(embedding, steps))


def same(found, expected):
    """Every array, and every run length."""
    for name in ("iou", "stability", "boxes", "points", "crops"):
        assert np.array_equal(getattr(found, name), getattr(expected, name), equal_nan=True), name
    assert found.rles == expected.rles


@pytest.mark.parametrize(
    "options",
    [
        EverythingOptions(6, pred_iou_thresh=0.7, stability_score_thresh=0.6),
        EverythingOptions(6, pred_iou_thresh=0, stability_score_thresh=None),
        EverythingOptions(5, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=0.3),
        EverythingOptions(4, True, 0.6, 0.5, crop_n_layers=1, min_mask_region_area=30),
        EverythingOptions(3, pred_iou_thresh=1),
    ],
)
def test_everything_is_the_same_and_a_single_crop_lets_the_host_wait_four_times(options):
    expected = everything(Blobs("cpu"), IMAGE, options)
    with pretended_gpu() as gpu:
        found = everything(Blobs("cuda:0"), IMAGE, options)
    same(found, expected)
    assert bool(len(found)) == (options.pred_iou_thresh < 1)
    if not options.crop_n_layers:
        assert gpu.waits.total() <= 4


@pytest.mark.parametrize("wave", [1, 64 * 64 * 4 * 3 * 12])
def test_waves_are_the_same(wave, monkeypatch):
    options = GridOptions(6, pred_iou_thresh=0.6, stability_score_thresh=0.5)
    expected = [crop_candidates(Blobs("cpu"), SIZE, Crop.whole(SIZE), options, suppress=True)]
    expected.append(candidates(Blobs("cpu"), SIZE, SIZE, options))
    monkeypatch.setattr(on_gpu, "WAVE", wave)
    with pretended_gpu():
        model = Blobs("cuda:0")
        found = [crop_candidates(model, SIZE, Crop.whole(SIZE), options, suppress=True)]
        found.append(candidates(model, SIZE, SIZE, options))
    for one, other in zip(found, expected, strict=True):
        same(one, other)
    assert len(expected[1]) > len(expected[0]) > 0


def test_logits_stay_on_the_gpu():
    expected = grid(Blobs("cpu"), SIZE, SIZE, points_per_side=6)
    with pretended_gpu() as gpu:
        found = grid(Blobs("cuda:0"), SIZE, SIZE, points_per_side=6)
        assert gpu.waits.total() <= 2
        assert found.logits.device.type == "cuda"
        assert torch.equal(found.logits.cpu(), expected.logits)
    assert torch.equal(found.iou, expected.iou)


def test_run_lengths_are_the_same():
    masks = torch.from_numpy(np.random.default_rng(0).random((5, 31, 17)) > 0.4)
    with pretended_gpu() as gpu:
        assert rle.encode(masks.to("cuda:0")) == rle.encode(masks)
        assert gpu.waits.total() == 3  # one is the copy of this test


@given(
    boxes=st.lists(st.tuples(*4 * [st.integers(0, 12)]), max_size=30),
    threshold=st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]),
    seed=st.integers(0, 99),
)
def test_suppression_keeps_the_same_boxes(boxes, threshold, seed):
    rng = np.random.default_rng(seed)
    corners = np.array(boxes, np.int64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    scores = rng.integers(0, 6, len(corners)).astype(np.float32)
    valid = rng.random(len(corners)) < 0.8
    (order, stays), settled = surviving(*map(torch.from_numpy, (corners, scores, valid)), threshold)
    assert settled
    index = np.flatnonzero(valid)
    expected = index[nms(corners[index].astype(np.float32), scores[index], threshold)]
    assert np.array_equal(order[stays], expected)


@pytest.mark.parametrize(("name", "value"), [("ROUNDS", 2), ("TOGETHER", 10)])
def test_suppression_that_is_not_settled_is_left_to_the_host(name, value, monkeypatch):
    boxes = torch.tensor([[x, 0, x + 10, 10] for x in range(0, 60, 2)])
    scores, valid = torch.arange(30.0).flip(0), torch.ones(30, dtype=torch.bool)
    assert surviving(boxes, scores, valid, 0.4)[1]
    options = EverythingOptions(6, True, 0.1, 0, box_nms_thresh=0.3)
    expected = everything(Blobs("cpu"), IMAGE, options)
    monkeypatch.setattr(f"sambench.masks.geometry.{name}", value)
    assert not surviving(boxes, scores, valid, 0.4)[1]
    with pretended_gpu():
        same(everything(Blobs("cuda:0"), IMAGE, options), expected)


def test_arrays_come_back_as_they_were_in_one_copy():
    values = (
        torch.tensor([True, False, True]),
        torch.tensor([[1.5, -2.0]]),
        torch.tensor(7),
        torch.zeros(0, 4, dtype=torch.int64),
        torch.arange(5)[::2],
    )
    with pretended_gpu() as gpu:
        found = download(*(upload(value, "cuda:0") for value in values))
        assert gpu.waits.total() == 1
    for array, value in zip(found, values, strict=True):
        assert array.flags.aligned
        assert array.dtype == value.numpy().dtype
        assert np.array_equal(array, value)
