"""Every metric of every task on a case so small that its value is worked out in a comment."""

from dataclasses import replace

import numpy as np
import pytest

from sambench.masks import rle
from sambench.registry import load, names
from sambench.truths import Instances, Regions

NAN = float("nan")
SIZE = 64, 64


def box(x0, y0, x1, y1):
    mask = np.zeros(SIZE, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def instances(masks):
    encoded = rle.encode(np.stack(masks))
    return Instances(
        size=SIZE, rles=tuple(encoded), ids=tuple(range(1, len(masks) + 1)),
        categories=np.ones(len(masks), dtype=np.int64), boxes=np.array(BOXES, dtype=np.float64),
        areas=np.array([mask.sum() for mask in masks], dtype=np.float64),
        crowd=np.zeros(len(masks), dtype=bool), extra={"image_id": 1},
    )  # fmt: skip


BOXES = [[2, 2, 12, 12], [20, 20, 60, 60]]
TRUTH = instances([box(*corners) for corners in BOXES])
"""A small object, 100 pixels, and a medium one, 1600 pixels."""


def found(*corners):
    """A prediction of masks that are boxes, in descending order of score."""
    from sambench.metrics.detection.assignment import Detections

    masks = tuple(rle.encode(np.stack([box(*c) for c in corners])))
    scores = 1 - np.arange(len(corners)) / 100
    boxes = np.array(corners, dtype=np.float64)
    return Detections(masks, scores, np.ones(len(corners), dtype=np.int64), boxes)


def prediction(*corners):
    from sambench.tasks._coco_results import ImageDetections

    return ImageDetections(1, found(*corners), ())


def points():
    objects = {
        # Areas on the limits: 32^2 is medium, 96^2 is large.
        "objects": [1, 2, 3], "areas": [1023.0, 1024.0, 9216.0], "categories": [1, 1, 2],
        "iou": [[0.5, 0.7, 0.9], [0.8, 0.6], [0.2]], "oracle": [0.6, 0.9, 0.3],
        "boundary_iou": [0.1, 0.3, 0.5],
        "predicted": [[0.1, 0.9], [0.7, 0.2], [0.3]],
    }  # fmt: skip
    return [objects], {
        "mIoU": 0.5, "mIoU_oracle": 0.6, "BoundaryIoU": 0.3,
        "mIoUs": 0.5, "mIoUm": 0.8, "mIoUl": 0.2,
        "mIoU@2": (0.7 + 0.6 + 0.2) / 3,  # an object without a second prompt keeps its first
        "mIoU@3": (0.9 + 0.6 + 0.2) / 3,
        "mIoUs@3": 0.9, "mIoUm@3": 0.6, "mIoUl@3": 0.2,
        "choice_cost": 0.1,
        # .9, .7 and .3 were predicted, each alone in its bin, of .5, .8 and .2: off by .4, .1, .1
        "ECE": 0.2, "overconfidence": 0.4 / 3, "Spearman": 0.5,
        "AUC@50": 1, "AUC@75": 0.5, "AUC@90": NAN,
    }, {"1": 0.65, "2": 0.2}  # fmt: skip


def interactive():
    # The limit is 4 clicks. The first reaches .80 at 1, .85 at 2, .90 at 3, .95 never; the second
    # reaches .80 and .85 at 4, and fails above.
    records = [
        {"iou": [[0.8, 0.86, 0.91, 0.92]], "categories": [1]},
        {"iou": [[0.2, 0.3, 0.4, 0.85]], "categories": [2]},
    ]
    return records, {
        "NoC@80": 2.5, "NoC@85": 3, "NoC@90": 3.5, "NoC@95": 4,
        "NoF@80": 1, "NoF@85": 1, "NoF@90": 1, "NoF@95": 2,
        "mIoU@1": 0.5, "mIoU@3": 0.655,
    }, {"1": 3, "2": 4}  # fmt: skip


def edges():
    # Thresholds 1/3 and 2/3: recall .6, precision .75, F 2/3; recall .3, precision 1, F .4615.
    # F falls on the way from the first to the second, so that the first is the best.
    counts = [[6, 10, 6, 8], [3, 10, 3, 3]]
    return [{"counts": counts}], {
        "ODS": 2 / 3, "OIS": 2 / 3,
        "AP": 31 * 0.875 / 100,  # precision at the recalls .30, .31 ... .60, linear from 1 to .75
        "R50": 0.6,  # recall at precision .5, or at the least there is
    }, None  # fmt: skip


def instances_of_boxes():
    record = {
        "iou": [0.5, 0.9, 0.1], "boundary_iou": [0.2, 0.4, 0.3], "categories": [1, 1, 2],
        "areas": [1023.0, 1024.0, 9216.0], "predicted": [0.9, 0.7, 0.3],
        "oracle": [0.8, 0.9, 0.4],
    }  # fmt: skip
    expected = {
        "mIoU": 0.5, "mIoUs": 0.5, "mIoUm": 0.9, "mIoUl": 0.1, "BoundaryIoU": 0.3,
        "choice_cost": 0.2,
        # Off by .4, .2 and .2; the one that reaches .90 has the second prediction.
        "ECE": 0.8 / 3, "overconfidence": 0.4 / 3, "Spearman": 0.5,
        "AUC@50": 1, "AUC@75": 0.5, "AUC@90": 0.5,
    }  # fmt: skip
    return [record], expected, {"1": 0.7, "2": 0.1}


def average_precision():
    # Right, wrong (a small mask where nothing is), right: precision is 1 up to recall .5, which
    # are 51 of COCO's 101 points, and 2/3 up to 1. By size the other objects and their masks do
    # not count: the wrong mask follows the small object, and is none of the medium ones.
    task = load("task", "instances:source=elsewhere")
    record = task.score(prediction(BOXES[0], [2, 50, 12, 60], BOXES[1]), TRUTH)
    ap = (51 + 50 * 2 / 3) / 101
    precision = {"AP": ap, "AP50": ap, "AP75": ap, "APs": 1, "APm": 1, "APl": NAN}
    recall = {"AR@1": 0.5, "AR@10": 1, "AR@100": 1, "ARs@100": 1, "ARm@100": 1, "ARl@100": NAN}
    others = {f"{kind}{name}": v for kind in ("Boundary", "box") for name, v in precision.items()}
    return [record], {**precision, **recall, **others}, {"1": ap}


def proposals():
    # The medium object comes eleventh: not among ten, but among a hundred.
    wrong = [[50, y, 60, y + 8] for y in range(9)]
    task = load("task", "proposals")
    record = task.score(prediction(BOXES[0], *wrong, BOXES[1]), TRUTH)
    ten = {"AR@10": 0.5, "ARs@10": 1, "ARm@10": 0, "ARl@10": NAN}
    more = {f"{n}@{k}": 1 for n in ("AR", "ARs", "ARm") for k in (100, 1000)}
    masks = {**ten, **more, "ARl@100": NAN, "ARl@1000": NAN}
    return [record], {**masks, **{f"box{n}": v for n, v in masks.items()}, "masks": 11}, None


def everything():
    # The small object is found whole; of the medium one, 40 x 40, a half and a quarter.
    task = load("task", "everything")
    found = prediction(BOXES[0], [20, 20, 60, 40], [20, 20, 40, 40])
    # The scores of both masks are 1 and .99.
    expected = {
        "mIoU": 0.75, "mIoUs": 1, "mIoUm": 0.5, "mIoUl": NAN, "masks": 3,
        "ECE": 0.245, "overconfidence": 0.245, "Spearman": 1,
        "AUC@50": NAN, "AUC@75": 1, "AUC@90": 1,
    }  # fmt: skip
    return [task.score(found, TRUTH)], expected, {"1": 0.75}


def agreement():
    # The teacher's mask of the first object is half of the model's; of the second both are equal.
    from sambench.tasks.agreement import Answers

    clicks = [[[7.0, 7.0, True]], [[40.0, 40.0, True]]]
    masks = [rle.encode(box(*corners)[None])[0] for corners in BOXES]
    answers = Answers([0, 1], clicks, masks, [rle.encode(box(2, 2, 12, 7)[None])[0], masks[1]])
    record = load("task", "agreement").score(answers, TRUTH)
    expected = {"mIoU": 0.75, "mIoUs": 0.5, "mIoUm": 1, "mIoUl": NAN}
    return [record], expected, {"1": 0.75}


def foreground():
    # The map is the truth: F is 1 at all thresholds but 0, where all pixels are marked: precision
    # 1700 / 4096, recall 1. E divides by n - 1, as its authors do; where all pixels are marked
    # no deviation is left, and each pixel counts a quarter.
    truth = TRUTH.masks().any(axis=0)
    inside, n = 1700, 64 * 64
    record = load("task", "foreground").score(truth.astype(np.float32), TRUTH)
    all_marked = 1.3 * inside / (0.3 * inside + n)
    return [record], {
        "maxF": 1, "meanF": (255 + all_marked) / 256, "adaptiveF": 1,
        "maxE": n / (n - 1), "meanE": (255 * n + n / 4) / (n - 1) / 256, "adaptiveE": n / (n - 1),
        "Smeasure": 1, "MAE": 0,
    }, None  # fmt: skip


def panoptic():
    # Things: .8 / (1 + 2/2 + 1/2); stuff: .6 / 1.
    record = {
        "categories": [7, 9], "things": [True, False], "iou_sum": [0.8, 0.6],
        "tp": [1, 1], "fp": [2, 0], "fn": [1, 0],
    }  # fmt: skip
    return [record], {
        "PQ_things": 0.32, "SQ_things": 0.8, "RQ_things": 0.4,
        "PQ_stuff": 0.6, "SQ_stuff": 0.6, "RQ_stuff": 1,
        "PQ": 0.46, "SQ": 0.7, "RQ": 0.7,
    }, {"7": 0.32, "9": 0.6}  # fmt: skip


def semantic():
    # 6 / (8 + 10 - 6) and 1 / (4 + 2 - 1); 7 of 12 pixels; 6 / 10 and 1 / 2.
    record = {"categories": [1, 2], "common": [6, 1], "marked": [8, 4], "truth": [10, 2]}
    expected = {"mIoU": 0.35, "accuracy": 7 / 12, "mean_accuracy": 0.55}
    return [record], expected, {"1": 0.5, "2": 0.2}


def text():
    # Presence: one pair of each of TP, FP and FN, two TN: MCC (1 * 2 - 1) / sqrt(2 * 2 * 3 * 3).
    # Of the positive pairs: TP 2, FP 0, FN 1 up to IoU .70, then TP 1, FP 1, FN 2.
    def pair(truths, predictions, tp=(0,) * 10):
        return {"truths": truths, "predictions": predictions, "tp": list(tp)}

    pairs = [pair(2, 2, [2] * 5 + [1] * 5), pair(0, 1), pair(1, 0), pair(0, 0), pair(0, 0)]
    return [{"pairs": pairs}], {
        "cgF1": 0.1, "cgF1@50": 0.8 / 6, "cgF1@75": 0.4 / 6,
        "pmF1": 0.6, "pmF1@50": 0.8, "pmF1@75": 0.4, "positive_macro_F1": 0.75,
        "IL_MCC": 1 / 6, "IL_precision": 0.5, "IL_recall": 0.5, "IL_F1": 0.5, "IL_FPR": 1 / 3,
    }, None  # fmt: skip


def superpixels():
    # Two halves of 4 x 4 against columns 0-2 | 3: the right half gives its 8 pixels to either
    # region for 4 right ones, and leaks min(4, 4) to both; of the drawn columns 2 and 3, one is
    # a superpixel's boundary. The second annotator drew the halves.
    columns = np.tile(np.arange(4), (4, 1))
    truth = Regions((columns // 3, columns // 2))
    record = load("task", "superpixels").score((columns // 2).astype(np.int32), truth)
    return [record], {
        "ASA": (0.75 + 1) / 2, "UE": (0.5 + 0) / 2, "BR": (0.5 + 1) / 2, "superpixels": 2,
    }, None  # fmt: skip


def cells():
    # Of two objects, one is found at every IoU; then both up to .70, one of them above.
    record = {
        "true": 2, "objects": [1, 2], "categories": [1, 1],
        "rounds": [{"tp": [1] * 10, "predicted": 1}, {"tp": [2] * 5 + [1] * 5, "predicted": 2}],
    }  # fmt: skip
    return [record], {
        "mSA": 2 / 3, "SA50": 1.0, "SA75": 1 / 3, "mSA@1": 0.5, "mSA@2": 2 / 3,
    }, None  # fmt: skip


def shaken():
    # Two sizes, 0.1 and 0.2, of two draws each, of three objects in two images.
    one = {
        "still": [0.9, 0.8], "iou": [[[0.8, 0.6], [0.5, 0.3]], [[0.7, 0.7], [0.2, 0.6]]],
        "categories": [1, 2],
    }  # fmt: skip
    other = {"still": [1.0], "iou": [[[1.0, 0.8], [0.8, 0.8]]], "categories": [1]}
    return [one, other], {
        "mIoU_still": 0.9,
        "mIoU@0.1": (0.7 + 0.7 + 0.9) / 3, "mIoU_worst@0.1": (0.6 + 0.7 + 0.8) / 3,
        "mIoU": (0.4 + 0.4 + 0.8) / 3, "mIoU_worst": (0.3 + 0.2 + 0.8) / 3,
        "spread": (0.1 + 0.2 + 0) / 3,
    }, {"1": 0.6, "2": 0.4}  # fmt: skip


def contours():
    """What `surface` adds, of two images: means over objects, of the last IoU: Dice 2/3 and 1/3."""
    scores = {"surface": [[0.5, 4.0]]}, {"surface": [[1.0, 2.0]]}
    return scores, {"Dice": 0.5, "NSD": 0.75, "HD95": 3}


def points_with_contours():
    one, other = contours()[0]
    common = {"areas": [100.0], "oracle": [0.5], "boundary_iou": [0.5], "categories": [1]}
    records = [{**common, **one, "iou": [[0.1, 0.5]]}, {**common, **other, "iou": [[0.2]]}]
    return records, {
        "mIoU": 0.15, "mIoU_oracle": 0.5, "BoundaryIoU": 0.5, "mIoUs": 0.15, "mIoUm": NAN,
        "mIoUl": NAN, "mIoU@2": 0.35, "choice_cost": (0.4 + 0.3) / 2, **contours()[1],
    }, {"1": 0.15}  # fmt: skip


def interactive_with_contours():
    one, other = contours()[0]
    records = [
        {**one, "iou": [[0.1, 0.5]], "categories": [1]},
        {**other, "iou": [[0.2]], "categories": [1]},
    ]
    counts = {f"{name}@{t}": 2 for name in ("NoC", "NoF") for t in (80, 85, 90, 95)}
    return records, {**counts, "mIoU@1": 0.15, **contours()[1]}, {"1": 2}


def instances_with_contours():
    one, other = contours()[0]
    common = {"areas": [100.0], "boundary_iou": [0.5], "categories": [1]}
    records = [{**common, **one, "iou": [0.5]}, {**common, **other, "iou": [0.2]}]
    return records, {
        "mIoU": 0.35, "mIoUs": 0.35, "mIoUm": NAN, "mIoUl": NAN, "BoundaryIoU": 0.5,
        **contours()[1],
    }, {"1": 0.35}  # fmt: skip


def semantic_with_contours():
    # Dice 2 * 6 / 18 and 2 / 6, of both images' pixels; NSD and HD95 of class 1 are means of two
    # images, of class 2 of the one that has it.
    record = {
        "categories": [1, 2], "common": [3, 1], "marked": [4, 4], "truth": [5, 2],
        "surface": [[0.5, 4.0], [1.0, 1.0]],
    }  # fmt: skip
    other = {
        "categories": [1, 2], "common": [3, 0], "marked": [4, 0], "truth": [5, 0],
        "surface": [[0.7, 2.0], None],
    }  # fmt: skip
    _, pixels, by_category = semantic()
    added = {"Dice": (2 / 3 + 1 / 3) / 2, "NSD": (0.6 + 1) / 2, "HD95": (3 + 1) / 2}
    return [record, other], {**pixels, **added}, by_category


def video_object():
    # Of four frames that count, two have J > .5; the quarters are frames 1 and 2, and 3 and 4, for
    # their ends, 1, 1.75, 2.5, 3.25 and 4, are rounded: .7 less .3.
    own = {"j": [None, 0.8, 0.6, 0.4, 0.2, None], "f": [None, 1.0, 1.0, 1.0, 1.0, None]}
    return [{"objects": {"1": own}}], {
        "J&F": 0.75, "J": 0.5, "J-recall": 0.5, "J-decay": 0.4,
        "F": 1, "F-recall": 1, "F-decay": 0,
    }, None  # fmt: skip


def video_interactive():
    # Two objects of one clip, after clicks on one, two and three frames.
    rounds = {"1": [0.2, 0.4, 0.6], "2": [0.4, 0.8, 0.9]}
    return [{"rounds": rounds, "objects": {}}], {
        "J&F": (0.4 + 0.7) / 2, "J&F@1": 0.3, "J&F@2": 0.6, "J&F@3": 0.75,
    }, None  # fmt: skip


def referring():
    # IoU .8 and 0, nothing answered to 20 pixels; two name nothing, one of which is answered.
    records = [
        {"pixels": [[40, 50, True, True], [0, 0, False, False]]},
        {"pixels": [[0, 20, True, False], [0, 10, False, True]]},
    ]
    return records, {
        "cIoU": 0.5, "gIoU": 0.45, "P@50": 0.5, "P@60": 0.5, "P@70": 0.5, "P@80": 0.5, "P@90": 0,
        "N_acc": 0.5, "T_acc": 0.5,
    }, None  # fmt: skip


CASES = {
    "points:points=2,surface=2": points_with_contours,
    "interactive:clicks=2,surface=2": interactive_with_contours,
    "instances:surface=2": instances_with_contours,
    "semantic:surface=2": semantic_with_contours,
    "points:points=3": points, "interactive:clicks=4": interactive, "edges": edges,
    "instances": instances_of_boxes, "instances:source=elsewhere": average_precision,
    "proposals": proposals, "foreground": foreground, "panoptic": panoptic,
    "semantic": semantic, "text": text, "superpixels": superpixels, "cells:iterations=2": cells,
    "shaken:steps=2": shaken,
    "open_vocabulary": average_precision, "open_semantic": semantic,
    "everything": everything, "agreement": agreement,
    "video_object": video_object, "video_interactive:frames=3": video_interactive,
    "referring": referring,
}  # fmt: skip


@pytest.mark.parametrize("spec", CASES)
def test_every_metric(spec):
    records, expected, by_category = CASES[spec]()
    task = load("task", spec)
    measured = task.estimator(records)(np.ones(len(records)))
    assert measured.keys() == expected.keys()
    for name, value in expected.items():
        assert measured[name] == pytest.approx(value, abs=2e-4, nan_ok=True), name
    assert task.metric in measured
    of_categories = task.by_category(records)
    assert (of_categories is None) == (by_category is None)
    if of_categories is not None:
        assert of_categories(np.ones(len(records))) == pytest.approx(by_category)


@pytest.mark.parametrize("spec", CASES)
def test_a_record_that_is_taken_twice_counts_twice(spec):
    """What a resample does: means stay; what is counted doubles."""
    records, expected, _ = CASES[spec]()
    doubled = load("task", spec).estimator(records)(2 * np.ones(len(records)))
    for name, value in expected.items():
        factor = 2 if name.startswith("NoF") else 1
        assert doubled[name] == pytest.approx(factor * value, abs=2e-4, nan_ok=True), name


@pytest.mark.parametrize(("how", "asa", "ue", "br"), [("best", 1, 0, 1), ("worst", 0.75, 0.5, 0.5)])
def test_annotators_of_superpixels(how, asa, ue, br):
    records, _, _ = superpixels()
    measured = load("task", f"superpixels:annotators={how}").estimator(records)(np.ones(1))
    assert (measured["ASA"], measured["UE"], measured["BR"]) == (asa, ue, br)


def test_an_annotator_who_drew_no_boundary_has_no_recall():
    whole, halves = np.zeros((4, 4), dtype=np.int64), np.tile(np.arange(4) // 2, (4, 1))
    task = load("task", "superpixels")
    both = task.score(halves.astype(np.int32), Regions((whole, halves)))
    alone = task.score(halves.astype(np.int32), Regions((whole,)))
    assert (both["BR"], alone["BR"]) == ([None, 1], [None])
    measured = task.estimator([both, alone])(np.ones(2))
    assert (measured["BR"], measured["ASA"], measured["superpixels"]) == (1, 1, 2)


def test_official_evaluators_agree_and_have_no_resamples():
    _, expected, _ = average_precision()
    task = load("task", "instances:source=elsewhere,evaluator=official")
    record = task.score(prediction(BOXES[0], [2, 50, 12, 60], BOXES[1]), TRUTH)
    estimate = task.estimator([record])
    measured = estimate(np.ones(1))
    assert {"AP", "AP50", "AP75", "APs", "APm", "APl"} <= measured.keys()
    for name in measured.keys() & expected.keys():
        assert measured[name] == pytest.approx(expected[name], nan_ok=True), name
    again = estimate(2 * np.ones(1))
    assert again.keys() == measured.keys()
    assert all(np.isnan(value) for value in again.values())


def test_lvis_by_hand_and_by_its_package():
    """Both objects are of a frequent category; LVIS has 101 points of recall too."""
    extra = {
        "image_id": 1, "neg_category_ids": [], "not_exhaustive_category_ids": [],
        "frequency": ["f", "f"],
    }  # fmt: skip
    truth = replace(TRUTH, extra=extra)
    ap = (51 + 50 * 2 / 3) / 101
    for evaluator in ("sambench", "official"):
        task = load("task", f"instances:source=elsewhere,evaluator={evaluator}")
        record = task.score(prediction(BOXES[0], [2, 50, 12, 60], BOXES[1]), truth)
        measured = task.estimator([record])(np.ones(1))
        for name in ("AP", "AP50", "AP75", "APf"):
            assert measured[name] == pytest.approx(ap), (evaluator, name)
        assert (measured["APs"], measured["APm"]) == (pytest.approx(1), pytest.approx(1))
        assert np.isnan([measured[name] for name in ("APr", "APc", "APl")]).all()


def test_every_task_has_a_case():
    assert {spec.partition(":")[0] for spec in CASES} == set(names("task"))
