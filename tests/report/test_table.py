"""Tables for a terminal: what is shown, in which unit, and what is said beside it."""

import math
from dataclasses import replace

import pytest

from sambench.metrics.statistics import Estimate, estimates
from sambench.registry import find
from sambench.report.numbers import category_labels, central, few_images, show_difference, telling
from sambench.report.table import result_table
from sambench.shown import Histogram, Metric, as_details, find_metric
from sambench.store.result import Result

NAN = math.nan
AP = Metric("AP", "average precision", "percent")
AR = Metric("AR", "average recall", "percent")
CLICKS = Metric("NoC", "clicks until IoU .90", "clicks", higher_is_better=False)
DECLARED = (
    AP,
    *(
        replace(whole, name=f"{whole.name}{size[0]}", group="size", member=size, of=whole.name)
        for whole in (AP, AR)
        for size in ("small", "large")
    ),
    AR,
    CLICKS,
)


def result(**changes) -> Result:
    metrics = {metric.name: Estimate(0.5, 0.25, 0.75) for metric in reversed(DECLARED)}
    protocol = {"task": {}, "model": {"name": "m"}, "dataset": {"name": "d"}, "sambench": "0"}
    made = Result("t", "m", "d", "AP", 30, metrics, protocol, declared=DECLARED)
    return replace(made, **changes)


def rows(text: str) -> list[str]:
    return [line.split("  ")[0] for line in text.partition("\n\n")[0].splitlines()[2:]]


def test_the_main_metric_and_its_parts_come_first_and_parts_of_others_only_with_all() -> None:
    text = result_table(result())
    assert rows(text) == ["AP %", "APs %", "APl %", "AR %", "NoC clicks \N{DOWNWARDS ARROW}",
                          "and 2 more with --all"]  # fmt: skip
    assert "ARs" not in text
    every = result_table(result(), all_metrics=True)
    assert rows(every) == ["AP %", "APs %", "APl %", "ARs %", "ARl %", "AR %",
                           "NoC clicks \N{DOWNWARDS ARROW}"]  # fmt: skip
    assert "--all" not in every


def test_tasks_keep_their_main_numbers() -> None:
    names = [metric.name for metric in telling(find("task", "proposals").metrics, "AR@1000")]
    assert names[:4] == ["AR@1000", "ARs@1000", "ARm@1000", "ARl@1000"]
    assert {"AR@100", "AR@10", "boxAR@1000", "masks"} < set(names)
    assert not {"ARs@100", "boxARs@1000", "ARr@10"} & set(names)
    every = list(find("task", "interactive").metrics)  # mIoU@k has no whole that would stand for it
    assert telling(every, "NoC@90") == every


def test_a_group_of_its_own_is_aside_of_what_was_asked_for() -> None:
    aside = replace(CLICKS, name="ECE", group="confidence")
    estimates = {**result().metrics, "ECE": Estimate(0.5, 0.25, 0.75)}
    both = result(declared=(*DECLARED, aside), metrics=estimates)
    assert telling((AP, aside, CLICKS), "AP") == central((AP, aside, CLICKS)) == [AP, CLICKS]
    assert "and 3 more with --all" in result_table(both)
    assert "ECE" not in result_table(both)
    assert "ECE clicks" in result_table(both, all_metrics=True)


def test_numbers_are_in_the_unit_of_their_metric_and_the_legend_says_what_they_are() -> None:
    lines = result_table(result()).splitlines()
    assert lines[0] == "t on d with m: 30 images"
    assert lines[1].split() == ["metric", "value", "95", "%", "interval"]
    assert lines[2].split() == ["AP", "%", "50.0", "25.0", "to", "75.0"]
    assert lines[6].split() == ["NoC", "clicks", "↓", "0.50", "0.25", "to", "0.75"]
    assert "AP: average precision" in lines
    assert "APs, APl: AP by size (small, large)" in lines
    assert "NoC: clicks until IoU .90" in lines


def test_objects_are_counted_where_a_histogram_does() -> None:
    details = as_details([Histogram("IoU", (0.0, 0.5, 1.0), (3, 4))])
    assert result_table(result(details=details)).startswith("t on d with m: 30 images, 7 objects\n")


def test_what_is_not_defined_says_why() -> None:
    metrics = {"AP": Estimate(0.5, 0.4, 0.6), "APs": Estimate(NAN, NAN, NAN)}
    metrics["AR"] = metrics["APs"]
    lines = result_table(result(metrics=metrics)).splitlines()
    assert lines[3].endswith("not defined: these images have none of size small")
    assert lines[4].endswith("not defined: these images have nothing to measure")


def test_one_image_has_no_interval_and_few_are_told() -> None:
    one = estimates(lambda counts: {"AP": float(counts.sum() and 0.5)}, 1)
    assert (one["AP"].value, math.isnan(one["AP"].low)) == (0.5, True)
    text = result_table(result(metrics=one, images=1))
    assert text.splitlines()[2] == "AP %     50.0"
    assert "1 image, " not in text
    assert text.splitlines()[0] == "t on d with m: 1 image"
    assert "1 image gives no interval." in text


def test_images_that_are_too_few_to_compare_are_told() -> None:
    """Five images that all speak for one of two models: p is .0625."""
    assert few_images(5) == "5 images are too few to tell 2 models apart"
    assert few_images(6) == ""
    assert few_images(10, 10) == "10 images are too few to tell 10 models apart"
    assert few_images(11, 10) == ""


def test_an_interval_that_is_withheld_says_why() -> None:
    few = Estimate(0.5, NAN, NAN, "too few", 0.034)
    text = result_table(result(metrics={"AP": few, "AR": replace(few, bias=None)}))
    assert text.splitlines()[2] == "AP %     50.0"
    assert "no interval for AP, AR: too few (here AP by up to 3.4)" in text.splitlines()


def test_an_interval_without_width_says_nothing_of_noise() -> None:
    metrics = {"AP": Estimate(0.5, 0.5, 0.5 + 1e-15), "AR": Estimate(0.5, 0.5, 0.501)}
    assert result_table(result(metrics=metrics)).splitlines()[2:4] == [
        "AP %     50.0", "AR %     50.0  50.0 to 50.1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        (AP, 0.0123, "+1.2"), (AP, -0.5, "-50.0"), (AP, -0.0001, "+0.0"),
        (CLICKS, -1.5, "-1.50"), (Metric("F", "x"), 0.25, "+0.250"),
        (find_metric((), "a"), 0.25, "+0.2500"), (AP, NAN, "\N{EN DASH}"),
    ],
)  # fmt: skip
def test_differences_have_a_sign(metric: Metric, value: float, shown: str) -> None:
    assert show_difference(metric, value) == shown


def test_paired_differences_are_finer() -> None:
    assert show_difference(AP, 0.00123, 1) == "+0.12"


def test_categories_are_called_by_name() -> None:
    assert category_labels(["1", "7"], {"1": "cat"}) == {"1": "cat", "7": "7"}
    twice = {"1": "cat", "2": "cat"}
    assert category_labels(["1", "2"], twice) == {"1": "1 cat", "2": "2 cat"}


def test_a_number_of_exactly_0_is_not_passed_over_in_silence():
    """Such as AP of boxes whose categories are numbered as in another dataset."""
    zero = {name: Estimate(0.0, 0.0, 0.0) for name in result().metrics}
    assert "SUSPICIOUS: AP is exactly 0 on 30 images" in result_table(result(metrics=zero))
    assert "SUSPICIOUS" not in result_table(result(metrics=zero, images=2))
    assert "SUSPICIOUS" not in result_table(result(metrics=zero, metric="NoC"))
    assert "SUSPICIOUS" not in result_table(result())
