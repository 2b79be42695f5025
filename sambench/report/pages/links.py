"""What several pages share: addresses, links, cells with numbers."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from sambench.metrics.statistics import Estimate
from sambench.report.leaderboard import Board, Entry, show_ranks
from sambench.report.numbers import DASH, show_interval, show_value
from sambench.report.pages.markup import Child, Markup, file_slug, join, tag
from sambench.report.pages.parts import Cell
from sambench.shown import Metric

if TYPE_CHECKING:
    from sambench.report.pages.site import Site


def task_address(task: str) -> str:
    """File of a task's page."""
    return f"{file_slug('task', task)}.html"


def browser_address(board: Board) -> str:
    """File of a board's image browser."""
    return f"images-{board.key}.html"


def key_link(board: Board) -> Markup:
    """The key of a board, linked to where it stands."""
    key = tag("code", board.key)
    return tag("a", key, href=f"{task_address(board.task)}#board-{board.key}")


def run_link(site: Site, entry: Entry) -> Child:
    """The name of a line, linked to its page if it was measured."""
    if entry.run is None:
        return entry.label
    return tag("a", entry.label, href=site.addresses[entry.run.path])


def rank_cell(entry: Entry) -> Cell:
    """The rank of a line; who shares it is told to those who point at it."""
    if entry.ranks is None:
        return Cell(DASH, "", "n")
    told = f"within noise of {', '.join(entry.ties)}" if entry.ties else None
    return Cell(tag("span", show_ranks(entry), title=told), entry.ranks[0], "n")


def number_cell(metric: Metric, entry: Entry) -> Cell:
    """A metric with its interval below it."""
    estimate = entry.metrics.get(metric.name)
    if estimate is None or math.isnan(estimate.value):
        return Cell(DASH, "", "n")
    return Cell(with_interval(metric, estimate), estimate.value, "n")


def with_interval(metric: Metric, estimate: Estimate) -> Child:
    """A value with its interval below it."""
    value = show_value(metric, estimate.value)
    if math.isnan(estimate.low):
        return value
    return join([value, tag("span", show_interval(metric, estimate), class_="ci")])


def word(value: Any) -> str:
    """A value of a protocol as text."""
    if value is None:
        return DASH
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
