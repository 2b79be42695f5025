"""One result as text for a terminal."""

import math
from collections.abc import Sequence

from sambench.metrics.statistics import Estimate
from sambench.report.numbers import (
    declared_by,
    few_images,
    hardware,
    has_interval,
    legend,
    metric_of,
    nothing_matched,
    scored,
    show_interval,
    show_metric,
    show_value,
    telling,
    why_undefined,
    withheld,
)
from sambench.shown import Metric
from sambench.store.result import Result


def result_table(result: Result, paper: str = "", *, all_metrics: bool = False) -> str:
    """A result's metrics with their intervals, what they are, and what must be said beside them.

    Args:
        result: what to show.
        paper: the command that runs the paper's own protocol.
        all_metrics: show the breakdowns of all metrics, not only that of the main one.
    """
    metrics = _in_order(result)
    shown = metrics if all_metrics else telling(metrics, result.metric)
    lines = [
        f"{result.task} on {result.dataset} with {result.model}: {scored(result)}",
        *aligned([
            ("metric", "value", "95 % interval"),
            *(_row(metric, result.metrics[metric.name]) for metric in shown),
        ]),
    ]  # fmt: skip
    if len(shown) < len(metrics):
        lines.append(f"and {len(metrics) - len(shown)} more with --all")
    whys = withheld((metric, result.metrics[metric.name]) for metric in shown)
    return "\n".join([*lines, "", *legend(shown), *whys, *_said(result, paper)])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table: the first column left, the last left, those between right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if place in {0, len(row) - 1} else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _in_order(result: Result) -> list[Metric]:
    """The metrics of a result, the main one first, then as its task declares them, then others."""
    names = [result.metric, *(metric.name for metric in declared_by(result)), *result.metrics]
    return [metric_of(result, name) for name in dict.fromkeys(names) if name in result.metrics]


def _row(metric: Metric, estimate: Estimate) -> tuple[str, str, str]:
    """Name, value and interval, or why there is none."""
    if math.isnan(estimate.value):
        return show_metric(metric), show_value(metric, estimate.value), why_undefined(metric)
    interval = show_interval(metric, estimate) if has_interval(estimate) else ""
    return show_metric(metric), show_value(metric, estimate.value), interval


def _said(result: Result, paper: str) -> list[str]:
    """What must be said beside the numbers, in whole lines."""
    lines = []
    if result.failed:
        lines.append(f"INCOMPLETE: {len(result.failed)} images failed:")
        lines += [f"  {id}: {reason}" for id, reason in result.failed.items()]
    if not result.defined:
        lines.append(f"UNDEFINED: these images have nothing that {result.metric} measures.")
    if zero := nothing_matched(result):
        lines.append(f"SUSPICIOUS: {zero}.")
    if result.images == 1:
        lines.append(f"{few_images(1)}.")
    if result.note:
        lines.append(result.note + (f" The paper's protocol: {paper}" if paper else ""))
    timing = result.timing
    if speed := timing.get("frames_per_second"):
        delay = 1000 * timing["latency"]["p95"]
        shown = f"{delay:.0f}" if delay >= 10 else f"{delay:.2g}"
        lines.append(
            f"{speed:.2f} frames/s for the model on {hardware(result)}; a frame's masks are there "
            f"within {shown} ms for 95 % of them"
        )
    elif speed := timing.get("images_per_second"):
        lines.append(f"{speed:.2f} images/s for the model on {hardware(result)}")
    return lines
