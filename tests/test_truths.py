"""Truths say what is wrong with them: a matrix of broken ones, and real ones that are not."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from sambench.checks.dataset import check_dataset
from sambench.cli import main
from sambench.errors import UserError
from sambench.masks.rle import encode
from sambench.registry import load
from sambench.truths import (
    Boundaries,
    Concepts,
    Instances,
    Regions,
    Segments,
    Truth,
    problems,
    require_sound,
)

SIZE = (20, 30)
MASKS = np.zeros((2, *SIZE), dtype=bool)
MASKS[0, 2:5, 3:9] = MASKS[1, 8:18, 20:28] = True
FIRST, SECOND = encode(MASKS)
OTHER = encode(np.ones((1, 7, 7), dtype=bool))[0]
EMPTY = encode(np.zeros((1, *SIZE), dtype=bool))[0]
BOXES = np.array([[3.0, 2.0, 9.0, 5.0], [20.0, 8.0, 28.0, 18.0]])
LABELS = MASKS[0] + 2 * MASKS[1].astype(np.int64)
FLAGS = np.array([True, False])

INSTANCES = Instances(
    SIZE, (FIRST, SECOND), (1, 2), np.array([0, 5]), BOXES, np.array([18.0, 80.0]), FLAGS
)
BOUNDARIES = Boundaries((MASKS[0], MASKS[1]))
CONCEPTS = Concepts(SIZE, ("cat", "dog"), (((FIRST,), (SECOND,)), ((), ())), FLAGS)
REGIONS = Regions((LABELS, LABELS - 5))
SEGMENTS = Segments(LABELS, np.array([4, 5]), FLAGS, ~FLAGS, (10, 20))
SOUND = (INSTANCES, BOUNDARIES, CONCEPTS, REGIONS, SEGMENTS)


def boxes(*second):
    return {"boxes": np.array([BOXES[0], second])}


def counts(value):
    return {"rles": (FIRST, {"size": list(SIZE), "counts": value})}


BROKEN = {
    "instances of another image": (INSTANCES, {"size": (7, 7)}, "has size (20, 30), its masks"),
    "a mask of another size": (INSTANCES, {"rles": (FIRST, OTHER)}, "annotation 2: mask of (7, 7)"),
    "a mask with height and width swapped": (
        INSTANCES, {"rles": ({**FIRST, "size": [30, 20]}, SECOND)}, "annotation 1: mask of (30, 20)"
    ),
    "run lengths of another mask": (INSTANCES, counts(OTHER["counts"]), "annotation 2: its run"),
    "run lengths cut short": (INSTANCES, counts(SECOND["counts"][:-1]), "do not cover"),
    "run lengths with more to come": (INSTANCES, counts(SECOND["counts"] + b"\x7f"), "not cover"),
    "no run lengths": (INSTANCES, counts(b""), "do not cover"),
    "bytes that are no run lengths": (INSTANCES, counts(b"\xff\x00 bytes"), "do not cover"),
    "run lengths in a list": (INSTANCES, counts([600]), "counts of type list"),
    "an array for run lengths": (INSTANCES, {"rles": (FIRST, MASKS[1])}, "not run lengths"),
    "run lengths without a size": (
        INSTANCES, {"rles": (FIRST, {"counts": b""})}, "not run lengths"
    ),
    "more masks than ids": (INSTANCES, {"ids": (1,)}, "1 ids, not 2"),
    "an id that occurs twice": (INSTANCES, {"ids": (7, 7)}, "id 7 is used twice"),
    "more masks than categories": (INSTANCES, {"categories": np.array([0])}, "categories of shape"),
    "categories with fractions": (INSTANCES, {"categories": np.array([0, 0.5])}, "categories of d"),
    "no categories": (INSTANCES, {"categories": None}, "categories of type NoneType"),
    "more masks than areas": (INSTANCES, {"areas": np.array([1.0])}, "areas of shape (1,), not (2"),
    "a negative area": (INSTANCES, {"areas": np.array([1.0, -3])}, "annotation 2: its area is -3"),
    "an area that is NaN": (INSTANCES, {"areas": np.array([np.nan, 1])}, "annotation 1: its area"),
    "an infinite area": (INSTANCES, {"areas": np.array([np.inf, 1])}, "annotation 1: its area"),
    "crowd of integers": (INSTANCES, {"crowd": np.array([0, 1])}, "crowd of dtype int64, not bool"),
    "more masks than crowd flags": (INSTANCES, {"crowd": FLAGS[:1]}, "crowd of shape (1,)"),
    "ignore of another size": (INSTANCES, {"ignore": MASKS[0, 1:]}, "ignore of shape (19, 30)"),
    "ignore of integers": (INSTANCES, {"ignore": LABELS}, "ignore of dtype int64"),
    "boxes of two corners": (INSTANCES, {"boxes": BOXES[:, :2]}, "boxes of shape (2, 2), not (2"),
    "fewer boxes": (INSTANCES, {"boxes": BOXES[:1]}, "boxes of shape (1, 4), not (2, 4)"),
    "boxes of text": (INSTANCES, {"boxes": BOXES.astype(str)}, "boxes of dtype"),
    "a box that is NaN": (INSTANCES, boxes(np.nan, 8, 28, 18), "annotation 2: box [nan"),
    "an infinite box": (INSTANCES, boxes(20, 8, np.inf, 18), "not finite, its mask spans [20, 8"),
    "a box of width and height": (INSTANCES, boxes(20, 8, 8, 10), "ends before it begins"),
    "a box beside the image": (INSTANCES, boxes(31, 8, 33, 18), "lies outside of the image"),
    "a box above the image": (INSTANCES, boxes(2, -9, 5, -1), "lies outside of the image"),
    "a box of another scale": (INSTANCES, boxes(20, 8, 280, 180), "more than the image's own size"),
    "boundaries of nobody": (BOUNDARIES, {"annotators": ()}, "no annotator drew boundaries"),
    "boundaries of another image": (
        BOUNDARIES, {"annotators": (MASKS[0].T,)}, "annotator 0: boundaries of shape (30, 20)"
    ),
    "boundaries of annotators that differ": (
        BOUNDARIES, {"annotators": (MASKS[0], MASKS[1, 1:])}, "annotator 1: boundaries of shape"
    ),
    "boundaries of integers": (
        BOUNDARIES, {"annotators": (MASKS[0], 255 * LABELS)}, "annotator 1: boundaries of dtype"
    ),
    "boundaries in a stack": (BOUNDARIES, {"annotators": (MASKS,)}, "of shape (2, 20, 30)"),
    "boundaries that are None": (BOUNDARIES, {"annotators": None}, "cannot be examined"),
    "regions of nobody": (REGIONS, {"annotators": ()}, "no annotator drew regions"),
    "regions of another image": (REGIONS, {"annotators": (LABELS[:5, :5],)}, "of shape (5, 5)"),
    "regions of annotators that differ": (
        REGIONS, {"annotators": (LABELS, LABELS.T)}, "annotator 1: regions of shape (30, 20)"
    ),
    "regions with fractions": (REGIONS, {"annotators": (LABELS / 2,)}, "of dtype float64"),
    "regions of flags": (REGIONS, {"annotators": (MASKS[0],)}, "of dtype bool, not integers"),
    "segments of another image": (SEGMENTS, {"labels": LABELS.T}, "labels of shape (30, 20)"),
    "segments with fractions": (SEGMENTS, {"labels": LABELS / 1}, "labels of dtype float64"),
    "segments of few bits": (SEGMENTS, {"labels": LABELS.astype(np.int8)}, "labels of dtype int8"),
    "segments of bytes": (SEGMENTS, {"labels": LABELS.astype(np.uint8)}, "labels of dtype uint8"),
    "labels of no segment": (SEGMENTS, {"labels": LABELS * 2}, "labels from 0 to 4 of 2 segments"),
    "negative labels": (SEGMENTS, {"labels": LABELS - 1}, "labels from -1 to 1"),
    "an enormous label": (SEGMENTS, {"labels": LABELS << 40}, "of 2 segments"),
    "a segment without a pixel": (SEGMENTS, {"labels": LABELS // 2}, "segment 2 has no pixel"),
    "more segments than things": (SEGMENTS, {"things": FLAGS[:1]}, "things of shape (1,), not (2"),
    "things of integers": (SEGMENTS, {"things": np.array([1, 0])}, "things of dtype int64"),
    "more segments than crowd flags": (SEGMENTS, {"crowd": FLAGS[:1]}, "crowd of shape (1,)"),
    "segments' crowd of integers": (SEGMENTS, {"crowd": np.array([1, 0])}, "crowd of dtype int64"),
    "fewer ids than segments": (SEGMENTS, {"ids": (10,)}, "1 ids, not 2"),
    "ids of segments twice": (SEGMENTS, {"ids": (10, 10)}, "id 10 is used twice"),
    "segments' categories of text": (SEGMENTS, {"categories": np.array(["a", "b"])}, "categories"),
    "segments that are None": (SEGMENTS, {"labels": None}, "labels of type NoneType"),
    "concepts of another image": (CONCEPTS, {"size": (7, 7)}, "its phrases' masks (7, 7)"),
    "a phrase without text": (CONCEPTS, {"phrases": ("cat", " ")}, "phrase 1 is ' ', without text"),
    "a phrase that is a number": (CONCEPTS, {"phrases": ("cat", 7)}, "phrase 1 is 7, without text"),
    "a phrase that occurs twice": (CONCEPTS, {"phrases": ("cat", "cat")}, "'cat' occurs twice"),
    "fewer phrases": (CONCEPTS, {"phrases": ("cat",)}, "2 annotations of 1 phrases"),
    "fewer annotations": (CONCEPTS, {"annotations": (((),),)}, "1 annotations of 2 phrases"),
    "a phrase without annotators": (CONCEPTS, {"annotations": ((), ())}, "phrases have 0 annota"),
    "phrases of other annotators": (
        CONCEPTS, {"annotations": (((), ()), ((),))}, "its phrases have 1 or 2 annotators"
    ),
    "exhaustive of integers": (CONCEPTS, {"exhaustive": np.array([1, 0])}, "exhaustive of dtype"),
    "exhaustive in a list": (CONCEPTS, {"exhaustive": [True, False]}, "exhaustive of type list"),
    "fewer exhaustive flags": (CONCEPTS, {"exhaustive": FLAGS[:1]}, "exhaustive of shape (1,)"),
    "an instance of another size": (
        CONCEPTS, {"annotations": (((OTHER,), ()), ((), ()))}, "'cat', annotator 0, mask 0: mask of"
    ),
    "an instance cut short": (
        CONCEPTS,
        {"annotations": (((), ()), ((), (FIRST, {**FIRST, "counts": b"0"})))},
        "'dog', annotator 1, mask 1: its run lengths",
    ),
}  # fmt: skip


def said(truth, size=SIZE):
    return [finding.problem for finding in problems(truth, type(truth), size)]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_truth_says_what_is_wrong(name):
    sound, changed, wanted = BROKEN[name]
    broken = replace(sound, **changed)
    found = said(broken)
    assert len(found) in (1, 2), found
    assert any(wanted in problem for problem in found), found
    with pytest.raises(UserError, match="its truth is broken"):
        require_sound(broken, type(sound), SIZE)


@pytest.mark.parametrize("truth", SOUND, ids=lambda truth: type(truth).__name__)
def test_a_sound_truth_has_no_problem(truth):
    assert said(truth) == said(truth, None) == []
    assert list(truth.doubts()) == []
    assert require_sound(truth, type(truth), SIZE) is truth
    assert said(truth, (20, 31))
    assert (truth.objects() is truth) == isinstance(truth, Instances)


def test_truths_of_nothing_are_sound():
    none = np.zeros(0, dtype=bool)
    whole, boxes = np.zeros(0, dtype=np.int64), np.zeros((0, 4))
    assert not said(Instances(SIZE, (), (), whole, boxes, np.zeros(0), none))
    assert not said(Concepts(SIZE, (), (), none))
    assert not said(Segments(LABELS * 0, whole, none, none))


def test_without_an_image_parts_are_compared_with_each_other():
    assert said(replace(BOUNDARIES, annotators=(MASKS[0], MASKS[1].T)), None)
    assert said(replace(INSTANCES, rles=(FIRST, OTHER)), None)
    assert said(replace(INSTANCES, ignore=MASKS[0].T), None)
    assert said(replace(CONCEPTS, annotations=(((OTHER,),), ((),))), None)


def test_a_truth_of_another_kind_is_wrong():
    [found] = problems(REGIONS, Segments, SIZE)
    assert found.problem == "its truth is of type Regions, not Segments"
    [found] = problems({}, dict, SIZE)
    assert found.problem == "its truth is of type dict"
    assert "sambench.interfaces.Truth" in found.remedy


@pytest.mark.parametrize(
    ("truth", "check", "wanted"),
    [
        (replace(INSTANCES, rles=(FIRST, EMPTY)), "masks", "annotation 2: no pixel"),
        (replace(INSTANCES, rles=(FIRST, FIRST), boxes=BOXES[[0, 0]]), "duplicates", "mask as 1"),
        (replace(INSTANCES, **boxes(20, 8, 28, 15)), "boxes", "its mask spans [20, 8, 28, 18]"),
        (Boundaries((MASKS[0] & False,)), "boundaries", "nobody drew"),
        (replace(CONCEPTS, annotations=(((EMPTY,),), ((),))), "phrases", "1 masks have no pixel"),
    ],
)
def test_a_doubt_is_no_problem(truth, check, wanted):
    assert said(truth) == []
    [found] = truth.doubts()
    assert (found.check, found.minor) == (check, check in ("duplicates", "boxes"))
    assert wanted in found.problem


READERS = [
    "coco:root=DATA/coco,split=train2017",
    "bsds500:root=DATA/bsds500",
    "ecssd:root=DATA/ecssd",
    "bbbc038v1:root=DATA/bbbc038v1",
    "grabcut:root=DATA/grabcut,images=images_from_bsds500,masks=ground-truth,subset=present",
    "cityscapes:root=DATA/layouts/cityscapes",
    "sceneparsing:root=DATA/layouts/sceneparsing,split=.",
    "mini",
    "scenes:images=3",
]


@pytest.mark.parametrize("spec", READERS)
def test_truths_of_readers_have_no_problem(spec, shared):
    dataset = load("dataset", spec.replace("DATA", str(shared / "data")))
    for id in dataset.ids[::10]:
        size = dataset.read_image(id).shape[:2]
        for kind in dataset.truths:
            assert not list(problems(dataset.read_truth(id, kind), kind, size)), (id, kind)


# Plug-ins with broken truths


def plugin(shared, name, folder):
    """A case, with the present name of the module that it imports."""
    text = (shared / f"cases/plugins/{name}.py").read_text(encoding="utf-8")
    path = folder / f"{name}.py"
    path.write_text(text.replace("sambench.metrics.rle", "sambench.masks.rle"), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("badseg", ["a: labels of shape (7, 7)", "a: labels from 9 to 9", "a: annotator 0: reg"]),
        ("badconcepts", ["a: exhaustive of shape (1,)", "a: 1 annotations of 2 phrases"]),
    ],
)
def test_both_commands_find_it(name, wanted, shared, tmp_path, capsys):
    path = plugin(shared, name, tmp_path)
    for words in (["check", "dataset", path], ["data", "check", path]):
        assert main(words) == 1
        shown = capsys.readouterr().out
        assert all(one in shown for one in wanted), shown


@pytest.mark.parametrize(
    ("task", "model", "wanted"),
    [
        ("panoptic", "whole_image", "labels of shape (7, 7), not (20, 30) (and 1 more). Give"),
        ("superpixels", "superpixel", "annotator 0: regions of shape (5, 5), not (20, 30)."),
    ],
)
def test_a_run_refuses_it(task, model, wanted, shared, tmp_path, capfd):
    words = ["run", "--task", task, "--model", model, "--output", str(tmp_path), "--workers", "0"]
    assert main([*words, "--dataset", plugin(shared, "badseg", tmp_path)]) == 2
    shown = capfd.readouterr().err
    assert f"image a failed: its truth is broken: {wanted}" in shown
    assert "no image could be scored" in shown


# A type of truth that only a plug-in knows

CENTRES = Path(__file__).parent / "parts" / "centres.py"


def test_a_plugin_brings_a_type_of_truth(tmp_path, capfd):
    words = ["run", "--task", str(CENTRES), "--model", "whole_image", "--workers", "0"]
    words += ["--output", str(tmp_path), "--limit", "2", "--dataset"]
    assert main(["check", "dataset", str(CENTRES)]) == 0
    assert "no findings" in capfd.readouterr().out
    assert main([*words, str(CENTRES)]) == 0
    assert main(["check", "dataset", f"{CENTRES}:off=1"]) == 1
    wanted = "1 centres lie outside of the image"
    assert f"centres: 1: {wanted}.\n  Give x, y in pixels.\n" in capfd.readouterr().out
    assert main([*words, f"{CENTRES}:off=1"]) == 1
    assert f"image 1 failed: its truth is broken: {wanted}. Give x, y" in capfd.readouterr().err


def test_the_documentation_shows_a_type_of_truth():
    page = Path(__file__).parents[1] / "docs" / "adding-a-dataset.md"
    [code] = re.findall(r"```py\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    names = {"__name__": __name__}
    exec(code, names)
    centres = names["Centres"]
    assert not list(problems(centres(np.array([[29.0, 19.0]])), centres, SIZE))
    [found] = problems(centres(np.array([[19.0, 29.0]])), centres, SIZE)
    assert found.problem == "1 centres lie outside of the image"


@dataclass(frozen=True)
class Raising(Truth):
    """Whatever is looked at, raises."""

    def problems(self, size):
        raise ZeroDivisionError("of its own")


def test_a_truth_that_raises_is_a_finding():
    class Set(type(load("dataset", "scenes:images=1"))):
        truths = (Raising,)

        def read_truth(self, id, kind):
            return Raising()

    [found] = check_dataset(Set(images=1), 1).findings
    assert "0: its Raising cannot be examined (ZeroDivisionError: of its own)" in found.problem
