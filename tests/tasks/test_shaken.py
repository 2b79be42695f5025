"""Prompts that shake: where they go, what is made of the answers, what alone moves them."""

import math
import zlib

import numpy as np
import pytest
import torch

import sambench
from sambench.checks.task import check_task
from sambench.errors import UserError
from sambench.interfaces import Masks, Model, ModelCard, Sample
from sambench.masks import rle
from sambench.masks.clicks import Click
from sambench.registry import load
from sambench.tasks._around import missing
from sambench.tasks._clicking import Target, targets_of
from sambench.truths import Instances

SIZE = 60, 100
BOXES = ((20, 10, 60, 30), (70, 38, 90, 54))


def filled(box):
    mask = np.zeros(SIZE, dtype=bool)
    x0, y0, x1, y1 = box
    mask[y0:y1, x0:x1] = True
    return mask


def truth(boxes=BOXES, ids=(5, 9)):
    rles = rle.encode(np.stack([filled(box) for box in boxes]))
    return Instances(
        size=SIZE, rles=tuple(rles), ids=tuple(ids), categories=np.array([1, 2][: len(boxes)]),
        boxes=np.array(boxes, dtype=np.float64), areas=rle.areas(rles).astype(np.float64),
        crowd=np.zeros(len(boxes), dtype=bool),
    )  # fmt: skip


class Counting(Model):
    """Answers a box with itself, a click with the object under it; counts what it was asked."""

    prompt_batch = 7

    def __init__(self):
        self.card = ModelCard("counting")
        self.embedded, self.asked, self.several = 0, [], set()

    def embed(self, images):
        self.embedded += len(images)
        return [None for _ in images]

    def predict(self, embedding, prompts, *, multimask):
        self.asked.append(len(prompts))
        self.several.add(multimask)
        if prompts.boxes is None:
            inside = [filled(BOXES[int(x >= 65)]) for [[x, _]] in prompts.points]
        else:
            inside = [filled(np.rint(box).astype(int)) for box in prompts.boxes]
        logits = torch.from_numpy(np.stack(inside)).float()[:, None] * 2 - 1
        return Masks(logits, torch.ones(len(inside), 1), SIZE, torch.Tensor.clone)


def answered(spec, model=None, of=None):
    model, task = model or Counting(), load("task", spec)
    image = np.zeros((*SIZE, 3), dtype=np.uint8)
    sample = Sample("a", image, of or truth())
    [embedding] = model.embed([image])
    return task, task.predict(model, embedding, sample)


def boxes_of(spec, of=None):
    """(objects, prompts, 4)."""
    return np.array(answered(spec, of=of)[1].prompts)


def test_every_object_gets_all_prompts_of_one_embedding():
    model = Counting()
    _, found = answered("shaken:steps=3,draws=4", model)
    assert (found.objects, model.embedded) == ([0, 1], 1)
    assert [len(masks) for masks in found.masks] == [13, 13]
    assert model.asked == [7, 7, 7, 5]  # 26, as many at a time as the model likes
    assert model.several == {True}
    answered("shaken:mask=single", model)
    assert model.several == {True, False}


def test_sides_move_by_a_part_of_the_side_and_draws_scale_with_the_size():
    found = boxes_of("shaken:most=0.2,steps=4,draws=200")
    still = np.array(BOXES, dtype=float)
    assert (found[:, 0] == still).all()
    for box, own in zip(still, found, strict=True):
        sides = np.array([box[2] - box[0], box[3] - box[1]] * 2)
        steps = (own[1:].reshape(4, 200, 4) - box) / sides
        assert np.abs(steps[3]).max() <= 0.2
        assert np.abs(steps[3]).max() > 0.19
        # Uniform over 0.4: a deviation of 0.4 / sqrt(12), and no side goes with another.
        assert steps[3].std(axis=0) == pytest.approx([0.4 / math.sqrt(12)] * 4, rel=0.12)
        assert np.abs(np.corrcoef(steps[3].T) - np.eye(4)).max() < 0.25
        for part in (1, 2, 3):
            assert steps[part - 1] == pytest.approx(steps[3] * part / 4, abs=1e-9)
    assert not np.allclose(found[0, -1] - still[0], found[1, -1] - still[1])


def test_outward_grows_by_whole_pixels_as_medsam_does():
    moved = boxes_of("shaken:shake=outward,most=3,steps=1,draws=400")[0, 1:] - BOXES[0]
    steps = moved * [-1, -1, 1, 1]
    assert set(np.unique(steps)) == {0, 1, 2, 3}
    shares = [(steps == pixels).mean() for pixels in range(4)]
    assert shares == pytest.approx([0.25] * 4, abs=0.04)


def test_boxes_stay_in_the_image_and_have_an_area():
    found = boxes_of("shaken:most=5,steps=2,draws=50")
    low, high = found[..., :2], found[..., 2:]
    assert (low >= 0).all()
    assert (high <= [SIZE[1], SIZE[0]]).all()
    assert (high - low >= 1).all()
    grown = boxes_of("shaken:shake=outward,most=500,steps=1,draws=50")[:, 1:]
    assert grown.min() == 0
    assert grown[..., 2].max() == SIZE[1]


def test_clicks_stay_in_the_object_and_spread_with_the_shake():
    found = boxes_of("shaken:shake=click,most=0.4,steps=2,draws=600")
    assert found[0, 0].tolist() == [29, 19]  # the first of the pixels farthest from the boundary
    for box, own in zip(BOXES, found, strict=True):
        x, y = own[:, 0], own[:, 1]
        assert ((x >= box[0]) & (x < box[2]) & (y >= box[1]) & (y < box[3])).all()
        assert (own == np.rint(own)).all()
    centre = found[1, 0]
    near, far = (
        np.linalg.norm(part - centre, axis=1) for part in (found[1, 1:601], found[1, 601:])
    )
    assert (near <= far).all()  # the same draws
    assert near.mean() < 0.8 * far.mean()


def test_a_small_gaussian_has_the_deviation_that_was_asked_for():
    # The object is 400 x 400: of a deviation of 5 % of its side, 20 pixels, nothing is cut off.
    mask = np.zeros((440, 440), dtype=bool)
    mask[20:420, 20:420] = True
    target = Target(mask, None, np.array([20.0, 20, 420, 420]), (1, 1))
    clicks = load("task", "shaken:shake=click,most=0.05,steps=1,draws=4000")._prompts(target)
    assert clicks[1:].std(axis=0) == pytest.approx([20, 20], rel=0.05)
    assert clicks[1:].mean(axis=0) == pytest.approx(clicks[0], abs=1.5)


def test_a_large_gaussian_is_uniform_in_the_object():
    clicks = boxes_of("shaken:shake=click,most=1000,steps=1,draws=2000")[0, 1:]
    assert clicks.mean(axis=0) == pytest.approx([39.5, 19.5], abs=0.8)
    assert clicks.std(axis=0) == pytest.approx([40 / math.sqrt(12), 20 / math.sqrt(12)], rel=0.05)


def test_draws_are_of_seed_image_and_object_alone():
    spec = "shaken:steps=2,draws=3"
    both, second = boxes_of(spec), boxes_of(spec, truth(BOXES[1:], (9,)))
    assert (both[1] == second[0]).all()
    assert (both[:, 1:] != boxes_of(f"{spec},seed=1")[:, 1:]).any()
    _, [target, _] = targets_of("a", truth(), crowd=False)
    rng = np.random.default_rng((0, zlib.crc32(b"a"), 5))
    by_hand = BOXES[0] + rng.uniform(-1, 1, (3, 4)) * 0.2 * [40, 20, 40, 20]
    assert both[0, -3:] == pytest.approx(by_hand)
    assert target.key == (zlib.crc32(b"a"), 5)


def overlap(one, other):
    """IoU of two boxes of whole pixels."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = np.prod(np.maximum(sides, 0))
    areas = [np.prod(box[2:] - box[:2]) for box in (one, other)]
    return common / (sum(areas) - common)


def test_records_and_numbers_by_hand():
    """Of a model that answers each box with itself: IoU is that of the boxes."""
    task, found = answered("shaken:shake=outward,most=6,steps=3,draws=4")
    record = task.score(found, truth())
    expected = [
        [overlap(np.array(box), np.array(moved)) for moved in own[1:]]
        for box, own in zip(BOXES, found.prompts, strict=True)
    ]
    assert record["still"] == [1, 1]
    assert record["objects"] == [5, 9]
    assert np.array(record["iou"]).reshape(2, 12) == pytest.approx(np.array(expected))
    measured = task.estimator([record])(np.ones(1))
    table = np.array(expected).reshape(2, 3, 4)
    assert measured["mIoU_still"] == 1
    assert measured["mIoU@2"] == pytest.approx(table[:, 0].mean())
    assert measured["mIoU_worst@4"] == pytest.approx(table[:, 1].min(axis=1).mean())
    assert measured["mIoU"] == pytest.approx(table[:, 2].mean())
    assert measured["mIoU_worst"] == pytest.approx(table[:, 2].min(axis=1).mean())
    assert measured["spread"] == pytest.approx(table[:, 2].std(axis=1).mean())
    assert measured.keys() == {metric.name for metric in task.metrics}
    means = task.by_category([record])(np.ones(1))
    assert means == pytest.approx({"1": table[0, 2].mean(), "2": table[1, 2].mean()})
    mean, worst, still = task.curves([record])
    assert (sum(still.counts), still.counts[-1]) == (2, 2)
    assert mean.x == worst.x == (0, 2, 4, 6)
    assert mean.y == pytest.approx([1, *table.mean(axis=(0, 2))])
    assert worst.y == pytest.approx([1, *table.min(axis=2).mean(axis=0)])
    assert worst.y[3] <= mean.y[3] <= mean.y[0]


def test_what_is_kept_is_read_again_and_drawn(tmp_path):
    task, found = answered("shaken:steps=2,draws=2")
    task.save(found, tmp_path / "a")
    assert task.load(tmp_path / "a").prompts == found.prompts
    assert task.score(task.load(tmp_path / "a"), truth()) == task.score(found, truth())
    assert len(task.layers(found)["Shaken"].masks) == 2
    record = task.score(found, truth())
    assert task.marks(record, found, truth()).boxes == [list(map(float, box)) for box in BOXES]
    assert task.asked(found, truth()).masks == list(truth().rles)
    task, found = answered("shaken:shake=click")
    assert task.marks(record, found, truth()).clicks[0] == [(29, 19, True)]


def test_the_task_keeps_its_contract():
    dataset = load("dataset", "scenes", width=80, height=64, images=3)
    pairs = {"sides": "box_mask", "click": "superpixel"}
    for shake, model in pairs.items():
        task = load("task", f"shaken:shake={shake},steps=2,draws=2")
        assert check_task(task, load("model", model), dataset).findings == ()


@pytest.mark.parametrize("option", ["most=0", "steps=0", "draws=0", "seed=-1"])
def test_an_option_out_of_range_is_refused(option):
    with pytest.raises(UserError, match=option.partition("=")[0]):
        load("task", f"shaken:{option}")


def test_a_run_has_intervals_over_images(tmp_path):
    result = sambench.evaluate(
        "shaken:steps=2,draws=2", model="box_mask", dataset="scenes:images=6,width=64,height=64",
        output=tmp_path, progress=False,
    )  # fmt: skip
    shaken, still = result.metrics["mIoU"], result.metrics["mIoU_still"]
    assert shaken.low < shaken.value < shaken.high
    assert shaken.value < still.value
    assert result.metrics["mIoU_worst"].value < shaken.value


def test_a_click_that_misses_stays_in_its_region_and_is_new():
    region, rng = filled(BOXES[0]), np.random.default_rng(0)
    aim = Click(40, 20, positive=False)
    assert missing(aim, region, (), 0.0, rng) is aim
    made = [missing(aim, region, (), 0.5, rng) for _ in range(300)]
    assert all(region[int(click.y), int(click.x)] for click in made)
    assert not any(click.positive for click in made)
    assert len({click.x for click in made}) > 20
    near = [missing(aim, region, (), 0.005, rng) for _ in range(20)]
    assert {(click.x, click.y) for click in near} == {(40, 20)}
    left = {(40, 20), (59, 29)}
    others = [(x, y) for y, x in np.argwhere(region).tolist() if (x, y) not in left]
    made = [missing(aim, region, others, 5.0, rng) for _ in range(50)]
    assert {(click.x, click.y) for click in made} == left


def test_interactive_misses_the_centre_by_seed_and_object_alone():
    def clicks(options):
        task, model = load("task", f"interactive:clicks=1{options}"), Counting()
        [embedding] = model.embed([np.zeros((*SIZE, 3), dtype=np.uint8)])
        image = np.zeros((*SIZE, 3), dtype=np.uint8)
        return task.predict(model, embedding, Sample("a", image, truth())).clicks

    assert clicks("") == clicks(",seed=3") != clicks(",shake=0.4")
    assert clicks(",shake=0.4") == clicks(",shake=0.4") != clicks(",shake=0.4,seed=3")
    for (x0, y0, x1, y1), [[x, y, positive]] in zip(BOXES, clicks(",shake=0.4"), strict=True):
        assert positive
        assert x0 <= x < x1
        assert y0 <= y < y1
