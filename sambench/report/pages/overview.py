"""The first page: published numbers reproduced, models against tasks, all that was measured."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sambench.report.leaderboard import Board, Entry
from sambench.report.matrix import Cell, Known, Matrix, Place, filters, kinds, make_matrix
from sambench.report.numbers import counted, hardware, legend, speed
from sambench.report.pages.cells import Line, Number, board_line, metric_column
from sambench.report.pages.contents import Contents, runs_of
from sambench.report.pages.render import Page
from sambench.report.reproduced import settled


@dataclass(frozen=True)
class Row:
    """A line of a board with what the first page adds to it.

    Attributes:
        board: its board.
        line: the line, with the number that it is ranked by.
        metric: the name of that number.
        images: how many images, or clips, were scored, and of how many.
        speed: images, or frames, a second.
    """

    board: Board
    line: Line
    metric: str
    images: Number
    speed: Number


@dataclass(frozen=True)
class Model:
    """A line of the matrix.

    Attributes:
        known: what is known of the model.
        kinds: the kinds of prompt that it is found by.
        cells: its line on each board, or why there is none.
    """

    known: Known
    kinds: tuple[str, ...]
    cells: tuple[tuple[Cell, Row | None], ...]


@dataclass(frozen=True)
class Summary:
    """A task in short.

    Attributes:
        task: its name.
        about: what it is, in a line; "" where it is not known.
        places: its boards that stand in the matrix.
        leaders: for each of these, the lines that none beats beyond noise.
        published: how many published tables it has.
    """

    task: str
    about: str
    places: Sequence[Place]
    leaders: Sequence[Sequence[Row]]
    published: int


def overview_page(contents: Contents) -> Page:
    """Models against tasks, each task in short, and all that was measured in one table."""
    measured = [board for board in contents.boards if board.measured]
    matrix = make_matrix(measured)
    of = {id(e): _row(b, e, contents) for b in measured for e in b.entries}
    rows = list(of.values())
    published = Counter(board.task for board in contents.boards if not board.measured)
    counts = {
        "measured results": len(rows),
        "models": len(matrix.rows),
        "protocols": len(measured),
        "published tables": published.total(),
    }
    metrics = {metric.name: metric for metric in (p.board.metric for p in matrix.places)}
    data = {
        "reproduced": settled(contents.boards),
        "matrix": matrix,
        "columns": [metric_column(place.board.metric) for place in matrix.places],
        "images": [_images(place.board.entries[0]) for place in matrix.places],
        "models": list(_models(matrix, of)),
        "filters": dict(filters(matrix)),
        "legend": legend(metrics.values()),
        "machines": _machines(measured),
        "tasks": [
            _summary(task, contents.about.get(task, ""), matrix, of, published[task])
            for task in contents.tasks()
        ],
        "rows": rows,
        "counts": counts,
    }
    return Page("index.html", "overview.html", "Leaderboard", data)


def _row(board: Board, entry: Entry, contents: Contents) -> Row:
    line = board_line(entry, [board.metric], contents.addresses)
    return Row(board, line, metric_column(board.metric).text, _images(entry), _speed(entry))


def _models(matrix: Matrix, of: Mapping[int, Row]) -> Iterator[Model]:
    for row in matrix.rows:
        cells = tuple((cell, of[id(cell.entry)] if cell.entry else None) for cell in row.cells)
        yield Model(row.model, kinds(row.model), cells)


def _summary(
    task: str, about: str, matrix: Matrix, of: Mapping[int, Row], published: int
) -> Summary:
    places = [place for place in matrix.places if place.board.task == task]
    leaders = [
        [of[id(entry)] for entry in place.board.entries if entry.ranks and entry.ranks[0] == 1]
        for place in places
    ]
    return Summary(task, about, places, leaders, published)


def _machines(boards: Sequence[Board]) -> list[str]:
    """Where the speeds were measured, in words."""
    results = (run.result for board in boards for run in runs_of(board))
    timed = (result for result in results if speed(result))
    return list(dict.fromkeys(hardware(result) for result in timed))


def _images(entry: Entry) -> Number:
    if entry.run is None:
        return Number("", 0)
    result = entry.run.result
    scored, items = result.images, result.items
    there = str(result.protocol["dataset"].get("images", "")).partition(" of ")[2]
    part = f"{scored} of {there} {items}"
    return Number(part if there not in ("", str(scored)) else counted(scored, items), scored)


def _speed(entry: Entry) -> Number:
    found = speed(entry.run.result) if entry.run else None
    return Number(f"{found[0]:.3g} {found[1]}", found[0]) if found else Number()
