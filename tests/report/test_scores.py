"""The score of each image alone."""

from math import isfinite
from pathlib import Path

import pytest

from sambench.report import scores
from sambench.store.comparing import of_one_image
from sambench.store.run import Run

RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.parametrize("task", ["points", "instances", "semantic", "edges"])
def test_many_at_once_give_what_each_gives_alone_to_the_bit(task, monkeypatch):
    run = Run(RESULTS / task / "mini" / "minisam.json")
    lines, metric = run.lines(), run.result.metric
    alone = [of_one_image(run.task, metric, line["record"]) for line in lines]
    assert len(lines) == 10
    for together in (4, 256):  # in three parts, the last of which is shorter, and in one
        monkeypatch.setattr(scores, "TOGETHER", together)
        found = scores.image_scores(run.task, metric, lines)
        assert list(found) == [line["id"] for line in lines]
        assert list(found.values()) == [value if isfinite(value) else None for value in alone]


def test_records_that_are_summed_up_are_read_once_and_not_one_by_one(monkeypatch):
    run = Run(RESULTS / "points" / "mini" / "minisam.json")
    monkeypatch.setattr(scores, "of_one_image", None)
    values = scores.image_scores(run.task, "mIoU", run.lines()).values()
    assert len(set(values)) == 10
    unknown = scores.image_scores(run.task, "no such metric", run.lines())
    assert set(unknown.values()) == {None}
