"""The leaderboard: boards of what may be compared, ranked with ties."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sambench.interfaces import JSON
from sambench.metrics.statistics import Estimate
from sambench.report.collect import Run
from sambench.report.comparable import comparability_key, protocol_fields, published_fields
from sambench.report.numbers import DASH, lower_is_better
from sambench.report.published import PublishedRow, PublishedTable


@dataclass(frozen=True)
class Entry:
    """One line of a board.

    Attributes:
        model: the model's name.
        label: how the line is called.
        dataset: dataset of the numbers.
        metrics: values with intervals (NaN where there is none).
        mark: "measured", or how a published number was obtained.
        notes: what must be said beside it.
        ranks: best and worst rank that the intervals allow; None where nothing is ranked.
        run: the result behind a measured line.
    """

    model: str
    label: str
    dataset: str
    metrics: dict[str, Estimate]
    mark: str = "measured"
    notes: tuple[str, ...] = ()
    ranks: tuple[int, int] | None = None
    run: Run | None = None


@dataclass(frozen=True)
class Board:
    """Results of one comparability key.

    Attributes:
        key: the comparability key.
        task: task.
        dataset: dataset; of a published table that of rows that name no other.
        metric: the metric to rank by.
        metrics: all metrics, the one to rank by first.
        fields: the protocol by dotted name.
        entries: best first.
        table: the published table, None if the board was measured.
    """

    key: str
    task: str
    dataset: str
    metric: str
    metrics: tuple[str, ...]
    fields: JSON
    entries: tuple[Entry, ...] = field(default=())
    table: PublishedTable | None = None

    @property
    def measured(self) -> bool:
        """Whether sambench measured it."""
        return self.table is None

    @property
    def notes(self) -> list[str]:
        """What must be said beside the whole board, such as that a dataset is a demonstration."""
        said = [entry.run.result.note for entry in self.entries if entry.run is not None]
        return list(dict.fromkeys(note for note in said if note))

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        if self.table is not None:
            return f"{self.table.paper.title}, {self.table.where}: {self.table.title}"
        images = self.fields.get("dataset.images", self.fields.get("dataset.scored"))
        return f"{self.task} on {self.dataset}, {images} images"


def make_boards(runs: Sequence[Run], published: Sequence[PublishedTable] = ()) -> list[Board]:
    """Boards of measured results and of published tables, by task, measured ones first."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(comparability_key(protocol_fields(run.result)), []).append(run)
    measured = [_measured_board(key, group) for key, group in groups.items()]
    of_models = (table for table in published if any(row.model for row in table.rows))
    printed = [_published_board(table) for table in of_models]
    return sorted([*measured, *printed], key=_board_order)


def _board_order(board: Board) -> tuple[str, bool, str, str]:
    if board.measured:
        return board.task, False, board.dataset, board.key
    return board.task, True, "", ""  # published tables keep the order of their files


def _measured_board(key: str, runs: list[Run]) -> Board:
    first = runs[0].result
    entries = [
        Entry(
            model=run.result.model,
            label=run.result.model,
            dataset=run.result.dataset,
            metrics=run.result.metrics,
            notes=tuple(_run_notes(run)),
            run=run,
        )
        for run in runs
    ]
    names = _metric_names(first.metric, (entry.metrics for entry in entries))
    ranked = rank(entries, first.metric)
    fields = protocol_fields(first)
    return Board(key, first.task, first.dataset, first.metric, names, fields, ranked)


def _run_notes(run: Run) -> Iterable[str]:
    if run.result.failed:
        yield f"incomplete: {len(run.result.failed)} images failed"


def _published_board(table: PublishedTable) -> Board:
    fields = published_fields(table)
    entries = tuple(_published_entry(row) for row in table.rows)
    metric = next(iter(table.columns))
    one_dataset = len({entry.dataset for entry in entries}) == 1
    if one_dataset and all(entry.model for entry in entries):
        entries = rank(entries, metric)
    names = tuple(table.columns)
    key = comparability_key(fields)
    return Board(key, table.task, table.dataset, metric, names, fields, entries, table)


def _published_entry(row: PublishedRow) -> Entry:
    notes = [f"{name}: {value}" for name, value in {**row.options, **row.facts}.items()]
    if row.baseline:
        notes.append(f"gain over {row.baseline}")
    estimates = row.estimates()
    return Entry(row.model, row.label, row.dataset, estimates, row.mark, tuple(notes))


def _metric_names(first: str, all_metrics: Iterable[dict[str, Estimate]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([first, *(name for metrics in all_metrics for name in metrics)]))


def rank(entries: Sequence[Entry], metric: str) -> tuple[Entry, ...]:
    """Entries best first with the ranks that their intervals allow.

    A line may be as good as the place after all lines that are better with certainty, and as bad
    as the place before all that are worse with certainty; intervals that overlap tie. A line
    without the metric comes last and has no rank.
    """
    sign = -1.0 if lower_is_better(metric) else 1.0
    spans = [_span(entry.metrics.get(metric), sign) for entry in entries]
    known = [span for span in spans if span is not None]

    def ranks(span: tuple[float, float, float] | None) -> tuple[int, int] | None:
        if span is None:
            return None
        better = sum(other[0] > span[2] for other in known)
        worse = sum(other[2] < span[0] for other in known)
        return 1 + better, len(known) - worse

    order = sorted(range(len(entries)), key=lambda i: _place(spans[i], entries[i].label))
    return tuple(_with_ranks(entries[i], ranks(spans[i])) for i in order)


def _span(estimate: Estimate | None, sign: float) -> tuple[float, float, float] | None:
    """Low, value, high with higher as better; a value without interval is a point."""
    if estimate is None or math.isnan(estimate.value):
        return None
    bounds = [estimate.low, estimate.value, estimate.high]
    bounds = [estimate.value if math.isnan(bound) else bound for bound in bounds]
    low, value, high = sorted(sign * bound for bound in bounds)
    return low, value, high


def _place(span: tuple[float, float, float] | None, label: str) -> tuple[float, str]:
    return (math.inf if span is None else -span[1], label)


def _with_ranks(entry: Entry, ranks: tuple[int, int] | None) -> Entry:
    return replace(entry, ranks=ranks)


def show_ranks(entry: Entry) -> str:
    """``1``, ``2-4`` or nothing."""
    if entry.ranks is None:
        return ""
    best, worst = entry.ranks
    return str(best) if best == worst else f"{best}{DASH}{worst}"
