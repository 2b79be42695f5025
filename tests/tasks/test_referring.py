"""Referring expressions: the published definitions by hand, files of the original layout."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sambench
from sambench.checks.task import check_task
from sambench.data.expressions import Expressions
from sambench.errors import UserError
from sambench.interfaces import Sample
from sambench.masks import rle
from sambench.metrics import referring
from sambench.registry import load

PARTS = Path(__file__).resolve().parents[1] / "parts"
NAN = float("nan")


def measured(*images, counts=None):
    records = [{"pixels": rows} for rows in images]
    counts = np.ones(len(records)) if counts is None else counts
    return referring.estimator(records)(counts)


def test_the_published_definitions_by_hand():
    # Three named: IoU 40/50 = .8, 30/60 = .5, nothing answered to 20 pixels. Two of nothing: one
    # rightly unanswered, the other answered by 10 pixels.
    found = measured(
        [[40, 50, True, True], [0, 0, False, False]],
        [[30, 60, True, True], [0, 20, True, False], [0, 10, False, True]],
    )
    assert found["cIoU"] == pytest.approx(70 / 140)
    assert found["gIoU"] == pytest.approx((0.8 + 1 + 0.5 + 0 + 0) / 5)
    reached = {50: 2, 60: 1, 70: 1, 80: 1, 90: 0}
    assert [found[f"P@{t}"] for t in reached] == pytest.approx([n / 3 for n in reached.values()])
    assert (found["N_acc"], found["T_acc"]) == (0.5, pytest.approx(2 / 3))


def test_without_expressions_of_a_kind_its_accuracy_is_not_defined():
    named = measured([[1, 2, True, True]])
    assert np.isnan(named["N_acc"])
    assert (named["cIoU"], named["gIoU"], named["P@50"], named["T_acc"]) == (0.5, 0.5, 1, 1)
    nothing = measured([[0, 0, False, False]])
    assert (nothing["gIoU"], nothing["N_acc"]) == (1, 1)
    assert np.isnan([nothing["cIoU"], nothing["P@50"], nothing["T_acc"]]).all()


def test_images_weigh_as_often_as_they_are_taken():
    one, other = [[40, 50, True, True]], [[1, 10, True, True], [0, 10, False, True]]
    assert measured(one, other, counts=np.array([2, 1])) == pytest.approx(
        measured(one, one, other), nan_ok=True
    )


def test_pixels_of_an_answer():
    answer, target = np.zeros((2, 4, 4), dtype=bool)
    answer[0, :3], target[0, 2:] = True, True
    assert referring.pixels(answer, target) == (1, 4, True, True)
    assert referring.pixels(answer, target & False) == (0, 3, False, True)
    assert referring.pixels(answer & False, target) == (0, 2, True, False)


def answers(options):
    task = load("task", f"referring{options}")
    model, data = (
        load("model", str(PARTS / "said.py")),
        load("dataset", str(PARTS / "sentences.py")),
    )
    sample = data.sample("a", Expressions)
    found = task.predict(model, model.embed([sample.image])[0], sample)
    return task, found, sample.truth


@pytest.mark.parametrize(
    ("options", "columns"),
    # Columns answered to left, right, both and nothing, of 32: by the best, or by all above .5.
    [("", (16, 24, 16, 16)), (":answer=all", (16, 24, 24, 0)), (":answer=all,min_score=0.65",
     (16, 24, 16, 0))],
)  # fmt: skip
def test_the_best_mask_or_all_of_sufficient_score(options, columns):
    task, found, truth = answers(options)
    assert [mask.any(axis=0).sum() for mask in rle.decode(found.masks)] == list(columns)
    rows = task.score(found, truth)["pixels"]
    assert [row[2] for row in rows] == [True, True, True, False]
    assert [row[3] for row in rows] == [bool(column) for column in columns]
    assert rows[0][:2] == [16 * 24, 16 * 24]
    assert rows[1][:2] == [8 * 24, 32 * 24]


def test_what_is_kept_is_read_again_and_must_fit(tmp_path):
    task, found, truth = answers("")
    task.save(found, tmp_path / "a")
    assert task.score(task.load(tmp_path / "a"), truth) == task.score(found, truth)
    other = Expressions(truth.size, (*truth.texts[:-1], "another"), truth.targets)
    with pytest.raises(UserError, match="wording"):
        task.score(found, other)


def test_a_mask_that_numpy_would_stretch_to_the_image_is_refused():
    task, found, truth = answers("")
    column = rle.encode(np.ones((1, 24, 1), dtype=bool))[0]
    wrong = replace(found, masks=[column, *found.masks[1:]])
    with pytest.raises(UserError, match=r"the answer to 'left' is a mask of size \[24, 1\] in an"):
        task.score(wrong, truth)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda c: c["masks"].pop(), "has 3 masks of 4 texts"),
        (lambda c: c.pop("masks"), 'has no "masks"'),
        (lambda c: c["masks"][1].update(counts="0"), r"masks\[1\].counts has damaged run lengths"),
        (lambda c: c["masks"].__setitem__(0, [[0, 0, 4, 0, 4, 4]]), r"masks\[0\] is a list"),
    ],
)
def test_a_spoiled_prediction_is_refused_by_file_and_place(tmp_path, spoil, says):
    task, found, _ = answers("")
    path = task.save(found, tmp_path / "a")
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"a\.json.*{says}"):
        task.load(tmp_path / "a")


def test_of_masks_made_elsewhere_no_option_says_which_answer():
    assert load("task", "referring").surveyed([]) == load("task", "referring")
    with pytest.raises(UserError, match="--answer says how a model is asked"):
        load("task", "referring:answer=all").surveyed([])


def test_the_task_keeps_its_contract_and_runs(tmp_path):
    model, dataset = str(PARTS / "said.py"), str(PARTS / "sentences.py")
    task, data = load("task", "referring:answer=all"), load("dataset", dataset)
    assert check_task(task, load("model", model), data).findings == ()
    result = sambench.evaluate(
        "referring:answer=all", model=model, dataset=dataset, output=tmp_path, progress=False
    )
    # 24 rows: 16, 24 and 24 columns of 16, 16 and 32 are answered; nothing to nothing.
    assert result.metrics["cIoU"].value == pytest.approx((16 + 8 + 24) / (16 + 32 + 32))
    assert result.metrics["gIoU"].value == pytest.approx((1 + 8 / 32 + 24 / 32 + 1) / 4)
    assert result.metrics["N_acc"].value == 1


def test_a_truth_says_what_is_wrong_with_it():
    mask = rle.encode(np.eye(4, dtype=bool)[None])[0]
    empty = rle.encode(np.zeros((1, 4, 4), dtype=bool))[0]

    def wrong(texts, targets, size=(4, 4)):
        return [each.problem for each in Expressions((4, 4), texts, targets).problems(size)]

    assert wrong(("a", "a", "b"), ((mask,), (mask,), ())) == []
    assert "without text" in wrong((" ",), ((mask,),))[0]
    assert "1 targets of 2" in wrong(("a", "b"), ((mask,),))[0]
    assert "no pixel" in wrong(("a",), ((empty,),))[0]
    assert wrong(("a",), ((mask,),), (5, 4))


# Files in the original layout


def boxes_file(folder):
    """Two images; objects 7 and 8 of the first, 9 of the second and a crowd there."""

    def annotation(id, image, x, crowd=0):
        segmentation = [[x, 2, x + 4, 2, x + 4, 6, x, 6]]
        if crowd:
            segmentation = {"size": [20, 30], "counts": [0, 600]}
        return {"id": id, "image_id": image, "category_id": 1, "segmentation": segmentation,
                "bbox": [0, 0, 30, 20] if crowd else [x, 2, 4, 4],
                "area": 600 if crowd else 16, "iscrowd": crowd}  # fmt: skip

    content = {
        "images": [{"id": i, "file_name": f"COCO_train2014_{i:012}.jpg", "height": 20, "width": 30}
                   for i in (25, 3)],
        "annotations": [annotation(7, 3, 2), annotation(8, 3, 12), annotation(9, 25, 20),
                        annotation(10, 25, 0, crowd=1)],
        "categories": [{"id": 1, "name": "cat"}],
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "instances.json").write_text(json.dumps(content))


def reference(id, image, annotation, split, *texts):
    sentences = [
        {"tokens": text.split(), "raw": text, "sent_id": id * 10 + i, "sent": text.lower()}
        for i, text in enumerate(texts)
    ]
    return {
        "ref_id": id, "ann_id": annotation, "image_id": image, "category_id": 1, "split": split,
        "sent_ids": [each["sent_id"] for each in sentences], "sentences": sentences,
        "file_name": f"COCO_train2014_{image:012}_{id}.jpg",
    }  # fmt: skip


PLAIN = [
    reference(1, 3, 7, "val", "Left cat", "cat"),
    reference(2, 25, 9, "testA", "the cat"),
    reference(3, 3, 8, "val", "cat"),
]
GENERAL = [
    reference(1, 3, [7, 8], "val", "both cats"),
    reference(2, 3, [-1], "val", "a dog"),
    reference(3, 25, [10, 9], "val", "cats there"),
]


@pytest.fixture
def root(tmp_path):
    for folder in ("refcoco", "refcoco+", "refcocog", "grefcoco"):
        boxes_file(tmp_path / folder)
    for name in ("refcoco/refs(unc).p", "refcoco+/refs(unc).p", "refcocog/refs(google).p"):
        (tmp_path / name).write_bytes(pickle.dumps(PLAIN, protocol=2))
    (tmp_path / "grefcoco/grefs(unc).json").write_text(json.dumps(GENERAL))
    images = tmp_path / "images/train2014"
    images.mkdir(parents=True)
    for id in (3, 25):
        Image.new("RGB", (30, 20)).save(images / f"COCO_train2014_{id:012}.jpg")
    return tmp_path


@pytest.mark.parametrize("name", ["refcoco", "refcocoplus", "refcocog:by=google"])
def test_each_wording_of_a_split_is_an_expression(root, name):
    glue = "," if ":" in name else ":"
    data = load("dataset", f"{name}{glue}root={root}")
    assert data.ids == ("3",)
    assert data.read_image("3").shape == (20, 30, 3)
    truth = data.read_truth("3", Expressions)
    assert truth.texts == ("Left cat", "cat", "cat")
    assert not list(truth.problems((20, 30)))
    left, _, right = (truth.target(i) for i in range(3))
    assert (left.sum(), left[2:6, 2:6].sum()) == (16, 16)
    assert right[2:6, 12:16].all()
    cleaned = load("dataset", f"{name}{glue}root={root},wording=sent,split=testA")
    assert cleaned.ids == ("25",)
    assert cleaned.read_truth("25", Expressions).texts == ("the cat",)
    assert cleaned.fingerprint != data.fingerprint
    with pytest.raises(UserError, match="no split train; give one of val, testA"):
        _ = load("dataset", f"{name}{glue}root={root},split=train").ids


def test_an_expression_may_name_several_objects_or_none(root):
    data = load("dataset", f"grefcoco:root={root}")
    first, second = (data.read_truth(id, Expressions) for id in data.ids)
    assert first.texts == ("both cats", "a dog")
    assert [first.target(i).sum() for i in range(2)] == [32, 0]
    assert second.target(0).sum() == 16  # without the crowd
    (root / "grefcoco/grefs(unc).p").write_bytes(pickle.dumps(GENERAL[:2]))
    assert load("dataset", f"grefcoco:root={root}").ids == ("3",)


class Harmful:
    """Would write a file, were it unpickled as pickles usually are."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda root: pickle.dumps([Harmful(root / "harm")]), "which is no plain data"),
        (lambda root: pickle.dumps([Harmful(root / "harm")], protocol=0), "which is no plain data"),
        (lambda root: pickle.dumps([np.zeros(2)]), "numpy"),
        (lambda root: pickle.dumps([{"split": b"val"}]), "bytes"),
        (lambda root: pickle.dumps([{1, 2}]), "set"),
        (lambda root: pickle.dumps(PLAIN)[:-20], "no pickle of plain data"),
        (lambda root: b"<html>", "no pickle of plain data"),
        (lambda root: pickle.dumps({}), "a list of references"),
        (lambda root: pickle.dumps([reference(1, 4, 7, "val", "x")]), "does not list"),
    ],
)
def test_a_pickle_of_anything_else_is_refused_and_not_run(root, content, says):
    (root / "refcoco/refs(unc).p").write_bytes(content(root))
    with pytest.raises(UserError, match=says):
        _ = load("dataset", f"refcoco:root={root}").ids
    assert not (root / "harm").exists()


def test_a_list_that_holds_itself_is_refused(root):
    endless = [*PLAIN]
    endless.append(endless)
    (root / "refcoco/refs(unc).p").write_bytes(pickle.dumps(endless))
    with pytest.raises(UserError, match="more than plain data: Circular"):
        _ = load("dataset", f"refcoco:root={root}").ids


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (9, "does not list for its image"),
        (-1, "names an object"),
        ([7, 8], r"\[0\].ann_id names 2 objects, but every expression names one here"),
        ([], "names 0 objects"),
    ],
)
def test_a_reference_to_what_is_not_there_is_refused(root, annotation, says):
    wrong = [reference(1, 3, annotation, "val", "x")]
    (root / "refcoco/refs(unc).p").write_bytes(pickle.dumps(wrong))
    data = load("dataset", f"refcoco:root={root}")
    with pytest.raises(UserError, match=says):
        data.read_truth("3", Expressions)


@pytest.mark.parametrize("name", ["refcoco/refs(unc).p", "grefcoco/grefs(unc).json"])
def test_what_would_count_twice_or_not_at_all_is_refused(root, name):
    references = PLAIN if name.endswith(".p") else GENERAL
    written = pickle.dumps if name.endswith(".p") else lambda value: json.dumps(value).encode()

    def opened(content):
        (root / name).write_bytes(written(content))
        return load("dataset", f"{name.partition('/')[0]}:root={root}")

    with pytest.raises(UserError, match=r"\[3\].ref_id is 1, which \[0\] has too"):
        _ = opened([*references, references[0]]).ids
    with pytest.raises(UserError, match=r"\[0\].sentences has no sentence"):
        opened([{**references[0], "sentences": []}]).read_truth("3", Expressions)


def test_an_empty_list_does_not_say_that_nothing_is_named(root):
    wrong = [{**GENERAL[1], "ann_id": []}]
    (root / "grefcoco/grefs(unc).json").write_text(json.dumps(wrong))
    with pytest.raises(UserError, match=r"ann_id names nothing; write \[-1\] if"):
        load("dataset", f"grefcoco:root={root}").read_truth("3", Expressions)


def test_python_2_texts_are_read(root):
    old = b"(lp0\n(dp1\nS'split'\np2\nS'val'\np3\nsS'x'\np4\nI1\nsa."
    from sambench.datasets._plain_pickle import read_plain

    (root / "old.p").write_bytes(old)
    assert read_plain(root / "old.p") == [{"split": "val", "x": 1}]


def test_a_sample_is_an_image_and_its_expressions(root):
    sample = load("dataset", f"refcoco:root={root}")["3"]
    assert isinstance(sample, Sample)
    assert isinstance(sample.truth, Expressions)
