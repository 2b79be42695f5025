"""What a model predicts of its masks is kept with each, and measured where it is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from sambench.errors import UserError
from sambench.interfaces import Curve, Histogram, Masks, Model, ModelCard, Sample
from sambench.masks import rle
from sambench.metrics.statistics import evaluated
from sambench.registry import load
from sambench.shown import as_details, from_details
from sambench.tasks._confidence import Told
from sambench.truths import Instances

SIZE = 40, 60
BOXES = ((5, 5, 25, 25), (30, 10, 50, 30))
IMAGE = np.zeros((*SIZE, 3), dtype=np.uint8)


def truth():
    masks = np.zeros((len(BOXES), *SIZE), dtype=bool)
    for mask, (x0, y0, x1, y1) in zip(masks, BOXES, strict=True):
        mask[y0:y1, x0:x1] = True
    return Instances(
        SIZE, tuple(rle.encode(masks)), (1, 2), np.ones(2, dtype=np.int64),
        np.array(BOXES, dtype=np.float64), np.full(2, 400.0), np.zeros(2, dtype=bool),
    )  # fmt: skip


class Halves(Model):
    """Answers with the upper half, the left quarter and all of the left or right of the image."""

    SAID = ((0.5, 0.25, 0.75), (0.875, 0.125, 1.25))

    def __init__(self):
        self.card = ModelCard("halves")

    def embed(self, images):
        return [None for _ in images]

    def predict(self, embedding, prompts, *, multimask):
        places = prompts.points[:, 0, 0] if prompts.boxes is None else prompts.boxes[:, 0]
        logits = torch.full((len(prompts), 3, *SIZE), -1.0)
        logits[:, 0, :20] = 1
        logits[:, 1, :, :15] = 1
        for row, place in enumerate(places):
            logits[row, 2, :, :30] = 1 if place < 28 else -1
            logits[row, 2, :, 30:] = 1 if place >= 28 else -1
        said = torch.tensor([self.SAID[int(place >= 28)] for place in places])
        answer = Masks(logits, said, SIZE, torch.Tensor.clone)
        return answer if multimask else answer.most_confident()


class Mistaken(Halves):
    """Prefers the upper half for the left object, which the left half of the image fits better."""

    SAID = ((0.9375, 0.25, 0.75), (0.875, 0.125, 1.25))


def answered(spec, model=None):
    task, model = load("task", spec), model or Halves()
    found = task.predict(model, model.embed([IMAGE])[0], Sample("a", IMAGE, truth()))
    return task, found, json.loads(json.dumps(task.score(found, truth())))


def test_each_candidate_of_a_click_keeps_what_was_predicted_of_it():
    task, found, record = answered("points")
    assert found.predicted == record["predicted"] == [list(said) for said in Halves.SAID]
    # Of 400 pixels each: 300 in the upper 1200; 200 in the left 600; all in the half of 1200.
    first = [300 / 1300, 200 / 800, 400 / 1200]
    assert record["candidates"][0] == pytest.approx(first)
    assert record["candidates"][1] == pytest.approx([200 / 1400, 0, 400 / 1200])
    assert record["iou"] == [[pytest.approx(1 / 3)]] * 2  # the third is the most confident
    measured = task.estimator([record])(np.ones(1))
    assert measured["overconfidence"] == pytest.approx(1 - 1 / 3)
    assert measured["choice_cost"] == 0


def test_the_single_mask_of_a_click_has_one_prediction():
    _, found, record = answered("points:mask=single")
    assert found.predicted == [[0.75], [1.25]]
    assert [len(own) for own in record["candidates"]] == [1, 1]


def test_the_mask_of_a_box_keeps_what_was_predicted_of_it(tmp_path):
    task, found, record = answered("instances")
    assert record["predicted"] == [0.75, 1.25]
    task.save(found, tmp_path / "a")
    assert task.load(tmp_path / "a").predicted == (0.75, 1.25)
    assert task.estimator([record])(np.ones(1))["overconfidence"] == pytest.approx(1 - 1 / 3)


@pytest.mark.parametrize("spec", ["instances", "instances:mask=single,refine=confident"])
def test_what_the_choice_among_the_masks_of_a_box_costs(spec, tmp_path):
    task, found, record = answered(spec, Mistaken())
    assert record["iou"] == pytest.approx([300 / 1300, 1 / 3])
    assert record["oracle"] == pytest.approx([1 / 3, 1 / 3])
    cost = task.estimator([record])(np.ones(1))["choice_cost"]
    assert cost == pytest.approx((1 / 3 - 300 / 1300) / 2)
    task.save(found, tmp_path / "a")
    again = task.load(tmp_path / "a")
    assert [len(own) for own in again.others] == [2, 2]
    assert json.loads(json.dumps(task.score(again, truth()))) == record


@pytest.mark.parametrize("options", ["mask=single", "mask=box-iou", "refine=single"])
def test_where_no_most_confident_mask_is_taken_nothing_is_said_of_the_choice(options):
    task, _, record = answered(f"instances:{options}")
    assert "oracle" not in record
    assert "choice_cost" not in task.estimator([record])(np.ones(1))


def test_candidates_of_some_boxes_alone_are_refused(tmp_path):
    task, found, _ = answered("instances")
    path = task.save(found, tmp_path / "a")
    entries = json.loads(path.read_text())
    del entries[1]["others"]
    path.write_text(json.dumps(entries))
    with pytest.raises(UserError, match=r'a\.json: \[1\] has no "others"'):
        task.load(tmp_path / "a")


@pytest.mark.parametrize("spec", ["points", "instances"])
def test_predictions_made_elsewhere_are_measured_without_it(spec):
    task, found, known = answered(spec)
    record = task.score(replace(found, predicted=type(found.predicted)()), truth())
    assert "predicted" not in record
    with_it, without = (task.estimator([each])(np.ones(1)) for each in (known, record))
    assert {"ECE", "Spearman"} <= with_it.keys() - without.keys()
    assert without == pytest.approx({name: with_it[name] for name in without}, nan_ok=True)
    assert not [drawn for drawn in task.curves([record]) if drawn.name == "reliability"]


def records(count=12):
    rng = np.random.default_rng(3)
    made = []
    for _ in range(count):
        size = int(rng.integers(1, 5))
        said, was = rng.random((2, size))
        made.append({
            "predicted": said.tolist(), "iou": was.tolist(), "boundary_iou": was.tolist(),
            "areas": [400.0] * size, "categories": [1] * size,
        })  # fmt: skip
    return made


def test_a_part_of_the_images_is_measured_as_by_itself():
    task, every = load("task", "instances"), records()
    places = np.array([1, 4, 5, 9])
    whole, part = task.estimator(every), task.estimator([every[i] for i in places])
    assert whole.part(places)(np.ones(4)) == pytest.approx(part(np.ones(4)), nan_ok=True)


def test_many_weightings_are_what_each_gives_and_only_what_is_asked_for():
    estimator, weights = load("task", "instances").estimator(records()), np.eye(12) + 1
    many = evaluated(estimator, weights, None)
    for row, counts in enumerate(weights):
        one = estimator(counts)
        assert {name: many[name][row] for name in one} == pytest.approx(one, nan_ok=True)
    assert evaluated(estimator, weights, frozenset({"mIoU"})).keys() == {"mIoU"}
    assert evaluated(estimator, weights, frozenset({"Spearman"})).keys() == {"Spearman"}


def test_what_is_drawn_can_be_read_from_a_result():
    told = Told.of([[0.1, None], [0.15, 1.2]], [[0.3, 0.5], [0.4, 0.9]])
    assert told == Told([[0.1], [0.15, 1.2]], [[0.3], [0.4, 0.9]])
    curve, histogram = from_details(json.loads(json.dumps(as_details(told.drawings()))))
    assert isinstance(curve, Curve)
    assert (curve.name, curve.diagonal) == ("reliability", True)
    # .1 is in the second bin of a 15th, .15 in the third, 1.2 in the last.
    assert [curve.x, curve.y] == [(0.1, 0.15, 1.2), (0.3, 0.4, 0.9)]
    assert isinstance(histogram, Histogram)
    assert (histogram.name, sum(histogram.counts), histogram.counts[-1]) == ("predicted IoU", 3, 1)
    assert Told.of([[None]], [[0.0]]).drawings() == []
