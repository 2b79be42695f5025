"""What tasks declare of their numbers and pictures, and that they give what they declare."""

import json
from pathlib import Path

import numpy as np
import pytest

from sambench.masks.rle import encode
from sambench.metrics.detection import coco
from sambench.registry import find, load, names
from sambench.shown import find_metric
from sambench.tasks import _official
from sambench.truths import Instances

PINNED = json.loads((Path(__file__).parents[1] / "fixtures" / "pinned.json").read_text())
TASKS = sorted(names("task"))
LOWER = {
    "foreground": {"MAE"},
    "interactive": {"HD95", *(f"No{kind}@{at}" for kind in "CF" for at in (80, 85, 90, 95))},
    "everything": {"ECE"},
    "instances": {"ECE", "HD95", "choice_cost"},
    "points": {"ECE", "HD95", "choice_cost"},
    "semantic": {"HD95"},
    "shaken": {"spread"},
    "superpixels": {"UE"},
    "text": {"IL_FPR"},
    "video_object": {"J-decay", "F-decay"},
}
FRACTIONS = {"edges", "foreground", "superpixels"}


def tasks():
    """Every task as it is, by each of its presets, and for predictions made elsewhere."""
    for name in TASKS:
        cls = find("task", name)
        yield name, load("task", name)
        yield name, load("task", name, **cls.foreign)
        yield from ((name, load("task", name, preset=preset)) for preset in cls.presets)


@pytest.mark.parametrize("case", PINNED)
def test_every_number_that_a_task_gives_is_declared(case):
    task = load("task", case.split()[0])
    declared = [metric.name for metric in task.metrics]
    assert PINNED[case].keys() <= set(declared)
    assert len(declared) == len(set(declared))
    assert task.metric == declared[0]


@pytest.mark.parametrize(
    ("spec", "absent"),
    {
        "cells": set(),
        "cells:preset=micro-sam-box": {"centre"},
        "cells:iterations=1": {"click"},
        "instances": {"category", "AP", "BoundaryAP", "boxAP"},
        "instances:source=elsewhere": {"mIoU", "BoundaryIoU"},
        "interactive": set(),
        "interactive:preset=ritm": set(),
        "interactive:preset=segnext": {"mIoU@k"},
        "panoptic": {"click"},
        "panoptic:prompt=point": set(),
        "points": set(),
        "points:first=random": {"click"},
        "points:preset=slimsam": {"click"},
        "points:points=2,first=random": set(),
        "points:surface=2": set(),
        "semantic": {"click"},
        "semantic:surface=2": {"click"},
        "video_interactive": set(),
        "video_interactive:protocol=online": {"worst frame"},
        "video_object": {"clicks"},
        "video_object:prompt=3-click": set(),
    }.items(),
)
def test_a_card_states_only_what_is_true_of_its_options(spec, absent):
    task = load("task", spec)
    if getattr(task, "surface", None) is None:
        absent = absent | ({"Dice", "NSD, HD95"} & task.facts.keys())
    assert task.stated.keys() == task.facts.keys() - absent


def test_the_rank_of_foreground_names_the_factors_that_are_multiplied():
    def rank(**options):
        return load("task", "foreground", **options).stated["rank"]

    assert rank() == load("task", "foreground").facts["rank"]
    assert rank(center=0, border=False) == "predicted IoU"
    assert rank(center=0).endswith("IoU x part of the image's border that is not covered")
    assert rank(border=False).endswith("IoU x mean of the centre prior over the mask")


@pytest.mark.parametrize(("name", "task"), list(tasks()))
def test_declarations_are_whole(name, task):
    for metric in task.metrics:
        assert len(metric.description) > 8, metric
        assert not metric.description.endswith("."), metric
        assert metric.group if metric.member else metric.group in ("", "confidence"), metric
        assert metric.lower_is_better == (metric.name in LOWER.get(name, ())), metric
        usual = "fraction" if name in FRACTIONS else "percent"
        other = {"NoC": "clicks", "NoF": "objects", "IL_MCC": "fraction", "Spearman": "fraction"}
        other |= {"superpixels": "count", "masks": "count", "HD95": "length"}
        assert metric.unit == other.get(metric.name.partition("@")[0], usual), metric


def test_parts_are_declared_of_what_they_are_parts_of():
    points, proposals = load("task", "points"), load("task", "proposals")
    small, third = (find_metric(points.metrics, name) for name in ("mIoUs", "mIoU@3"))
    assert (small.group, small.member, small.of) == ("size", "small", "mIoU")
    assert (third.group, third.member, third.of) == ("points", "3", "mIoU")
    rare = find_metric(proposals.metrics, "boxARr@100")
    assert (rare.group, rare.member, rare.of) == ("frequency", "rare", "boxAR@100")
    stuff = find_metric(load("task", "panoptic").metrics, "SQ_stuff")
    assert (stuff.group, stuff.member, stuff.of) == ("kind", "stuff", "SQ")


def test_instances_rank_scored_masks_by_ap_and_others_by_miou():
    scored, plain = load("task", "instances:source=elsewhere"), load("task", "instances")
    assert (scored.metric, plain.metric) == ("AP", "mIoU")
    known = {metric.name for metric in scored.metrics}
    assert set(_official.NAMES) <= known
    lvis = {f"AR{size}@{most}" for size in ("", "s", "m", "l") for most in (300, "all")}
    assert lvis | {"APr", "APc", "APf", "boxAPr", "BoundaryAP75"} <= known
    assert set(coco.average_precision([])(np.ones(0))) <= known


def test_scored_masks_have_no_histogram_of_iou():
    assert load("task", "instances:source=elsewhere").curves([{"segm": {}}]) == ()


def test_curves_of_clicks_by_hand():
    records = [{"iou": [[0.5, 0.9, 0.95]], "categories": [1]}, {"iou": [[0.1]], "categories": [2]}]
    for name, count in (("points:points=3", 3), ("interactive:clicks=3", 3)):
        curve, histogram = load("task", name).curves(records)
        assert curve.x == tuple(range(1, count + 1))
        assert curve.y == pytest.approx((0.3, 0.5, 0.525))
        assert sum(histogram.counts) == 2
        assert load("task", name).category_counts(records) == {"1": 1, "2": 1}


def test_clicks_by_category_by_hand():
    task = load("task", "interactive:clicks=3")
    records = [{"iou": [[0.5, 0.91], [0.1, 0.2, 0.3]], "categories": [4, 9]}]
    assert task.by_category(records)(np.ones(1)) == {"4": 2.0, "9": 3.0}


def test_the_threshold_curve_of_a_perfect_map():
    task = load("task", "foreground:stretch=false")
    mask = np.zeros((8, 8), bool)
    mask[2:6, 2:6] = True
    none = np.zeros(1)
    instances = Instances(
        (8, 8), tuple(encode(mask[None])), (1,), none.astype(np.int64), np.zeros((1, 4)), none,
        np.zeros(1, bool),
    )  # fmt: skip
    record = task.score(mask.astype(np.float32), instances)
    [curve] = task.curves([record])
    assert (curve.x[0], curve.x[-1]) == (1.0, 0.0)
    assert curve.y[0] == pytest.approx(1)
    assert not curve.log
