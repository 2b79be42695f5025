from dataclasses import replace

import numpy as np
import pytest

from sambench.errors import UserError
from sambench.masks import rle
from sambench.metrics.detection import coco as detection
from sambench.metrics.detection.accumulate import RANGES, Tally
from sambench.metrics.detection.assignment import take_truths
from sambench.metrics.detection.coco import Detections

ONE = np.ones(1)
FULL = pytest.approx(1, abs=1e-12)  # COCOeval adds a little to the denominator


def same(ours: dict, official: dict) -> None:
    assert ours.keys() == official.keys()
    for name, value in official.items():
        assert ours[name] == value or (np.isnan(ours[name]) and np.isnan(value)), name


def measure(truths, found, iou_type="segm"):
    records = [detection.image_record(found[i], truths[i], iou_type) for i in truths]
    return detection.average_precision(records)(np.ones(len(records)))


def square(row: int, column: int, side: int, size=(200, 200)) -> dict:
    mask = np.zeros((1, *size), dtype=bool)
    mask[0, row : row + side, column : column + side] = True
    return rle.encode(mask)[0]


def truth_of(oracle, squares, *, areas=None, crowd=None, ids=None, categories=None):
    rles = tuple(square(*s) for s in squares)
    return oracle.Instances(
        (200, 200),
        rles,
        tuple(ids or range(1, len(rles) + 1)),
        np.array(categories or [1] * len(rles), dtype=np.int64),
        rle.boxes(rles),
        np.array(areas or rle.areas(rles), dtype=float),
        np.array(crowd or [False] * len(rles), dtype=bool),
    )


def found_of(squares, scores, categories=None):
    rles = tuple(square(*s) for s in squares)
    categories = np.array(categories or [1] * len(rles), dtype=np.int64)
    return Detections(rles, np.array(scores, dtype=float), categories)


@pytest.fixture(scope="module")
def hostile(coco_truth, oracle):
    """Real images with more crowd regions, areas on the edges of bins, and images with nothing."""
    rng = np.random.default_rng(1)
    truths, found = {}, {}
    for n, (image, truth) in enumerate(coco_truth.items()):
        areas = np.where(rng.random(len(truth)) < 0.2, rng.choice([1024.0, 9216.0, 0.0]), 1.0)
        areas = np.where(areas == 1.0, truth.areas, areas)
        truth = replace(truth, crowd=truth.crowd | (rng.random(len(truth)) < 0.15), areas=areas)
        found[image] = oracle.perturbed(truth, rng, extra=1 + n % 3)
        if n % 10 == 3:
            found[image] = found[image].take(np.arange(0))
        truths[image] = take_truths(truth, np.arange(0)) if n % 10 == 4 else truth
    return truths, found


@pytest.mark.parametrize("iou_type", ["segm", "bbox"])
def test_real_detections_bit_for_bit(coco, coco_truth, coco_found, oracle, iou_type):
    dataset = oracle.as_dataset(coco_truth, coco["categories"])
    official = oracle.coco_numbers(oracle.run_coco(dataset, coco_found, iou_type))
    same(measure(coco_truth, coco_found, iou_type), official)
    assert official["AP"] > 0.05


@pytest.mark.parametrize("iou_type", ["segm", "bbox", "boundary"])
def test_hostile_detections_bit_for_bit(coco, hostile, oracle, iou_type):
    truths, found = hostile
    evaluator = oracle.run_coco(oracle.as_dataset(truths, coco["categories"]), found, iou_type)
    same(measure(truths, found, iou_type), oracle.coco_numbers(evaluator))


def test_every_point_of_every_curve(coco, hostile, oracle):
    truths, found = hostile
    evaluator = oracle.run_coco(oracle.as_dataset(truths, coco["categories"]), found)
    records = [detection.image_record(found[i], truths[i]) for i in truths]
    tally = Tally.of(records)
    curves = tally.curves(np.ones(len(records)))
    columns = [evaluator.params.catIds.index(c) for c in tally.categories]
    for area, name in enumerate(RANGES):
        there = curves.present[name]
        official = evaluator.eval["precision"][:, :, columns, area, -1]
        assert np.array_equal(official[..., there], curves.precision[name][..., there])
        assert (official[..., ~there] == -1).all()
        recall = evaluator.eval["recall"][:, columns, area, -1]
        assert np.array_equal(recall[:, there], curves.final_recall[name][:, there])


def test_records_survive_json(hostile, oracle):
    import json

    truths, found = hostile
    records = [detection.image_record(found[i], truths[i]) for i in truths]
    again = json.loads(json.dumps(records))
    weights = np.ones(len(records))
    first, second = (detection.average_precision(r)(weights) for r in (records, again))
    assert first == second
    assert len(json.dumps(records)) / len(records) < 2000


def test_weights_repeat_images(coco, coco_truth, oracle):
    """A resample is the data set in which each image occurs as often as its weight says."""
    rng = np.random.default_rng(2)
    records, truths, found = [], {}, {}
    weights = rng.integers(0, 4, len(coco_truth))
    for (image, truth), weight in zip(coco_truth.items(), weights, strict=True):
        detections = oracle.perturbed(truth, rng)
        detections = replace(detections, scores=rng.random(len(detections)))
        records.append(detection.image_record(detections, truth))
        for copy in range(weight):
            ids = tuple(10_000_000 * (copy + 1) + i for i in truth.ids)
            truths[10 * image + copy] = replace(truth, ids=ids)
            found[10 * image + copy] = detections
    dataset = oracle.as_dataset(truths, coco["categories"])
    official = oracle.coco_numbers(oracle.run_coco(dataset, found))
    same(detection.average_precision(records)(weights.astype(float)), official)


def test_order_of_records_matters_only_to_ties(coco_truth, oracle):
    rng = np.random.default_rng(3)
    records = []
    for truth in coco_truth.values():
        detections = oracle.perturbed(truth, rng)
        detections = replace(detections, scores=rng.random(len(detections)))
        records.append(detection.image_record(detections, truth))
    weights = np.ones(len(records))
    forward = detection.average_precision(records)(weights)
    assert forward == detection.average_precision(records[::-1])(weights)


def test_equal_scores_rank_in_the_order_given(oracle):
    truth = truth_of(oracle, [(10, 10, 50)])
    hit, miss = (10, 10, 50), (100, 100, 50)
    for squares, expected in (([hit, miss], 1.0), ([miss, hit], 0.5)):
        record = detection.image_record(found_of(squares, [0.5, 0.5]), truth)
        assert detection.average_precision([record])(ONE)["AP"] == pytest.approx(expected)


def test_at_most_100_detections_of_a_category_count(oracle):
    truth = truth_of(oracle, [(10, 10, 50), (100, 100, 50)], categories=[1, 2])
    squares = [*[(100, 10, 40)] * 300, (10, 10, 50), (100, 100, 50)]
    found = found_of(squares, [0.9] * 300 + [0.5, 0.4], [1] * 301 + [2])
    record = detection.image_record(found, truth)
    assert record["detections"] == [100, 1]
    assert detection.average_precision([record])(ONE)["AR@100"] == 0.5


def test_nothing_to_find_is_nan_and_nothing_found_is_zero(oracle):
    nothing = Detections((), np.zeros(0), np.zeros(0, dtype=np.int64))
    truth, empty = truth_of(oracle, [(10, 10, 50)]), truth_of(oracle, [])
    numbers = detection.average_precision([detection.image_record(nothing, empty)])(ONE)
    assert np.isnan(list(numbers.values())).all()
    assert np.isnan(list(detection.average_precision([])(np.ones(0)).values())).all()
    numbers = detection.average_precision([detection.image_record(nothing, truth)])(ONE)
    assert numbers["AP"] == numbers["APm"] == numbers["AR@100"] == 0
    assert np.isnan(numbers["APs"])
    dropped = detection.average_precision([detection.image_record(nothing, truth)])(0 * ONE)
    assert np.isnan(list(dropped.values())).all()


def test_false_positives_without_truth_in_any_image_cost_nothing(oracle):
    truth = truth_of(oracle, [(10, 10, 50)])
    found = found_of([(10, 10, 50), (100, 100, 50)], [0.5, 0.9], [1, 2])
    record = detection.image_record(found, truth)
    assert detection.average_precision([record])(ONE)["AP"] == FULL


@pytest.mark.parametrize("category", [0, -1])
def test_trap_05_category_0_or_minus_1_counts(oracle, category):
    truth = truth_of(oracle, [(10, 10, 50)], categories=[category])
    record = detection.image_record(found_of([(10, 10, 50)], [0.5], [category]), truth)
    assert detection.average_precision([record])(ONE)["AP"] == FULL


def test_trap_07_annotation_id_0_can_be_found(oracle):
    truth = truth_of(oracle, [(10, 10, 50)], ids=[0])
    found = found_of([(10, 10, 50)], [0.5])
    assert measure({1: truth}, {1: found})["AP"] == FULL
    dataset = oracle.as_dataset({1: truth}, [{"id": 1}])
    assert oracle.coco_numbers(oracle.run_coco(dataset, {1: found}))["AP"] == 0  # COCOeval's bug


def test_trap_08_precision_at_any_limit_is_a_number(oracle):
    truth = truth_of(oracle, [(10, 10, 50), (100, 100, 50)])
    found = found_of([(10, 10, 50), (100, 100, 50)], [0.5, 0.4])
    record = detection.image_record(found, truth, max_dets=1000)
    numbers = detection.average_precision([record], budgets=(1, 1000))(ONE)
    assert (numbers["AP"], numbers["AR@1"], numbers["AR@1000"]) == (FULL, 0.5, 1)


def test_trap_09_area_of_a_masks_detection_is_the_mask_s(coco_truth, coco_found):
    without = {i: replace(found, boxes=None) for i, found in coco_found.items()}
    assert measure(coco_truth, coco_found) == measure(coco_truth, without)


def test_trap_10_scores_that_are_no_number_are_refused():
    with pytest.raises(UserError, match="score of detection 1 is not a number"):
        found_of([(10, 10, 50), (10, 10, 50)], [0.5, np.nan])


def test_trap_10_masks_of_another_size_are_refused(oracle):
    truth = truth_of(oracle, [(10, 10, 50)])
    turned = Detections((square(1, 1, 9, (100, 400)),), ONE, np.ones(1, dtype=np.int64))
    for iou_type in ("segm", "bbox", "boundary"):
        with pytest.raises(UserError, match=r"\[100, 400\].*\[200, 200\]"):
            detection.image_record(turned, truth, iou_type)


def test_trap_11_a_crowd_region_excuses_and_asks_for_nothing(oracle):
    truth = truth_of(oracle, [(10, 10, 50), (100, 0, 100)], crowd=[False, True])
    in_crowd = [(100 + 20 * i, 20, 10) for i in range(4)]
    found = found_of([*in_crowd, (10, 10, 50)], [0.9, 0.9, 0.9, 0.9, 0.1])
    numbers = measure({1: truth}, {1: found})
    assert (numbers["AP"], numbers["AR@100"]) == (FULL, 1)


def test_trap_13_scores_are_compared_in_double_precision(oracle):
    truth = truth_of(oracle, [(10, 10, 50)])
    found = found_of([(100, 100, 50), (10, 10, 50)], [0.1, 0.1 + 1e-12])
    assert measure({1: truth}, {1: found})["AP"] == FULL
    single = replace(found, scores=np.array([0.3, 0.7], dtype=np.float32))
    assert detection.image_record(single, truth)["scores"] == [
        float(np.float32(0.7)),
        float(np.float32(0.3)),
    ]


def test_bad_input_is_named(oracle):
    truth = truth_of(oracle, [(10, 10, 50)])
    found = found_of([(10, 10, 50)], [0.5])
    with pytest.raises(UserError, match="unknown IoU type 'mask': choose segm"):
        detection.image_record(found, truth, "mask")
    with pytest.raises(UserError, match="2 scores"):
        replace(found, scores=np.ones(2))
    with pytest.raises(UserError, match="do not fit 1 records"):
        detection.average_precision([detection.image_record(found, truth)])(np.ones(2))
