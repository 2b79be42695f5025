"""One result as text for a terminal."""

import math
from collections.abc import Sequence

from sambench.interfaces import JSON
from sambench.metrics.statistics import Estimate
from sambench.report.numbers import (
    counted,
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
    speed,
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
            *(_row(metric, result.metrics[metric.name], result.items) for metric in shown),
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


def _row(metric: Metric, estimate: Estimate, items: str) -> tuple[str, str, str]:
    """Name, value and interval, or why there is none."""
    if math.isnan(estimate.value):
        return show_metric(metric), show_value(metric, estimate.value), why_undefined(metric, items)
    interval = show_interval(metric, estimate) if has_interval(estimate) else ""
    return show_metric(metric), show_value(metric, estimate.value), interval


def _said(result: Result, paper: str) -> list[str]:
    """What must be said beside the numbers, in whole lines."""
    lines = []
    if result.failed:
        lines.append(f"INCOMPLETE: {counted(len(result.failed), result.items)} failed:")
        lines += [f"  {id}: {reason}" for id, reason in result.failed.items()]
    if not result.defined:
        lines.append(f"UNDEFINED: these {result.items} have nothing that {result.metric} measures.")
    if zero := nothing_matched(result):
        lines.append(f"SUSPICIOUS: {zero}.")
    if result.images == 1:
        lines.append(f"{few_images(1, items=result.items)}.")
    if result.note:
        lines.append(result.note + (f" The paper's protocol: {paper}" if paper else ""))
    if (found := speed(result)) is not None:
        delay = _delay(result.timing)
        lines.append(f"{found[0]:.2f} {found[1]} for the model on {hardware(result)}{delay}")
    return lines


def _delay(timing: JSON) -> str:
    """When the masks of a frame of a clip are there, after a semicolon; nothing for images."""
    if "latency" not in timing:
        return ""
    delay = 1000 * timing["latency"]["p95"]
    shown = f"{delay:.0f}" if delay >= 10 else f"{delay:.2g}"
    return f"; a frame's masks are there within {shown} ms for 95 % of them"
