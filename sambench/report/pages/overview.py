"""The first page: all that was measured, in one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sambench.report.leaderboard import Board, Entry
from sambench.report.numbers import DASH, show_metric
from sambench.report.pages.links import (
    key_link,
    number_cell,
    rank_cell,
    run_link,
    task_address,
)
from sambench.report.pages.markup import Markup, join, tag
from sambench.report.pages.parts import Cell, page, table

if TYPE_CHECKING:
    from sambench.report.pages.site import Site


def index_page(site: Site) -> str:
    """All that was measured, in one table, and what else there is."""
    measured = [board for board in site.boards if board.measured]
    entries = [(board, entry) for board in measured for entry in board.entries]
    printed = [board for board in site.boards if not board.measured]
    body = [
        tag("h1", "Leaderboard"),
        tag(
            "p",
            "Zero-shot evaluation of promptable segmentation. A table holds only what was measured "
            "under one protocol; in it, models that differ by no more than noise share a rank.",
            class_="lead",
        ),
        _counts(entries, printed),
        tag("h2", "Measured"),
        _overview(site, entries) if entries else tag("p", "Nothing was measured yet."),
        tag("h2", "Published"),
        tag("p", "Numbers as papers print them, with what is known of their protocols:"),
        tag("ul", [_published_link(site, task) for task in _tasks(printed)]),
    ]
    return page("Leaderboard", body, site.links, "index.html")


def _tasks(boards: Iterable[Board]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for board in boards:
        counts[board.task] = counts.get(board.task, 0) + 1
    return counts


def _published_link(site: Site, task: str) -> Markup:
    count = sum(board.task == task and not board.measured for board in site.boards)
    link = tag("a", task, href=f"{task_address(task)}#published")
    return tag("li", link, f": {count} table{'s' if count > 1 else ''}")


def _counts(entries: Sequence[tuple[Board, Entry]], printed: Sequence[Board]) -> Markup:
    numbers = {
        "measured results": len(entries),
        "models": len({entry.model for _, entry in entries}),
        "protocols": len({board.key for board, _ in entries}),
        "published tables": len(printed),
    }
    items = [tag("li", tag("b", n), tag("span", name)) for name, n in numbers.items()]
    return tag("ul", items, class_="numbers")


def _overview(site: Site, entries: Sequence[tuple[Board, Entry]]) -> Markup:
    head = [
        ("model", ""), ("task", ""), ("value", "n"), ("metric", ""), ("rank", "n"),
        ("images", "n"), ("images/s", "n"), ("protocol", ""),
    ]  # fmt: skip
    rows = [
        [
            Cell(run_link(site, entry)),
            _where(board),
            number_cell(board.metric, entry),
            Cell(show_metric(board.metric)),
            rank_cell(entry),
            Cell(*_images(entry), "n"),
            _speed_cell(entry),
            Cell(key_link(board)),
        ]
        for board, entry in entries
    ]
    return table("overview", head, rows, "All measured results", down=frozenset({2, 6}))


def _where(board: Board) -> Cell:
    task = tag("a", board.task, href=task_address(board.task))
    dataset = tag("span", board.dataset, class_="ci")
    return Cell(join([task, Markup(" "), dataset]), f"{board.task} {board.dataset}")


def _images(entry: Entry) -> tuple[str, float]:
    if entry.run is None:
        return "", 0
    scored = entry.run.result.images
    there = str(entry.run.result.protocol["dataset"].get("images", "")).partition(" of ")[2]
    return (f"{scored} of {there}" if there and there != str(scored) else str(scored)), scored


def _speed_cell(entry: Entry) -> Cell:
    speed = entry.run.result.timing.get("images_per_second") if entry.run else None
    return Cell(f"{speed:.3g}" if speed else DASH, speed or "", "n")
