"""Published numbers that were measured again under their own protocol, on their whole test set."""

from collections.abc import Sequence
from dataclasses import dataclass

from sambench.report.leaderboard import Board
from sambench.report.numbers import show_interval, show_metric, show_value
from sambench.report.reproduction import WORDS, Claim, Reproduction, compare, with_expected

TITLE = "Published numbers reproduced"


@dataclass(frozen=True)
class Line:
    """One metric in words: as printed, as measured with its 95 % interval, and the verdict."""

    metric: str
    printed: str
    measured: str
    interval: str
    verdict: str


@dataclass(frozen=True)
class Settled:
    """A published row in words.

    Attributes:
        claim: of which model, on which dataset.
        where: the place in its paper.
        link: address of the paper; "" where none is known.
        command: what reproduces it.
        lines: its metrics that were measured.
    """

    claim: str
    where: str
    link: str
    command: str
    lines: tuple[Line, ...]


def reproductions(boards: Sequence[Board]) -> list[Reproduction]:
    """Each published row of the boards against each measured result that settles it.

    A result of other weights, on other data or under another protocol says nothing of a row.
    """
    runs = {e.run.path: e.run for board in boards for e in board.entries if e.run is not None}
    results = [with_expected(run.result) for run in runs.values()]
    claims = [
        Claim(board.table, row)
        for board in boards
        if board.table is not None
        for row in board.table.rows
        if row.model and not row.baseline
    ]
    pairs = (
        compare(claim, result)
        for claim in claims
        for result in results
        if result.task == claim.table.task
    )
    return [found for found in pairs if found.concludes]


def settled(boards: Sequence[Board]) -> list[Settled]:
    """`reproductions` in words."""
    return [_in_words(found) for found in reproductions(boards)]


def _in_words(found: Reproduction) -> Settled:
    table, row = found.claim.table, found.claim.row
    head = found.verdict.partition(":")[0]  # a row is reproduced, or not, as a whole
    said = f"{{}}; the row is {head}" if found.contradicts else f"{head}: {{}}"
    lines = (
        Line(
            show_metric(line.metric),
            show_value(line.metric, line.published.value),
            show_value(line.metric, line.measured.value),
            show_interval(line.metric, line.measured),
            said.format(WORDS[line.verdict]),
        )
        for line in found.lines
        if line.measured is not None
    )
    return Settled(
        claim=f"{row.label} on {row.dataset}",
        where=f"{table.paper.key}, {table.where}",
        link=table.paper.link,
        command=f"sambench reproduce {table.name} {row.model}",
        lines=tuple(lines),
    )
