"""The first page: all that was measured, in one table."""

from collections import Counter
from dataclasses import dataclass

from sambench.report.leaderboard import Board, Entry
from sambench.report.pages.cells import Line, Number, board_line, metric_column
from sambench.report.pages.contents import Contents
from sambench.report.pages.render import Page


@dataclass(frozen=True)
class Row:
    """A line of a board with what the first page adds to it.

    Attributes:
        board: its board.
        line: the line, with the number that it is ranked by.
        metric: the name of that number.
        images: how many images were scored, and of how many.
        speed: images a second.
    """

    board: Board
    line: Line
    metric: str
    images: Number
    speed: Number


def overview_page(contents: Contents) -> Page:
    """All that was measured, in one table, and what else there is."""
    rows = [
        Row(
            board,
            board_line(entry, [board.metric], contents.addresses),
            metric_column(board.metric).text,
            _images(entry),
            _speed(entry),
        )
        for board in contents.boards
        if board.measured
        for entry in board.entries
    ]
    published = Counter(board.task for board in contents.boards if not board.measured)
    counts = {
        "measured results": len(rows),
        "models": len({row.line.entry.model for row in rows}),
        "protocols": len({row.board.key for row in rows}),
        "published tables": published.total(),
    }
    data = {"rows": rows, "counts": counts, "published": published}
    return Page("index.html", "overview.html", "Leaderboard", data)


def _images(entry: Entry) -> Number:
    if entry.run is None:
        return Number("", 0)
    scored = entry.run.result.images
    there = str(entry.run.result.protocol["dataset"].get("images", "")).partition(" of ")[2]
    return Number(f"{scored} of {there}" if there not in ("", str(scored)) else str(scored), scored)


def _speed(entry: Entry) -> Number:
    speed = entry.run.result.timing.get("images_per_second") if entry.run else None
    return Number(f"{speed:.3g}", speed) if speed else Number()
