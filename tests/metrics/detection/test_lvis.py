from dataclasses import replace

import numpy as np
import pytest

from sambench.errors import UserError
from sambench.masks import rle
from sambench.metrics.detection import lvis
from sambench.metrics.detection.coco import Detections

FULL = pytest.approx(1, abs=1e-12)  # the lvis package adds a little to the denominator


@pytest.fixture(scope="module")
def frequency(lvis_data):
    return {c["id"]: c["frequency"] for c in lvis_data["categories"]}


@pytest.fixture(scope="module")
def found(lvis_truth, oracle):
    """Perturbed truth, part of it in categories that are absent, partly annotated or unjudged."""
    rng = np.random.default_rng(0)
    result = {}
    for image, truth in lvis_truth.items():
        detections = oracle.perturbed(truth, rng, extra=4)
        pool = [*truth.categories, *np.concatenate(list(truth.extra.values())), 1, 2, 3]
        other = rng.choice(np.array(pool, dtype=np.int64), len(detections))
        kept = np.where(rng.random(len(detections)) < 0.6, detections.categories, other)
        result[image] = replace(detections, categories=kept)
    return result


def measure(truths, found, frequency, iou_type="segm", max_dets=lvis.MAX_DETS, **options):
    records = [lvis.image_record(found[i], truths[i], iou_type, max_dets) for i in truths]
    estimate = lvis.average_precision(records, frequency, max_dets=max_dets, **options)
    return estimate(np.ones(len(records)))


def same(ours: dict, official: dict) -> None:
    """The lvis package calls every recall AR@300, whatever was asked for."""
    ours = {name.split("@")[0]: value for name, value in ours.items()}
    official = {name.split("@")[0]: value for name, value in official.items()}
    assert ours.keys() == official.keys()
    for name, value in official.items():
        assert ours[name] == value or (np.isnan(ours[name]) and np.isnan(value)), name


@pytest.mark.parametrize("iou_type", ["segm", "bbox"])
def test_real_annotations_bit_for_bit(lvis_data, lvis_truth, found, frequency, oracle, iou_type):
    dataset = oracle.as_dataset(lvis_truth, lvis_data["categories"])
    official = oracle.run_lvis(dataset, found, iou_type)
    same(measure(lvis_truth, found, frequency, iou_type), official)
    assert 0.1 < official["AP"] < 0.9


def test_trap_02_the_limit_is_per_image(lvis_data, lvis_truth, found, frequency, oracle):
    dataset = oracle.as_dataset(lvis_truth, lvis_data["categories"])
    numbers = measure(lvis_truth, found, frequency, max_dets=15)
    same(numbers, oracle.run_lvis(dataset, found, max_dets=15))
    assert numbers["AP"] < measure(lvis_truth, found, frequency)["AP"]


@pytest.mark.parametrize("per_category", [3, 10_000])
def test_fixed_ap_limits_per_category(
    lvis_data, lvis_truth, found, frequency, oracle, per_category
):
    dataset = oracle.as_dataset(lvis_truth, lvis_data["categories"])
    numbers = measure(lvis_truth, found, frequency, max_dets=None, per_category=per_category)
    official = oracle.run_lvis(dataset, found, max_dets=-1, per_category=per_category)
    same(numbers, official)
    assert "AR@all" in numbers


def one_image(negative=(), partial=(), areas=(2500.0,)):
    mask = np.zeros((1, 200, 200), dtype=bool)
    mask[0, 10:60, 10:60] = True
    from sambench.truths import Instances

    return Instances(
        (200, 200),
        tuple(rle.encode(mask)) * len(areas),
        tuple(range(1, len(areas) + 1)),
        np.ones(len(areas), dtype=np.int64),
        np.array([[10.0, 10, 60, 60]] * len(areas)),
        np.array(areas),
        np.zeros(len(areas), dtype=bool),
        extra={
            "neg_category_ids": list(negative),
            "not_exhaustive_category_ids": list(partial),
        },
    )


def detections(*kinds: str, categories=None) -> Detections:
    """Hits, misses and empty masks, in descending order of score."""
    masks = np.zeros((len(kinds), 200, 200), dtype=bool)
    for mask, kind in zip(masks, kinds, strict=True):
        start = {"hit": 10, "miss": 100, "empty": 200}[kind]
        mask[start : start + 50, start : start + 50] = True
    scores = np.linspace(1, 0.5, len(kinds))
    categories = np.ones(len(kinds)) if categories is None else np.array(categories)
    return Detections(tuple(rle.encode(masks)), scores, categories.astype(np.int64))


def ap(found: Detections, truth, **options) -> float:
    return measure({1: truth}, {1: found}, {1: "f", 2: "r"}, **options)["AP"]


def test_trap_03_empty_masks_are_no_false_positives_but_fill_the_limit():
    assert ap(detections("empty", "hit"), one_image()) == FULL
    assert ap(detections("miss", "hit"), one_image()) == pytest.approx(0.5)
    assert ap(detections("empty", "hit"), one_image(), max_dets=1) == 0


def test_trap_03_objects_annotated_without_area_are_not_asked_for():
    assert ap(detections("hit"), one_image(areas=(2500.0, 0.0))) == FULL


def test_trap_11_crowd_flags_play_no_role():
    truth = replace(one_image(), crowd=np.ones(1, dtype=bool))
    assert ap(detections("hit"), truth) == FULL


def test_trap_12_partly_annotated_categories_excuse_false_positives_only():
    partial = one_image(partial=[1])
    assert ap(detections("miss", "hit"), partial) == FULL
    assert ap(detections("miss"), partial) == 0


def test_only_categories_that_are_judged_in_an_image_count():
    other, mine = one_image(), replace(one_image(), categories=np.array([2]))
    found = {1: detections("miss", "hit", categories=[2, 1]), 2: detections("hit", categories=[2])}
    frequency = {1: "f", 2: "r"}
    assert measure({1: other, 2: mine}, found, frequency)["APr"] == FULL
    judged = one_image(negative=[2])
    assert measure({1: judged, 2: mine}, found, frequency)["APr"] == pytest.approx(0.5)


def test_bad_input_is_named():
    truth = one_image()
    record = lvis.image_record(detections("hit"), truth)
    with pytest.raises(UserError, match="category 1 has no frequency"):
        lvis.average_precision([record], {2: "f"})
    with pytest.raises(UserError, match="needs neg_category_ids and not_exhaustive_category_ids"):
        lvis.image_record(detections("hit"), replace(truth, extra={}))
