"""One result as text for a terminal."""

import math

from sambench.metrics.statistics import Estimate
from sambench.report.numbers import metric_of, terminal_name, terminal_value
from sambench.shown import Metric
from sambench.store.result import Result


def result_table(result: Result, paper: str = "") -> str:
    """A result's metrics with their intervals and what they are, and what must be said beside them.

    Args:
        result: what to show.
        paper: the command that runs the paper's own protocol.
    """
    head = f"{result.task} on {result.dataset} with {result.model}: {result.images} images"
    metrics = {name: metric_of(result, name) for name in result.metrics}
    rows = [("metric", " value", " 95 % interval", "")]
    rows += [_row(metrics[name], value) for name, value in result.metrics.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [head, *(_line(row, widths) for row in rows)]
    if result.failed:
        lines.append(f"INCOMPLETE: {len(result.failed)} images failed:")
        lines += [f"  {id}: {reason}" for id, reason in result.failed.items()]
    if not result.defined:
        lines.append(f"UNDEFINED: these images have nothing that {result.metric} measures.")
    if result.note:
        lines.append(result.note + (f" The paper's protocol: {paper}" if paper else ""))
    speed = result.timing.get("images_per_second")
    if speed:
        lines.append(f"{speed:.2f} images/s for the model on {_device(result)}")
    return "\n".join(lines)


def _row(metric: Metric, estimate: Estimate) -> tuple[str, str, str, str]:
    """Name, value, interval and what it is."""
    value, low, high = (
        terminal_value(metric, number) for number in (estimate.value, estimate.low, estimate.high)
    )
    interval = "" if math.isnan(estimate.low) else f" {low} to {high}"
    return terminal_name(metric), value, interval, metric.description


def _line(row: tuple[str, str, str, str], widths: list[int]) -> str:
    name, value, interval, description = row
    numbers = f"{value:>{widths[1]}}  {interval:<{widths[2]}}"
    return f"{name:<{widths[0]}}  {numbers}   {description}".rstrip()


def _device(result: Result) -> str:
    environment = result.environment
    device = environment.get("device", "cpu")
    return str(environment.get("cpu") if device == "cpu" else device)
