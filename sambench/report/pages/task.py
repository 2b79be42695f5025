"""The page of a task: its boards, plots, suites and published tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from sambench.interfaces import JSON
from sambench.report.comparable import differing_fields
from sambench.report.formats import unranked
from sambench.report.leaderboard import Board, tie_rule, without_intervals
from sambench.report.numbers import central, legend
from sambench.report.pages import charts
from sambench.report.pages.cells import (
    Column,
    Line,
    Number,
    board_line,
    estimate,
    metric_column,
    number,
)
from sambench.report.pages.contents import Contents
from sambench.report.pages.links import file_slug, task_address
from sambench.report.pages.render import Page
from sambench.report.pages.svg import Plot
from sambench.report.published import Paper

MOST_METRICS = 12


@dataclass(frozen=True)
class Section:
    """A board with its table and plots.

    Attributes:
        board: the board.
        columns: its metrics.
        lines: its entries.
        legend: what its metrics are, a line for each family.
        rules: what its ranks mean, or why there are none, and no intervals, in sentences.
        plots: its plots.
        chips: options of the task that tell it from the other boards of the task.
        browsable: whether it has an image browser.
    """

    board: Board
    columns: Sequence[Column]
    lines: Sequence[Line]
    legend: Sequence[str]
    rules: Sequence[str]
    plots: Sequence[Plot]
    chips: JSON
    browsable: bool

    @property
    def known(self) -> JSON:
        """The protocol as far as it is known; what is not stands in a sentence of its own."""
        return {name: value for name, value in self.board.fields.items() if name != "unknown"}


@dataclass(frozen=True)
class Grid:
    """Models by boards.

    Attributes:
        boards: the boards, a column each.
        columns: what each of them is ranked by.
        rows: model -> its number on each board; None where it has none.
    """

    boards: Sequence[Board]
    columns: Sequence[Column]
    rows: dict[str, list[Number | None]]


@dataclass(frozen=True)
class Suite:
    """The same protocol on several datasets.

    Attributes:
        grid: models by datasets.
        means: model -> its mean over datasets.
        plots: gains by dataset.
    """

    grid: Grid
    means: dict[str, Number]
    plots: Sequence[Plot]


def task_page(contents: Contents, task: str) -> Page:
    """All boards of a task."""
    boards = [board for board in contents.boards if board.task == task]
    measured = [board for board in boards if board.measured]
    differ = differing_fields({board.key: board.fields for board in measured})
    sections = [_measured_section(contents, board, differ) for board in measured]
    suites = [
        _suite(f"{file_slug('gains', task)}-{i}", suite)
        for i, suite in enumerate(charts.suites(measured))
    ]
    printed = [_section(contents, b, charts.published_plots(b)) for b in boards if not b.measured]
    data = {
        "task": task,
        "about": contents.about.get(task, ""),
        "sections": sections,
        "across": _grid(measured, list(_models(measured))),
        "differ": differ,
        "suites": suites,
        "papers": _papers(printed),
    }
    shown = [part.plots for part in (*sections, *printed)] + [suite.plots for suite in suites]
    plots = [plot for part in shown for plot in part]
    return Page(task_address(task), "task.html", task, data, plots)


def _measured_section(contents: Contents, board: Board, differ: JSON) -> Section:
    """A board that was measured, and what tells it from the others of its task: ``points=3``."""
    chips = {
        name.removeprefix("task."): values[board.key]
        for name, values in differ.items()
        if name.startswith("task.") and values[board.key] is not None
    }
    plots = charts.board_plots(board, contents.drawings)
    return _section(contents, board, plots, chips)


def _section(
    contents: Contents, board: Board, plots: Sequence[Plot], chips: JSON | None = None
) -> Section:
    metrics = central(board.metrics)[:MOST_METRICS]
    ranked = sum(entry.ranks is not None for entry in board.entries) > 1
    return Section(
        board,
        [metric_column(metric) for metric in metrics],
        [board_line(entry, metrics, contents.addresses) for entry in board.entries],
        legend(metrics),
        [*([tie_rule(board)] if ranked else unranked(board)), *without_intervals(board, metrics)],
        plots,
        chips or {},
        bool(contents.scored_runs(board)),
    )


def _models(boards: Sequence[Board]) -> dict[str, None]:
    return dict.fromkeys(entry.label for board in boards for entry in board.entries)


def _grid(boards: Sequence[Board], models: Sequence[str]) -> Grid:
    columns = [metric_column(board.metric) for board in boards]
    return Grid(boards, columns, {m: [_of_model(board, m) for board in boards] for m in models})


def _of_model(board: Board, model: str) -> Number | None:
    found = [entry for entry in board.entries if entry.label == model]
    return estimate(board.metric, found[0].metrics.get(board.metric.name)) if found else None


def _suite(stem: str, boards: Sequence[Board]) -> Suite:
    models, first = charts.by_mean(boards), boards[0]
    means = {m: number(first.metric, charts.suite_mean(boards, m)) for m in models}
    return Suite(_grid(boards, models), means, charts.gain_plots(stem, boards))


def _papers(sections: Sequence[Section]) -> dict[Paper, list[Section]]:
    """Published tables by their paper."""
    papers: dict[Paper, list[Section]] = {}
    for section in sections:
        assert section.board.table is not None
        papers.setdefault(section.board.table.paper, []).append(section)
    return papers
