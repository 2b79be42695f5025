"""Models against tasks: the headline metric of every model, on one board for each task and dataset.

Where a task was measured in several protocols on one dataset, the board of most models stands for
it, of these the one of most images. What a model is and can do is what its results declare.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sambench.errors import UserError
from sambench.interfaces import Task
from sambench.prompts import KINDS
from sambench.report.leaderboard import Board, Entry, caution, without_intervals
from sambench.store.result import Result
from sambench.video.interfaces import BOXES, MASKS, POINTS

log = logging.getLogger(__name__)

ALL_KINDS = (*KINDS, POINTS, BOXES, MASKS)
"""Kinds of prompt on images, and on frames of clips, in the order in which they are named."""
NOT_RUN, ELSEWHERE = "not run", "other protocol"
UNSTATED = "not stated"
MILLION = 1_000_000
SIZES = {"under 25 M": 25, "25 to 100 M": 100, "100 to 500 M": 500}
"""Words for a number of parameters -> the millions that it is below; the first that fits."""
MORE, NO_WEIGHTS = "500 M and more", "no weights"


@dataclass(frozen=True)
class Known:
    """What a model's results declare of it.

    Attributes:
        label: how it is called in tables.
        family: what it descends from; "" where that is not stated.
        prompts: kinds of prompt it takes; None where that is not stated.
        methods: of tasks that it does itself, see `Task.direct`.
        parameters: number of parameters; None where that is not stated.
    """

    label: str
    family: str = ""
    prompts: tuple[str, ...] | None = None
    methods: frozenset[str] = frozenset()
    parameters: int | None = None

    @property
    def takes(self) -> str:
        """The kinds of prompt in words."""
        if self.prompts is None:
            return UNSTATED
        return ", ".join(self.prompts) or "no prompts"

    @property
    def size(self) -> str:
        """The number of parameters in words: ``10.1 M``."""
        if self.parameters is None:
            return UNSTATED
        return f"{self.parameters / MILLION:.3g} M" if self.parameters else NO_WEIGHTS

    @property
    def size_class(self) -> str:
        """Which models it compares with by size, in words."""
        if not self.parameters:
            return self.size
        millions = self.parameters / MILLION
        return next((words for words, limit in SIZES.items() if millions < limit), MORE)


@dataclass(frozen=True)
class Cell:
    """A model on a board.

    Attributes:
        entry: its line there; None if there is none.
        why: why there is none, in words; "" if there is one.
        board: where its number in another protocol stands; None if there is none.
    """

    entry: Entry | None = None
    why: str = ""
    board: Board | None = None


@dataclass(frozen=True)
class Row:
    """A model with a cell for each board of the matrix."""

    model: Known
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Place:
    """One task on one dataset, by one metric.

    Attributes:
        board: the protocol that stands for it.
        others: the boards of its other protocols.
    """

    board: Board
    others: tuple[Board, ...] = ()

    @cached_property
    def task(self) -> Task | None:
        """The task with its options; None if it cannot be made again here."""
        for run in (entry.run for entry in self.board.entries if entry.run is not None):
            try:
                return run.task
            except UserError as error:
                log.info("what task %s needs is not known: %s", self.board.task, error)
        return None


@dataclass(frozen=True)
class Matrix:
    """All models against all tasks.

    Attributes:
        places: a column each, by task.
        rows: those with most results first, of these those with better ranks.
    """

    places: tuple[Place, ...]
    rows: tuple[Row, ...]

    @property
    def notes(self) -> list[str]:
        """What must be said beside the numbers: of datasets, and of what rests on few images."""
        boards = [place.board for place in self.places]
        notes = dict.fromkeys(note for board in boards for note in board.notes)
        said = [note for note in notes if not any(note in other for other in notes.keys() - {note})]
        few = (
            (board, words)
            for board in boards
            for words in (caution(board).strip(), *without_intervals(board, [board.metric]))
        )
        return said + [f"{b.task} on {b.dataset}: {words}" for b, words in few if words]


def make_matrix(boards: Sequence[Board]) -> Matrix:
    """The matrix of measured boards; published ones are left out.

    What is measured otherwise is another question: AP for a detector's boxes has its own column
    beside the mean IoU for annotated ones.
    """
    groups: dict[tuple[str, str, str], list[Board]] = {}
    for board in boards:
        if board.measured:
            place = board.task, board.dataset, board.metric.name
            groups.setdefault(place, []).append(board)
    places = tuple(_place(group) for group in groups.values())
    models = _models(entry for group in groups.values() for b in group for entry in b.entries)
    rows = [Row(model, tuple(_cell(model, place) for place in places)) for model in models]
    return Matrix(places, tuple(sorted(rows, key=_order)))


def _place(boards: Sequence[Board]) -> Place:
    def order(board: Board) -> tuple[int, int, str]:
        return -len(board.entries), -_images(board), board.key

    first, *others = sorted(boards, key=order)
    return Place(first, tuple(others))


def _images(board: Board) -> int:
    return max((entry.run.result.images for entry in board.entries if entry.run), default=0)


def _models(entries: Iterable[Entry]) -> list[Known]:
    """What is known of each model: of several results, what the most telling one declares."""
    found: dict[str, list[Known]] = {}
    for entry in entries:
        if entry.run is not None:
            found.setdefault(entry.label, []).append(known(entry.run.result))
    return [max(stated, key=lambda m: m.prompts is not None) for stated in found.values()]


def known(result: Result) -> Known:
    """What a result declares of its model; older ones say less."""
    card: Mapping[str, object] = result.protocol["model"]
    prompts, methods, parameters = (card.get(k) for k in ("prompts", "methods", "parameters"))
    without = card.get("weights_sha256") == ""
    counted = isinstance(parameters, int) and (parameters > 0 or without)
    return Known(
        label=result.model,
        family=str(card.get("family", "")),
        prompts=_in_order(set(_words(prompts)) & {*ALL_KINDS})
        if isinstance(prompts, list)
        else None,
        methods=frozenset(_words(methods)),
        parameters=parameters if counted and isinstance(parameters, int) else None,
    )


def _words(listed: object) -> tuple[str, ...]:
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def _in_order(kinds: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(kinds, key=lambda kind: ((*ALL_KINDS, kind).index(kind), kind)))


def _cell(model: Known, place: Place) -> Cell:
    for board in (place.board, *place.others):
        for entry in board.entries:
            if entry.label == model.label and board is place.board:
                return Cell(entry)
            if entry.label == model.label:
                return Cell(why=ELSEWHERE, board=board)
    return Cell(why=_why(model, place.task))


def _why(model: Known, task: Task | None) -> str:
    """Why a model has no number: it cannot do the task, or was not run."""
    if task is None or model.prompts is None or task.direct in model.methods:
        return NOT_RUN
    lacking = sorted(task.needs - {*model.prompts})
    return f"cannot: takes no {' or '.join(lacking)}" if lacking else NOT_RUN


def _order(row: Row) -> tuple[int, float, str]:
    ranks = [cell.entry.ranks[0] for cell in row.cells if cell.entry and cell.entry.ranks]
    answered = sum(cell.entry is not None for cell in row.cells)
    return -answered, sum(ranks) / len(ranks) if ranks else float("inf"), row.model.label


def filters(matrix: Matrix) -> Iterator[tuple[str, list[str]]]:
    """What rows can be chosen by, with the values that occur: family, prompts, size."""
    models = [row.model for row in matrix.rows]
    yield "family", sorted({model.family or UNSTATED for model in models})
    yield "prompts", list(_in_order({kind for model in models for kind in kinds(model)}))
    classes = {model.size_class for model in models}
    yield "size", [c for c in (NO_WEIGHTS, *SIZES, MORE, UNSTATED) if c in classes]


def kinds(model: Known) -> tuple[str, ...]:
    """The kinds of prompt that a model is found by."""
    return model.prompts or (model.takes,)
