"""How metrics are written, as each declares it."""

import math
from collections.abc import Iterable, Sequence

from sambench.metrics.statistics import Estimate
from sambench.shown import Metric, find_metric
from sambench.store.result import Result
from sambench.store.tasks import declared_metrics

DASH = "\N{EN DASH}"
"""Printed where there is no number, and between the ends of a range."""
WORDLESS = {"percent": " %", "fraction": "", "count": "", "": ""}
"""Units that stand in a heading otherwise than as their word."""
FRACTIONS = ("percent", "fraction")
TERMINAL = 4
"""Decimals of a fraction in a terminal, where small differences matter."""


def declared_by(result: Result) -> tuple[Metric, ...]:
    """Declarations of a result's metrics: its own, or those of the installed task of that name."""
    return result.declared or declared_metrics(result.task)


def metric_of(result: Result, name: str = "") -> Metric:
    """The declaration of a metric of a result, of the one to rank by if none is named."""
    return find_metric(declared_by(result), name or result.metric)


def show_value(metric: Metric, value: float) -> str:
    """A value as the field prints it, a dash where it is not defined."""
    if math.isnan(value):
        return DASH
    return f"{value * metric.factor:.{metric.places}f}"


def show_estimate(metric: Metric, estimate: Estimate) -> str:
    """Value and interval: ``59.1 (57.0 to 61.2)``."""
    value = show_value(metric, estimate.value)
    if math.isnan(estimate.low):
        return value
    return f"{value} ({show_interval(metric, estimate)})"


def show_interval(metric: Metric, estimate: Estimate) -> str:
    """``57.0 to 61.2``, a dash where there is none."""
    if math.isnan(estimate.low):
        return DASH
    low, high = (show_value(metric, bound) for bound in (estimate.low, estimate.high))
    return f"{low} to {high}"


def show_metric(metric: Metric) -> str:
    """A metric's name with its unit and an arrow where lower is better."""
    word = "" if metric.unit in metric.name else f" {metric.unit}"  # as of seconds/click
    return f"{metric.name}{WORDLESS.get(metric.unit, word)}{_arrow(metric)}"


def _arrow(metric: Metric) -> str:
    return " ↓" if metric.lower_is_better else ""


def terminal_name(metric: Metric) -> str:
    """As `show_metric`, for `terminal_value`: percent is a fraction there."""
    return metric.name + _arrow(metric) if metric.unit in FRACTIONS else show_metric(metric)


def terminal_value(metric: Metric, value: float, sign: str = "") -> str:
    """A value for a terminal: fractions with four decimals, all else as the field prints it."""
    if math.isnan(value):
        return "-"
    decimals = TERMINAL if metric.unit in FRACTIONS else metric.places
    return f"{value:{sign}.{decimals}f}"


def legend(metrics: Iterable[Metric]) -> list[str]:
    """What metrics are, one line for each family: ``mIoU: mean IoU over objects``.

    The parts of a breakdown that is there as a whole are in one line: ``mIoUs, mIoUm: mIoU by
    size (small, medium)``.
    """
    listed = [metric for metric in metrics if metric.description]
    names = {metric.name for metric in listed}
    lines, families = [], dict[tuple[str, str], list[Metric]]()
    for metric in listed:
        if metric.of in names:
            families.setdefault((metric.of, metric.group), []).append(metric)
        else:
            lines.append(f"{metric.name}: {metric.description}")
    return [*lines, *(_family(*key, members) for key, members in families.items())]


def _family(of: str, group: str, members: Sequence[Metric]) -> str:
    names = ", ".join(metric.name for metric in members)
    return f"{names}: {of} by {group} ({', '.join(metric.member for metric in members)})"


def direction_unknown(metric: Metric) -> str:
    """A sentence for where nothing can be ranked."""
    return f"Nothing is ranked: the direction of {metric.name} is not declared."
