"""Suites: what is here is run, what is absent is named, a partial mean says so."""

import json
import math

import pytest

from sambench.cli import main
from sambench.data import suites
from sambench.errors import UserError
from sambench.metrics.statistics import Estimate
from sambench.store.result import Result
from sambench.store.suites import suite_result


@pytest.fixture(autouse=True)
def small_suite(monkeypatch):
    monkeypatch.setitem(suites.SUITES, "small", ("mini", "scenes", "cityscapes"))


def result(dataset, value, low, high):
    protocol = {"task": {}, "model": {}, "dataset": {"name": dataset}}
    metrics = {"mIoU": Estimate(value, low, high)}
    return Result("points", "m", dataset, "mIoU", 3, metrics, protocol)


def test_a_partial_mean_says_so_in_its_name():
    chosen = suites.select("small")
    assert [dataset.card.name for dataset in chosen.datasets] == ["mini", "scenes"]
    assert set(chosen.absent) == {"cityscapes"}
    mean = suite_result(chosen, [result("mini", 0.5, 0.4, 0.6), result("scenes", 1, 1, 1)])
    assert list(mean.metrics) == ["mIoU [2 of 3 datasets]"]
    assert mean.metric == "mIoU [2 of 3 datasets]"
    estimate = mean.metrics[mean.metric]
    assert (estimate.value, round(estimate.low, 6), round(estimate.high, 6)) == (0.75, 0.7, 0.8)


def test_a_whole_suite_has_the_plain_name_and_an_unweighted_mean():
    chosen = suites.select("small")
    results = [
        result(name, value, value, value) for name, value in zip("abc", (0, 0.3, 0.6), strict=True)
    ]
    mean = suite_result(chosen, results)
    assert mean.metrics["mIoU"].value == pytest.approx(0.3)


def test_what_is_not_defined_is_left_out_of_the_mean():
    chosen = suites.select("small")
    nan = math.nan
    results = [result("a", 0.5, 0.5, 0.5), result("b", nan, nan, nan), result("c", 0.7, 0.7, 0.7)]
    assert suite_result(chosen, results).metrics["mIoU"].value == pytest.approx(0.6)


def test_a_suite_of_which_nothing_is_here_is_refused(tmp_path):
    with pytest.raises(UserError, match="no dataset of sa23 is here"):
        suites.select(f"sa23:root={tmp_path}")


def test_a_suite_runs_by_the_command_line(capsys, tmp_path):
    words = ["run", "--task", "points", "--model", "whole_image", "--dataset", "small",
             "--limit", "1", "--output", str(tmp_path), "--workers", "0", "--json"]  # fmt: skip
    assert main(words) == 0
    out, err = capsys.readouterr()
    names = [one["dataset"] for one in json.loads(out)]
    assert names == ["mini", "scenes", "small"]
    assert "small: cityscapes is absent" in err
