"""What tables show: columns, numbers with intervals, lines of a board."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from sambench.metrics.statistics import Estimate
from sambench.report.leaderboard import Entry
from sambench.report.numbers import DASH, has_interval, show_interval, show_metric, show_value
from sambench.shown import Metric


@dataclass(frozen=True)
class Column:
    """The head of a column of numbers.

    Attributes:
        text: what it says.
        lower: whether lower numbers are better, which a first click then sorts to the top.
        description: what they are, for those who point at it.
    """

    text: str
    lower: bool = False
    description: str = ""


@dataclass(frozen=True)
class Number:
    """A number in a table.

    Attributes:
        text: as it is printed.
        value: what to sort by; "" comes last.
        interval: printed below it; "" where there is none.
    """

    text: str = DASH
    value: float | str = ""
    interval: str = ""


@dataclass(frozen=True)
class Line:
    """A line of a board.

    Attributes:
        entry: the line.
        page: address of its run's page; None if it was not measured here.
        numbers: its numbers, in the order of the columns.
    """

    entry: Entry
    page: str | None
    numbers: tuple[Number, ...]


def metric_column(metric: Metric) -> Column:
    """The column of a metric."""
    return Column(show_metric(metric), metric.lower_is_better, metric.description)


def number(metric: Metric, value: float | None) -> Number:
    """A value of a metric; a dash where there is none."""
    if value is None or math.isnan(value):
        return Number()
    return Number(show_value(metric, value), value)


def estimate(metric: Metric, found: Estimate | None) -> Number:
    """A value of a metric with its interval; a dash where there is none."""
    if found is None or math.isnan(found.value):
        return Number()
    interval = show_interval(metric, found) if has_interval(found) else ""
    return Number(show_value(metric, found.value), found.value, interval)


def board_line(entry: Entry, metrics: Sequence[Metric], addresses: Mapping[Path, str]) -> Line:
    """An entry of a board with its numbers.

    Args:
        entry: one of its entries.
        metrics: which numbers.
        addresses: result file -> its page.
    """
    page = None if entry.run is None else addresses[entry.run.path]
    numbers = (estimate(metric, entry.metrics.get(metric.name)) for metric in metrics)
    return Line(entry, page, tuple(numbers))


def number_cell(shown: Number) -> Markup:
    """The cell with a number; a page has thousands, which a macro of the templates takes longer."""
    below = f'<span class="ci">{escape(shown.interval)}</span>' if shown.interval else ""
    text, value = escape(shown.text), escape(shown.value)
    # Markup: all that is data is escaped.
    return Markup(f'<td class="n" data-value="{value}">{text}{below}</td>')  # noqa: S704


def word(value: Any) -> str:
    """A value of a protocol as text."""
    if value is None:
        return DASH
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
