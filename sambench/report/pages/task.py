"""The page of a task: its boards, plots, suites and published tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sambench.registry import entries
from sambench.report.comparable import differing_fields
from sambench.report.formats import unranked
from sambench.report.leaderboard import Board, tie_rule
from sambench.report.numbers import DASH, legend, show_metric, show_value
from sambench.report.pages import charts
from sambench.report.pages.links import (
    browser_address,
    number_cell,
    rank_cell,
    run_link,
    task_address,
    word,
)
from sambench.report.pages.markup import Child, Markup, file_slug, join, safe_link, tag
from sambench.report.pages.parts import Cell, facts_table, figures, page, plain_table, table

if TYPE_CHECKING:
    from sambench.report.pages.site import Site


MOST_METRICS = 12


def task_page(site: Site, task: str) -> str:
    """All boards of a task."""
    boards = [board for board in site.boards if board.task == task]
    measured = [board for board in boards if board.measured]
    printed = [board for board in boards if not board.measured]
    about = [entry.summary for entry in entries("task") if entry.name == task]
    body: list[Child] = [tag("h1", task), [tag("p", line, class_="lead") for line in about]]
    if measured:
        body += [
            *_protocols(measured),
            *(_measured_section(site, b, _chips(b, measured)) for b in measured),
        ]
        body += _suite_section(site, task, measured)
    else:
        body.append(tag("p", "Nothing of this task was measured here."))
    if printed:
        body += [tag("h2", "Published", id="published"), *_published_sections(site, printed)]
    return page(task, body, site.links, task_address(task))


def _protocols(boards: Sequence[Board]) -> list[Child]:
    """Where several protocols were used: a column for each, and in what they differ."""
    if len(boards) < 2:
        return []
    models = list(dict.fromkeys(entry.label for board in boards for entry in board.entries))
    head = [("model", "")] + [
        (f"{b.dataset} · {b.key[:4]} · {show_metric(b.metric)}", "n") for b in boards
    ]
    rows = [[Cell(model), *(_of_model(board, model) for board in boards)] for model in models]
    down = frozenset(i for i, b in enumerate(boards, 1) if not b.metric.lower_is_better)
    differ = differing_fields({board.key: board.fields for board in boards})
    listed = [
        [name, *(tag("code", word(values[board.key])) for board in boards)]
        for name, values in differ.items()
    ]
    heads = ["field", *(board.key for board in boards)]
    return [
        tag("h2", "Across protocols"),
        tag(
            "p",
            "Each column is a protocol of its own; numbers of different columns do not compare.",
        ),
        table("matrix", head, rows, f"{boards[0].task}: models by protocol", down=down),
        tag(
            "details",
            tag("summary", f"In what the {len(boards)} protocols differ"),
            plain_table(heads, listed, "Fields that differ"),
        ),
    ]


def _of_model(board: Board, model: str) -> Cell:
    found = [entry for entry in board.entries if entry.label == model]
    return number_cell(board.metric, found[0]) if found else Cell("", "", "n")


def _chips(board: Board, boards: Sequence[Board]) -> list[Markup]:
    """What tells a board from the others of its task: ``points=3``."""
    differ = differing_fields({other.key: other.fields for other in boards})
    own = {name: values[board.key] for name, values in differ.items() if name.startswith("task.")}
    return [
        tag("code", f"{name.removeprefix('task.')}={word(value)}") for name, value in own.items()
    ]


def _measured_section(site: Site, board: Board, chips: Sequence[Markup]) -> Markup:
    plots = site.keep(charts.board_plots(board, site.drawings))
    has_browser = any(e.run is not None and e.run.path in site.scored for e in board.entries)
    links = [tag("a", "Look at the images", href=browser_address(board))] if has_browser else []
    return tag(
        "section",
        tag("h2", board.title, id=f"board-{board.key}"),
        tag("p", tag("span", "protocol"), tag("code", board.key), chips, links, class_="chips"),
        [tag("p", note, class_="notice") for note in board.notes],
        board_table(site, board),
        figures(plots),
        tag(
            "details",
            tag("summary", "Protocol"),
            facts_table({k: word(v) for k, v in board.fields.items()}, "Protocol"),
        ),
    )


def board_table(site: Site, board: Board) -> Markup:
    """A board with every metric."""
    metrics = board.metrics[:MOST_METRICS]
    several = len({entry.dataset for entry in board.entries}) > 1
    notes = not board.measured or any(entry.notes for entry in board.entries)
    head = [("model", ""), *([("dataset", "")] if several else []), ("rank", "n")]
    head += [(show_metric(metric), "n") for metric in metrics]
    head += [("source", "")] + ([("notes", "")] if notes else [])
    rows = [
        [
            Cell(run_link(site, entry)),
            *([Cell(entry.dataset)] if several else []),
            rank_cell(entry),
            *(number_cell(metric, entry) for metric in metrics),
            Cell(tag("span", entry.mark, class_=f"mark {entry.mark}")),
            *([Cell("; ".join(entry.notes), kind="note")] if notes else []),
        ]
        for entry in board.entries
    ]
    first = 3 if several else 2
    down = frozenset(first + i for i, m in enumerate(metrics) if not m.lower_is_better)
    ranked = sum(entry.ranks is not None for entry in board.entries) > 1
    words = legend(metrics)
    return join(
        [
            table(f"table-{board.key}", head, rows, board.title, down=down),
            tag("p", "; ".join(words), class_="muted small") if words else None,
            tag("p", tie_rule(board), class_="muted small") if ranked else None,
            [tag("p", line, class_="muted small") for line in unranked(board)],
        ]
    )


def _suite_section(site: Site, task: str, boards: Sequence[Board]) -> list[Child]:
    """The same protocol on several datasets: each dataset a column, and the mean over them."""
    parts: list[Child] = []
    for number, suite in enumerate(charts.suites(boards)):
        plots = site.keep(charts.gain_plots(f"{file_slug('gains', task)}-{number}", suite))
        parts += [
            tag("h2", f"{task} over {len(suite)} datasets"),
            tag("p", "One protocol on each dataset; the mean is over datasets, each counted once."),
            _suite_table(f"suite-{number}", suite),
            figures(plots),
        ]
    return parts


def _suite_table(id: str, suite: Sequence[Board]) -> Markup:
    models = charts.by_mean(suite)
    metric = suite[0].metric
    head = [("model", ""), ("mean", "n"), *((board.dataset, "n") for board in suite)]
    rows = []
    for model in models:
        cells = [_of_model(board, model) for board in suite]
        mean = charts.suite_mean(suite, model)
        shown = DASH if mean is None else show_value(metric, mean)
        rows.append([Cell(model), Cell(shown, "" if mean is None else mean, "n"), *cells])
    down = frozenset() if metric.lower_is_better else frozenset(range(1, len(head)))
    return table(id, head, rows, f"{show_metric(metric)} by dataset", down=down)


def _published_sections(site: Site, boards: Sequence[Board]) -> list[Child]:
    parts: list[Child] = []
    for paper in dict.fromkeys(b.table.paper for b in boards if b.table):
        own = [board for board in boards if board.table and board.table.paper == paper]
        address = safe_link(paper.link)
        name = f"{paper.title} ({paper.year})"
        parts.append(tag("h3", tag("a", name, href=address) if address else name))
        parts += [_published_section(site, board) for board in own]
    return parts


def _published_section(site: Site, board: Board) -> Markup:
    assert board.table is not None
    unknown = board.table.unknown
    known = {name: word(value) for name, value in board.fields.items() if name != "unknown"}
    notice = tag("p", f"Not known: {'; '.join(unknown)}.", class_="notice") if unknown else None
    plots = site.keep(charts.published_plots(board))
    return tag(
        "details",
        tag("summary", f"{board.table.where}: {board.table.title} ({board.dataset})"),
        board_table(site, board),
        notice,
        figures(plots),
        facts_table(known, "Protocol as far as known"),
    )
