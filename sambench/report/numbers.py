"""How metrics are written and which way is better."""

import math

from sambench.metrics.statistics import Estimate

DASH = "\N{EN DASH}"
"""Stands where there is no number, and between the ends of a range."""

COUNTED = (
    *("NoC", "NoF", "seconds", "images", "objects", "masks", "parameters", "IL_MCC"),
    "superpixels",
)
"""Metrics that are no fractions, or not printed in percent, begin with one of these words."""
FEWER_IS_BETTER = ("NoC", "NoF", "seconds", "IL_FPR", "MAE", "UE")
THREE_DECIMALS = ("edges", "foreground", "superpixels")


def lower_is_better(metric: str) -> bool:
    """Whether the lower value of a metric is the better one."""
    return metric.startswith(FEWER_IS_BETTER)


def scale(task: str, metric: str) -> tuple[float, int]:
    """Factor and decimals by which the field prints a metric of a task.

    Boundaries, saliency and superpixels are printed as .768, clicks as 5.15, all else in percent.
    """
    if metric.startswith(COUNTED) or metric.endswith(("/s", "/click")):
        return 1.0, 2
    if task in THREE_DECIMALS:
        return 1.0, 3
    return 100.0, 1


def show_value(task: str, metric: str, value: float) -> str:
    """A value as the field prints it, a dash where it is not defined."""
    if math.isnan(value):
        return DASH
    factor, decimals = scale(task, metric)
    return f"{value * factor:.{decimals}f}"


def show_estimate(task: str, metric: str, estimate: Estimate) -> str:
    """Value and interval: ``59.1 (57.0 to 61.2)``."""
    value = show_value(task, metric, estimate.value)
    if math.isnan(estimate.low):
        return value
    return f"{value} ({show_interval(task, metric, estimate)})"


def show_interval(task: str, metric: str, estimate: Estimate) -> str:
    """``57.0 to 61.2``, a dash where there is none."""
    if math.isnan(estimate.low):
        return DASH
    low, high = (show_value(task, metric, bound) for bound in (estimate.low, estimate.high))
    return f"{low} to {high}"


def show_metric(task: str, metric: str) -> str:
    """A metric's name with its unit and an arrow where lower is better."""
    unit = " %" if scale(task, metric)[0] == 100 else ""
    return f"{metric}{unit}{' ↓' if lower_is_better(metric) else ''}"
