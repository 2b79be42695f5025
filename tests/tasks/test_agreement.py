"""Two models' masks for the same prompts, and what everything's masks hold of each object."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from sambench.errors import UserError
from sambench.interfaces import Sample
from sambench.masks import rle
from sambench.registry import load
from sambench.tasks.agreement import negative
from sambench.tasks.everything import best_masks
from sambench.truths import Instances

SIZE = 40, 60
IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def instances(*boxes, crowd=()):
    masks = np.zeros((len(boxes), *SIZE), dtype=bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = True
    return Instances(
        SIZE, tuple(rle.encode(masks)), tuple(range(1, len(boxes) + 1)),
        np.ones(len(boxes), dtype=np.int64), np.array(boxes, dtype=np.float64),
        masks.sum(axis=(1, 2)).astype(np.float64),
        np.array([index in crowd for index in range(len(boxes))]),
    )  # fmt: skip


TRUTH = instances((5, 5, 15, 15), (20, 10, 50, 30), (0, 0, 60, 40), (3, 3, 3, 3), crowd=(2,))
"""Two objects, a crowd region and an object without a pixel."""


def records_of(spec, model):
    task, model = load("task", spec), load("model", model)
    answers = task.predict(model, model.embed([IMAGE])[0], Sample("a", IMAGE, TRUTH))
    return answers, task.score(answers, TRUTH)


@pytest.mark.parametrize("prompt", ["point", "pair,distance=12"])
def test_a_model_agrees_with_itself(prompt):
    _, record = records_of(f"agreement:teacher=flood_fill,prompt={prompt}", "flood_fill")
    assert record["iou"] == [1, 1]
    assert (record["objects"], record["left_out"]) == ([1, 2], 1)


def test_boxes_of_a_teacher_that_answers_with_all_of_the_image():
    answers, record = records_of("agreement:teacher=whole_image,prompt=box", "box_mask")
    assert record["iou"] == pytest.approx([100 / 2400, 600 / 2400])
    task = load("task", "agreement:prompt=box")
    assert task.marks(record, answers, TRUTH).boxes == [[5, 5, 15, 15], [20, 10, 50, 30]]
    assert task.asked(answers, TRUTH).masks == answers.teacher


def test_what_was_saved_is_read_and_scores_the_same(tmp_path):
    answers, record = records_of("agreement:teacher=flood_fill", "superpixel")
    task = load("task", "agreement")
    task.save(answers, tmp_path / "a")
    assert task.score(task.load(tmp_path / "a"), TRUTH) == json.loads(json.dumps(record))


def test_a_teacher_that_takes_other_prompts_is_refused():
    with pytest.raises(UserError, match=r"teacher=box_mask takes no points; give another"):
        load("task", "agreement:teacher=box_mask").check(None)


def test_the_teachers_weights_are_stated_and_it_does_not_travel():
    task = load("task", "agreement:teacher=flood_fill,prompt=box")
    assert task.stated["teacher's weights"] == "flood_fill"
    assert "click" not in task.stated
    assert "model" in vars(task)
    assert vars(pickle.loads(pickle.dumps(task))).keys() == {
        "teacher", "prompt", "distance", "mask", "seed",
    }  # fmt: skip
    assert load("task", "agreement:prompt=pair").stated.keys() >= {"click", "negative click"}


def test_a_negative_click_stays_within_the_image_or_is_none():
    for seed in range(50):
        x, y = negative(2, 3, 20, SIZE, np.random.default_rng(seed))
        assert 0 <= x < 60
        assert 0 <= y < 40
        assert abs(np.hypot(x - 2, y - 3) - 20) < 0.71
    assert negative(30, 20, 40, SIZE, np.random.default_rng(0)) is None
    _, record = records_of("agreement:teacher=superpixel,prompt=pair,distance=90", "superpixel")
    assert (record["iou"], record["left_out"]) == ([], 3)


# Everything


def test_one_mask_may_be_the_best_of_several_objects():
    found = rle.encode(instances((5, 5, 50, 30), (0, 35, 5, 40)).masks())
    iou, place = best_masks(found, TRUTH, [0, 1])
    assert iou == pytest.approx([100 / 1125, 600 / 1125])
    assert place.tolist() == [0, 0]
    for masks, objects in (([], [0, 1]), (found, [])):
        iou, place = best_masks(masks, TRUTH, objects)
        assert (iou.tolist(), place.tolist()) == ([0] * len(objects), [-1] * len(objects))
    apart = rle.encode(instances((40, 0, 50, 4), (20, 10, 50, 30)).masks())
    iou, place = best_masks(apart, TRUTH, [0, 1])
    assert (iou.tolist(), place.tolist()) == ([0, 1], [-1, 1])


def test_pixels_that_do_not_count_do_not():
    ignore = np.zeros(SIZE, dtype=bool)
    ignore[:, 15:] = True
    found = rle.encode(instances((5, 5, 50, 15)).masks())
    assert best_masks(found, TRUTH, [0])[0] == pytest.approx([100 / 450])
    assert best_masks(found, replace(TRUTH, ignore=ignore), [0])[0] == pytest.approx([1])


def test_crowds_and_objects_without_a_pixel_are_not_asked_for():
    task = load("task", "everything:points_per_side=4,pred_iou_thresh=0,stability_score_thresh=0")
    model = load("model", "superpixel")
    found = task.predict(model, model.embed([IMAGE])[0], Sample("a", IMAGE, TRUTH))
    record = task.score(found, TRUTH)
    assert (record["objects"], record["left_out"]) == ([1, 2], 1)
    assert record["masks"] == len(found.detections.rles)


def test_a_model_that_proposes_itself_is_not_prompted():
    task, model = load("task", "everything"), load("model", "box_grid")
    found = task.predict(model, model.embed([IMAGE])[0], Sample("a", IMAGE, TRUTH))
    rles, _ = model.propose(IMAGE)
    assert list(found.detections.rles) == list(rles)
