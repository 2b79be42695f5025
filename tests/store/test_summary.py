"""Intervals stay among the values that a metric can have."""

import math
from pathlib import Path

import pytest

from sambench.shown import Metric
from sambench.store.run import Run
from sambench.store.summary import recomputed

RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (Metric("mIoU", "", "percent"), (0, 1)),
        (Metric("Spearman", "", signed=True), (-1, 1)),
        (Metric("NoC", "", "clicks"), (0, math.inf)),
        (Metric("surplus", "", "objects", signed=True), (-math.inf, math.inf)),
        (Metric("gain", "", "dB"), (-math.inf, math.inf)),
        (Metric("nobody's", "", ""), (-math.inf, math.inf)),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_the_unit_of_a_metric_tells_its_range(metric, expected):
    assert metric.range == expected


def test_no_interval_promises_fewer_clicks_than_none():
    """Of 20 objects 18 take five clicks at most, one takes nine, one is never reached."""
    found = recomputed(Run(RESULTS / "interactive" / "grabcut" / "minisam.json")).metrics
    assert (found["NoC@80"].low, found["NoC@80"].value) == (0, 3)
    assert found["NoC@80"].high > 9
    assert 4 < found["NoC@95"].low < found["NoC@95"].value
