"""COCO results files, of boxes and of masks: what pycocotools says of them, or one sentence."""

import contextlib
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sambench.cli import main
from sambench.datasets.saco import Saco
from sambench.engine.evaluation import evaluate
from sambench.engine.rescoring import rescore, saved_model
from sambench.engine.settings import Settings
from sambench.errors import UserError
from sambench.registry import find, load

H, W = 64, 96
BOX = [20, 10, 40, 30]
RING = [20, 10, 60, 10, 60, 40, 20, 40]
CATEGORIES = {1: 1, 2: 3, 3: 1}
"""Of the object of each image."""


def mask(box=BOX):
    x, y, w, h = box
    drawn = np.zeros((H, W), dtype=np.uint8, order="F")
    drawn[y : y + h, x : x + w] = 1
    rle = coco_mask.encode(drawn)
    return {"size": [H, W], "counts": rle["counts"].decode()}


@pytest.fixture
def own(tmp_path):
    """Folder of three images with an object each."""
    (tmp_path / "images").mkdir()
    for n in CATEGORIES:
        Image.new("RGB", (W, H), (n, n, n)).save(tmp_path / "images" / f"{n}.png")
    content = {
        "info": {},
        "images": [{"id": n, "file_name": f"{n}.png", "height": H, "width": W} for n in CATEGORIES],
        "annotations": [
            {"id": n, "image_id": n, "category_id": c, "segmentation": [RING], "bbox": BOX,
             "area": 1200, "iscrowd": 0}
            for n, c in CATEGORIES.items()
        ],
        "categories": [{"id": 1, "name": "red_fish"}, {"id": 3, "name": "bird"}],
    }  # fmt: skip
    (tmp_path / "own.json").write_text(json.dumps(content))
    return tmp_path


def dataset(own):
    return load("dataset", "coco", annotations=str(own / "own.json"), images=str(own / "images"))


def official(own, rows, kind):
    """AP by pycocotools."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(own / "own.json"))
        evaluator = COCOeval(truth, truth.loadRes(rows), kind)
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator.stats[0]


def boxes(**fields):
    """A box for each object; fields are changed in all, by a function of the entry."""
    rows = [
        {"image_id": n, "category_id": c, "bbox": BOX, "score": 0.9} for n, c in CATEGORIES.items()
    ]
    for row in rows:
        row |= {key: value(row) for key, value in fields.items()}
    return rows


def masks(**fields):
    rows = [
        {"image_id": n, "category_id": c, "segmentation": mask(), "score": 0.9}
        for n, c in CATEGORIES.items()
    ]
    for row in rows:
        row |= {key: value(row) for key, value in fields.items()}
    return rows


def more(rows, **fields):
    return [*rows, rows[-1] | fields]


def many(rows, key, wrong):
    """150 worse ones of the first image, before the right one."""
    return [rows[0] | {key: wrong, "score": 0.91 + i / 1e4} for i in range(150)] + rows


def detected(own, rows, *options):
    """Results of the boxes, with a model that fills them."""
    (own / "boxes.json").write_text(rows if isinstance(rows, str) else json.dumps(rows))
    spec = ",".join([f"instances:detections={own / 'boxes.json'}", *options])
    return evaluate(
        spec, model="box_mask", dataset=dataset(own), output=own / "out", progress=False, fresh=True
    )


AS_PYCOCOTOOLS = {
    "plain": boxes(),
    "scores below 0": boxes(score=lambda row: -1.5 - row["image_id"]),
    "scores in percent": boxes(score=lambda row: 90),
    "a box without area": more(boxes(), bbox=[5, 5, 0, 7], score=0.01),
    "a box without area, first": more(boxes(), bbox=[5, 5, 7, 0], score=0.99),
    "a box outside": more(boxes(), bbox=[500, 500, 30, 20], score=0.01),
    "a box partly outside": more(boxes(), bbox=[-15.5, -8, 30, 20], score=0.01),
    "categories as floats": boxes(category_id=lambda row: float(row["category_id"])),
    "ids as floats": boxes(image_id=lambda row: float(row["image_id"])),
    "more than 100": many(boxes(), "bbox", [0, 0, 9, 9]),
    "categories swapped": boxes(category_id=lambda row: 4 - row["category_id"]),
    "masks beside": boxes(segmentation=lambda row: mask()),
}


@pytest.mark.parametrize("name", AS_PYCOCOTOOLS)
def test_boxes_score_as_with_pycocotools(own, name):
    rows = AS_PYCOCOTOOLS[name]
    result = detected(own, rows)
    wanted = official(own, rows, "bbox")
    assert result.metrics["boxAP"].value == pytest.approx(wanted, abs=1e-12)


def test_the_official_evaluator_takes_annotations_with_names(own):
    content = json.loads((own / "own.json").read_text())
    for part in ("images", "annotations"):
        for entry in content[part]:
            entry |= {key: f"n{entry[key]}" for key in ("id", "image_id") if key in entry}
    (own / "own.json").write_text(json.dumps(content))
    rows = boxes(image_id=lambda row: f"n{row['image_id']}")
    for evaluator in ("sambench", "official"):
        found = detected(own, rows, f"evaluator={evaluator}")
        assert found.metrics["AP"].value == pytest.approx(1)


BOXES_AS_MEANT = {
    "ids as text": boxes(image_id=lambda row: str(row["image_id"])),
    "categories as text": boxes(category_id=lambda row: str(row["category_id"])),
    "scores as text": boxes(score=lambda row: "0.9"),
    "boxes as text": boxes(bbox=lambda row: list(map(str, BOX))),
}


@pytest.mark.parametrize("name", BOXES_AS_MEANT)
def test_boxes_are_read_as_meant(own, name):
    assert detected(own, BOXES_AS_MEANT[name]).metrics["boxAP"].value == pytest.approx(1)


BOXES_REFUSED = {
    "five numbers": (boxes(bbox=lambda row: [*BOX, 1]), r"\[0\].bbox is a list of 5"),
    "null": (more(boxes(), bbox=None), r"\[3\].bbox is null"),
    "object": (more(boxes(), bbox={"x": 1}), r"\[3\].bbox is an object"),
    "NaN": (more(boxes(), bbox=[1, 2, float("nan"), 4]), r"\[3\].bbox\[2\] is NaN"),
    "sides below 0": (more(boxes(), bbox=[50, 50, -30, -20]), "a box of -30 x -20"),
    "fractions": (boxes(bbox=lambda row: [0.2, 0.1, 0.4, 0.5]), "fractions"),
    "corners": (boxes(bbox=lambda row: [20, 10, 60, 40]), "boxes x0, y0, x1, y1"),
    "centres": (boxes(bbox=lambda row: [40, 25, 40, 30]), "boxes the centre x, y and width"),
    "y first": (boxes(bbox=lambda row: [10, 20, 30, 40]), "boxes y, x, height, width"),
    "corners, y first": (boxes(bbox=lambda row: [10, 20, 40, 60]), "boxes y0, x0, y1, x1"),
    "corners as fractions": (boxes(bbox=lambda row: [20 / W, 0.15, 60 / W, 0.62]), "fractions"),
    "fractions beyond 1": (
        more(boxes(bbox=lambda row: [20 / W, 10 / H, 40 / W, 30 / H]), bbox=[0.9, 0.9, 1.2, 0.3]),
        "boxes x, y, width, height in fractions of the image",
    ),
    "no score": (boxes(score=lambda row: None), r"\[0\].score is null"),
    "score NaN": (boxes(score=lambda row: float("nan")), r"\[0\].score is NaN"),
    "score infinite": (boxes(score=lambda row: float("inf")), r"\[0\].score is Infinity"),
    "score true": (boxes(score=lambda row: True), r"\[0\].score is true"),
    "id true": (boxes(image_id=lambda row: True), r"\[0\].image_id is true"),
    "id null": (boxes(image_id=lambda row: None), r"\[0\].image_id is null"),
    "id by file name": (boxes(image_id=lambda r: f"{r['image_id']}.png"), "such as 1.png"),
    "category by name": (boxes(category_id=lambda row: "bird"), r'category_id is "bird"'),
    "category of a half": (boxes(category_id=lambda row: 1.5), "a whole number"),
    "categories from 0": (boxes(category_id=lambda row: row["category_id"] // 2), "such as 0"),
    "an image more": (more(boxes(), image_id=9), "such as 9"),
    "an image less": (boxes()[:2], "no boxes for 1 of the 3 images"),
    "no box at all": ([], "no boxes for 3 of the 3 images"),
    "masks alone": (masks(), r'\[0\] has no "bbox"'),
    "an annotation file": ({"images": [], "annotations": boxes()}, "a COCO results file"),
    "lines": ("\n".join(map(json.dumps, boxes())), "a second value follows at line 2"),
    "trailing comma": (json.dumps(boxes())[:-1] + ",]", "not valid JSON"),
    "cut short": (json.dumps(boxes())[:-40], "ends too early"),
}


@pytest.mark.parametrize("name", BOXES_REFUSED)
def test_boxes_are_refused_in_one_sentence(own, name):
    rows, words = BOXES_REFUSED[name]
    with pytest.raises(UserError, match=r"boxes\.json") as caught:
        detected(own, rows)
    assert re.search(words, str(caught.value))
    assert str(caught.value).endswith(".")
    assert not (own / "out").exists()


def test_a_part_of_the_boxes_in_another_convention_is_said(own, caplog):
    content = json.loads((own / "own.json").read_text())
    first = content["annotations"][0]
    places = [[5 + 9 * n, 10 + 5 * n, 8, 12] for n in range(8)]
    content["annotations"] = [
        first | {"id": n, "bbox": box, "area": 96, "segmentation": mask(box)}
        for n, box in enumerate(places, 1)
    ]
    (own / "own.json").write_text(json.dumps(content))
    read = [[x, y, x + w, y + h] if n % 2 else [x, y, w, h]
            for n, (x, y, w, h) in enumerate(places)]  # fmt: skip
    rows = boxes() + [boxes()[0] | {"bbox": box} for box in read]
    found = detected(own, rows)
    assert found.metrics["boxAP"].value == pytest.approx(official(own, rows, "bbox"), abs=1e-12)
    assert "seems to have some boxes x0, y0, x1, y1: read so, 4 annotated boxes" in caplog.text


def test_boxes_of_the_images_asked_for_suffice(own):
    for rows in (boxes()[:2], boxes()):
        (own / "boxes.json").write_text(json.dumps(rows))
        result = evaluate(
            f"instances:detections={own / 'boxes.json'}", model="box_mask", dataset=dataset(own),
            limit=2, output=own / "out", progress=False, fresh=True,
        )  # fmt: skip
        assert result.metrics["boxAP"].value == pytest.approx(1)


# Masks of all images in one file


def scored(own, rows, task="instances", **options):
    path = own / "all.json"
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
    given = {**find("task", task).foreign, **options}
    settings = Settings(output=own / "out", progress=False, fresh=True)
    return rescore(
        task, load("task", task, **given), path, saved_model(path), dataset(own), settings
    )


def test_the_command_takes_one_file_for_all_tasks_of_masks(own, capsys):
    (own / "all.json").write_text(json.dumps(masks()))
    given = f"coco:annotations={own / 'own.json'},images={own / 'images'}"
    words = ["--predictions", str(own / "all.json"), "--dataset", given, "--output", str(own)]
    for task, metric in (("instances", "AP"), ("proposals", "AR@1000"), ("text", "cgF1")):
        assert main(["score", "--task", task, *words, "--json", "--workers", "0"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["model"].startswith("all-")
        assert result["metrics"][metric]["value"] == pytest.approx(1, abs=2e-4)
        assert not result["failed"]
    assert main(["score", "--task", "points", *words]) == 2
    assert "a folder with one file per image" in capsys.readouterr().err


ONE_FILE = {
    "plain": masks(),
    "one image less": masks()[:2],
    "the same mask twice": masks() + masks(),
    "scores below 0": masks(score=lambda row: -3.0),
    "more than 100": many(masks(), "segmentation", mask([0, 0, 9, 9])),
    "shuffled": masks()[::-1],
    "floats": masks(image_id=lambda r: float(r["image_id"]), category_id=lambda r: 1.0),
    "categories swapped": masks(category_id=lambda row: 4 - row["category_id"]),
    "an empty mask": more(masks(), segmentation=mask([0, 0, 0, 0]), score=0.95),
}


@pytest.mark.parametrize("name", ONE_FILE)
def test_one_file_scores_as_with_pycocotools(own, name):
    rows = ONE_FILE[name]
    result = scored(own, rows)
    assert result.images == 3
    assert result.metrics["AP"].value == pytest.approx(official(own, rows, "segm"), abs=1e-12)


def test_one_file_scores_as_a_folder(own):
    folder = own / "apart"
    folder.mkdir()
    rows = more(masks(), segmentation=mask([0, 0, 30, 20]), score=0.95)
    for n in CATEGORIES:
        (folder / f"{n}.json").write_text(json.dumps([r for r in rows if r["image_id"] == n]))
    one = scored(own, rows)
    task = load("task", "instances", **find("task", "instances").foreign)
    settings = Settings(output=own / "out2", progress=False)
    apart = rescore("instances", task, folder, saved_model(folder), dataset(own), settings)
    assert repr(apart.metrics) == repr(one.metrics)


def runs():
    counts = coco_mask.decode(mask()).flatten(order="F")
    changes = np.flatnonzero(np.diff(counts)) + 1
    return {"size": [H, W], "counts": np.diff([0, *changes, H * W]).tolist()}


@pytest.mark.parametrize(
    "fields",
    [
        {"image_id": lambda row: str(row["image_id"])},
        {"category_id": lambda row: str(row["category_id"])},
        {"score": lambda row: "0.9"},
        {"segmentation": lambda row: runs()},
        {"bbox": lambda row: BOX, "area": lambda row: 1200},
    ],
)
def test_masks_are_read_as_meant(own, fields):
    assert scored(own, masks(**fields)).metrics["AP"].value == pytest.approx(1)


MASKS_REFUSED = {
    "polygons": (masks(segmentation=lambda row: [RING]), r"\[0\].segmentation is polygons"),
    "null": (masks(segmentation=lambda row: None), r"\[0\].segmentation is null"),
    "boxes": (boxes(), r"\[0\] is a box without a mask"),
    "spelled bytes": (
        masks(segmentation=lambda row: mask() | {"counts": str(mask()["counts"].encode())}),
        r"counts.decode\(\)",
    ),
    "damaged": (
        masks(segmentation=lambda row: mask() | {"counts": mask()["counts"][:-3]}),
        r"\[0\].segmentation.counts has damaged",
    ),
    "sizes swapped": (
        masks(segmentation=lambda row: mask() | {"size": [W, H // 2]}), "another size",
    ),
    "no score": (masks(score=lambda row: None), r"\[0\].score is null"),
    "score NaN": (masks(score=lambda row: float("nan")), r"\[0\].score is NaN"),
    "image of another": (more(masks(), image_id=9), r"\[3\].image_id is 9, which dataset own"),
    "image by file name": (masks(image_id=lambda row: "1.png"), r"\[0\].image_id is 1.png"),
    "category of another": (masks(category_id=lambda row: 77), "1 categories .* such as 77"),
    "one with a prompt": (more(masks(), prompt=BOX), r"\[2\] has no .prompt., which others have"),
    "objects": ({"annotations": masks()}, "a COCO results file"),
    "cut short": (json.dumps(masks())[:-9], "ends too early"),
}  # fmt: skip


@pytest.mark.parametrize("name", MASKS_REFUSED)
@pytest.mark.parametrize("task", ["instances", "text"])
def test_masks_are_refused_in_one_sentence(own, name, task):
    rows, words = MASKS_REFUSED[name]
    with pytest.raises(UserError, match=r"all\.json") as caught:
        scored(own, rows, task)
    assert re.search(words, str(caught.value))


def test_proposals_are_of_any_category(own):
    rows = masks(category_id=lambda row: 77)
    assert scored(own, rows, "proposals").metrics["AR@1000"].value == 1


def test_a_file_of_another_image_is_refused(own, caplog):
    folder = own / "apart"
    folder.mkdir()
    for n in CATEGORIES:
        (folder / f"{n}.json").write_text(json.dumps([masks()[0]]))
    task = load("task", "instances", **find("task", "instances").foreign)
    settings = Settings(output=own / "out", progress=False)
    result = rescore("instances", task, folder, saved_model(folder), dataset(own), settings)
    assert set(result.failed) == {"2", "3"}
    assert "is of image 1 and the truth of image 2" in result.failed["2"]
    (folder / "1.json").write_text(json.dumps(masks()))
    with pytest.raises(UserError, match="results of 3 images, such as 1, 2, 3"):
        task.load(folder / "1")


def test_text_counts_what_scores_enough_and_answers_negatives(own):
    wrong = masks()[0] | {"category_id": 3, "score": 0.4}
    found = scored(own, [*masks(), wrong], "text")
    assert found.metrics["IL_FPR"].value == 0
    found = scored(own, [*masks(), wrong], "text", min_score="0.3")
    assert found.metrics["IL_FPR"].value == pytest.approx(1 / 3)


def test_results_of_saco_are_by_pair(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (W, H)).save(tmp_path / "images" / "a.png")
    pairs = [
        {"id": n, "file_name": "a.png", "height": H, "width": W, "text_input": phrase,
         "is_instance_exhaustive": 1}
        for n, phrase in ((10, "a fish"), (11, "a cow"))
    ]  # fmt: skip
    annotation = {"id": 1, "image_id": 10, "category_id": 1, "segmentation": mask(), "iscrowd": 0}
    annotation |= {"bbox": [0.2, 0.1, 0.4, 0.4], "area": 0.2}
    content = {"images": pairs, "annotations": [annotation]}
    (tmp_path / "silver_x_merged_test.json").write_text(json.dumps(content))
    saco = Saco("silver_x", str(tmp_path))
    path = tmp_path / "all.json"
    settings = Settings(output=tmp_path / "out", progress=False, fresh=True)
    for pair, value in ((10, 1), (11, 0)):
        row = {"image_id": pair, "category_id": 1, "segmentation": mask(), "score": 0.9}
        path.write_text(json.dumps([row]))
        model = saved_model(path)
        result = rescore("text", load("task", "text"), path, model, saco, settings)
        assert result.metrics["pmF1"].value == pytest.approx(value, abs=2e-4)
    path.write_text(json.dumps([row | {"image_id": "a.png"}]))
    with pytest.raises(UserError, match=r"\[0\].image_id is a.png, which dataset saco_silver_x"):
        rescore("text", load("task", "text"), path, saved_model(path), saco, settings)
