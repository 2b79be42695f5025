"""What every task answers, held: by hand on tiny cases, and to the digit on small sets.

The values in fixtures/pinned.json are what cheap baselines score. They say nothing of quality; a
change in them is a change of a number that people may have published. This file, run as a script,
writes them anew.
"""

import json
import math
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

import sambench
from sambench.metrics import panoptic
from sambench.metrics.interactive import clicks_needed, iou_after, mean_curve
from sambench.metrics.statistics import Estimate
from sambench.registry import find, load, names
from sambench.report.ranking import noise, standings
from sambench.tasks.interactive import CURVE

TESTS = Path(__file__).resolve().parents[1]
PINNED = TESTS / "fixtures" / "pinned.json"
CASES = [
    ("points:points=3,feedback=false", "superpixel", "mini"),
    ("points:crowd=true", "whole_image", "scenes:images=3"),
    ("interactive:clicks=4,feedback=false", "flood_fill", "mini"),
    ("cells:iterations=2", "superpixel", "scenes:images=3"),
    ("edges", "sobel", "mini"),
    ("proposals:points_per_side=4", "superpixel", "mini"),
    ("instances", "box_mask", "mini"),
    (
        "everything:points_per_side=4,pred_iou_thresh=0,stability_score_thresh=0",
        "superpixel",
        "mini",
    ),
    ("agreement:teacher=flood_fill", "superpixel", "mini"),
    ("foreground", "center", "mini"),
    ("panoptic", "box_mask", "scenes:images=3"),
    ("semantic", "box_mask", "scenes:images=3"),
    ("shaken:steps=2,draws=2", "box_mask", "mini"),
    ("text", "oracle:dataset=scenes", "scenes:images=3"),
    ("open_vocabulary", "oracle:dataset=scenes", "scenes:images=3"),
    ("open_semantic:background=class", "whole_image", "scenes:images=3"),
    ("superpixels", "slic", "scenes:images=3"),
    ("video_object", "still", "parts/clips.py"),
    ("video_interactive:frames=2", "still:model=superpixel", "parts/clips.py"),
    ("referring:answer=all", "parts/said.py", "parts/sentences.py"),
]


def measure(task, *plugins):
    model, dataset = (str(TESTS / name) if name.endswith(".py") else name for name in plugins)
    with tempfile.TemporaryDirectory() as folder:
        result = sambench.evaluate(
            task, model=model, dataset=dataset, limit=3, output=folder, progress=False, resamples=0
        )
    return {name: None if math.isnan(e.value) else e.value for name, e in result.metrics.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_every_metric_is_what_it_was(case):
    expected = json.loads(PINNED.read_text())[" ".join(case)]
    found = measure(*case)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # Baselines compute in float32 here and there, which may round otherwise elsewhere.
        assert found[name] == (None if value is None else pytest.approx(value, abs=1e-6)), name


def test_every_task_is_held():
    assert {case[0].partition(":")[0] for case in CASES} == set(names("task"))


class TestInteractive:
    def test_clicks_until_a_target_is_reached(self):
        assert clicks_needed([0.5, 0.9, 0.95], 0.9, 20) == 2
        assert clicks_needed([0.9], 0.9, 20) == 1
        assert clicks_needed([0.5], 0.9, 20) == 20
        assert clicks_needed([0.5, 0.6, 0.99], 0.9, 2) == 2

    def test_iou_after_clicks_that_were_not_needed_is_the_last(self):
        assert iou_after([0.5, 0.9], 5) == 0.9
        assert iou_after([0.5, 0.9], 1) == 0.5
        assert mean_curve([[0.5, 0.9], [0.1, 0.2, 0.3]], 3).tolist() == pytest.approx(
            [0.3, 0.55, 0.6]
        )

    def test_numbers_of_two_objects_by_hand(self):
        task = load("task", "interactive:clicks=3")
        records = [{"iou": [[0.5, 0.86, 0.91]]}, {"iou": [[0.2, 0.3, 0.4]]}]
        found = task.estimator(records)(np.ones(2))
        assert found["NoC@90"] == pytest.approx((3 + 3) / 2)
        assert found["NoC@85"] == pytest.approx((2 + 3) / 2)
        assert found["NoC@80"] == pytest.approx((2 + 3) / 2)
        assert (found["NoF@90"], found["NoF@85"]) == (2, 1)
        assert found["mIoU@1"] == pytest.approx(0.35)
        assert found["mIoU@3"] == pytest.approx(0.655)

    def test_its_defaults_are_the_papers(self):
        task = load("task", "interactive")
        assert (task.clicks, task.repeat, task.stop) == (20, False, 0.95)
        assert CURVE == (1, 3, 5, 10, 20)


class TestPanoptic:
    RECORD: ClassVar = {
        "categories": [7], "things": [True], "iou_sum": [0.8], "tp": [1], "fp": [2], "fn": [1],
    }  # fmt: skip

    def test_false_positives_and_negatives_count_by_half(self):
        found = panoptic.panoptic_estimator([self.RECORD])(np.ones(1))
        assert found["PQ"] == pytest.approx(0.8 / 2.5)
        assert found["SQ"] == pytest.approx(0.8)
        assert found["RQ"] == pytest.approx(1 / 2.5)
        by_category = panoptic.quality_by_category([self.RECORD])(np.ones(1))
        assert [*by_category.values()] == [pytest.approx(0.8 / 2.5)]


class TestRanks:
    @staticmethod
    def run(value, low, high):
        result = SimpleNamespace(metrics={"m": Estimate(value, low, high)}, images=40)
        return SimpleNamespace(result=result)

    def test_a_number_without_an_interval_ties_with_any(self):
        lines = [self.run(0.9, math.nan, math.nan), self.run(0.5, 0.4, 0.6)]
        found = standings([noise(line, "m") for line in lines], lower=False)
        assert [(each.best, each.worst) for each in found] == [(1, 2), (1, 2)]


def test_a_split_stands_on_the_card(tmp_path):
    (tmp_path / "images" / "val").mkdir(parents=True)
    (tmp_path / "groundTruth" / "val").mkdir(parents=True)
    assert find("dataset", "bsds500")(str(tmp_path), "val").card.split == "val"


if __name__ == "__main__":
    found = {" ".join(case): measure(*case) for case in CASES}
    PINNED.write_text(json.dumps(found, indent=1) + "\n")
