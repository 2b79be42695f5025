"""Published numbers that were measured again under their own protocol, on their whole test set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sambench.report.leaderboard import Board
from sambench.report.numbers import show_interval, show_metric, show_value
from sambench.report.reproduction import WORDS, Claim, Reproduction, compare, with_expected

TITLE = "Published numbers reproduced"


@dataclass(frozen=True)
class Line:
    """One metric of a published row, in words.

    Attributes:
        claim: what was published, and where.
        link: address of the paper; "" where none is known.
        metric: name.
        printed: the number as published.
        measured: the number here.
        interval: its 95 % interval.
        verdict: the conclusion, and how this metric compares.
        command: what reproduces it.
    """

    claim: str
    link: str
    metric: str
    printed: str
    measured: str
    interval: str
    verdict: str
    command: str


def reproductions(boards: Sequence[Board]) -> list[Reproduction]:
    """Each published row of the boards against each measured result that settles it.

    A result of other weights, on other data or under another protocol says nothing of a row.
    """
    runs = {e.run.path: e.run for board in boards for e in board.entries if e.run is not None}
    claims = [
        Claim(board.table, row)
        for board in boards
        if board.table is not None
        for row in board.table.rows
        if row.model and not row.baseline
    ]
    pairs = (
        compare(claim, with_expected(run.result))
        for claim in claims
        for run in runs.values()
        if run.result.task == claim.table.task
    )
    return [found for found in pairs if found.concludes]


def reproduced_lines(boards: Sequence[Board]) -> list[Line]:
    """`reproductions` in words, a line for each metric that was measured."""
    return [line for found in reproductions(boards) for line in _lines(found)]


def _lines(found: Reproduction) -> Iterator[Line]:
    table, row = found.claim.table, found.claim.row
    head = found.verdict.partition(":")[0]
    for line in found.lines:
        if line.measured is not None:
            yield Line(
                claim=f"{row.label} on {row.dataset}: {table.paper.title}, {table.where}",
                link=table.paper.link,
                metric=show_metric(line.metric),
                printed=show_value(line.metric, line.published.value),
                measured=show_value(line.metric, line.measured.value),
                interval=show_interval(line.metric, line.measured),
                verdict=f"{head}: {WORDS[line.verdict]}",
                command=f"sambench reproduce {table.name} {row.model}",
            )
