"""The leaderboard: boards of what may be compared, ranked with ties."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sambench.interfaces import JSON, Estimator
from sambench.metrics.statistics import Estimate
from sambench.report.comparable import (
    agree,
    comparability_key,
    protocol_fields,
    published_fields,
    without_prompts,
)
from sambench.report.numbers import (
    DASH,
    IMAGES,
    counted,
    declared_by,
    direction_unknown,
    few_images,
    nothing_matched,
    withheld,
)
from sambench.report.published import PublishedRow, PublishedTable
from sambench.report.ranking import (
    MANY,
    Pair,
    Together,
    noise,
    paired_tests,
    read_together,
    standings,
)
from sambench.shown import BOUND, Metric, find_metric
from sambench.store.run import Run


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
        ranks: best and worst rank that noise allows; None where nothing is ranked.
        ties: labels of the lines from which it does not differ beyond noise.
        run: the result behind a measured line.
    """

    model: str
    label: str
    dataset: str
    metrics: dict[str, Estimate]
    mark: str = "measured"
    notes: tuple[str, ...] = ()
    ranks: tuple[int, int] | None = None
    ties: tuple[str, ...] = ()
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
        paired: how many pairs of lines were ranked by a test on the same images.
        estimators: result file -> the estimator of its records, as far as the tests made one.
    """

    key: str
    task: str
    dataset: str
    metric: Metric
    metrics: tuple[Metric, ...]
    fields: JSON
    entries: tuple[Entry, ...] = field(default=())
    table: PublishedTable | None = None
    paired: int = 0
    estimators: Mapping[Path, Estimator] = field(default_factory=dict)

    @property
    def measured(self) -> bool:
        """Whether sambench measured it."""
        return self.table is None

    @property
    def notes(self) -> list[str]:
        """What must be said beside the whole board, such as that a dataset is a demonstration."""
        measured = [(e.label, e.run.result) for e in self.entries if e.run is not None]
        said = [result.note for _, result in measured if result.note]
        zeros = [(label, nothing_matched(result)) for label, result in measured]
        return list(dict.fromkeys([*said, *(f"{label}: {zero}." for label, zero in zeros if zero)]))

    @property
    def items(self) -> str:
        """What was scored, in the plural: images, or clips."""
        return next((entry.run.result.items for entry in self.entries if entry.run), IMAGES)

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        if self.table is not None:
            return f"{self.table.paper.title}, {self.table.where}: {self.table.title}"
        images = self.fields.get("dataset.images", self.fields.get("dataset.scored"))
        return f"{self.task} on {self.dataset}, {images} {self.items}"


def make_boards(
    runs: Sequence[Run], published: Sequence[PublishedTable] = (), *, records: bool = True
) -> list[Board]:
    """Boards of measured results and of published tables, by task, measured ones first.

    Args:
        runs: measured results.
        published: published tables.
        records: rank by paired differences where the records of two runs are beside them; a text
            that must not depend on what lies there ranks by intervals alone.
    """
    groups = _grouped(runs)
    measured = [_measured_board(key, group, records=records) for key, group in groups.items()]
    of_models = (table for table in published if any(row.model for row in table.rows))
    printed = [_published_board(table) for table in of_models]
    return sorted([*measured, *printed], key=_board_order)


def _grouped(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs by comparability key; those without prompts stand beside those of any prompts."""
    fields = {run: protocol_fields(run.result) for run in runs}
    groups: dict[str, list[Run]] = {}
    for run in (run for run in runs if not without_prompts(fields[run])):
        groups.setdefault(comparability_key(fields[run]), []).append(run)
    prompted = {key: fields[group[0]] for key, group in groups.items()}
    for run in (run for run in runs if without_prompts(fields[run])):
        fitting = [key for key, known in prompted.items() if agree(fields[run], known)]
        for key in fitting or [comparability_key(fields[run])]:
            groups.setdefault(key, []).append(run)
    return groups


def _board_order(board: Board) -> tuple[str, bool, str, str]:
    if board.measured:
        return board.task, False, board.dataset, board.key
    return board.task, True, "", ""  # published tables keep the order of their files


def _measured_board(key: str, runs: list[Run], *, records: bool) -> Board:
    runs = sorted(runs, key=_is_bound)
    competing = [run for run in runs if not _is_bound(run)]
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
    declared = [metric for run in runs for metric in declared_by(run.result)]
    names = _metric_names(first.metric, (entry.metrics for entry in entries))
    metrics = tuple(find_metric(declared, name) for name in names)
    metric = metrics[0]
    ranked_by = metric.higher_is_better is not None
    together = read_together(competing) if records and ranked_by else Together(0, {})
    tests = paired_tests(together, metric)
    values = [None if _is_bound(run) else noise(run, metric.name) for run in runs]
    ranked = rank(entries, metric, values, tests, images=first.images)
    return Board(
        key, first.task, first.dataset, metric, metrics, protocol_fields(first), ranked,
        paired=len(tests), estimators=_estimators(competing, together),
    )  # fmt: skip


def _estimators(runs: Sequence[Run], together: Together) -> dict[Path, Estimator]:
    found = {run.path: together.part(place) for place, run in enumerate(runs)}
    return {path: estimator for path, estimator in found.items() if estimator is not None}


def _is_bound(run: Run) -> bool:
    return bool(run.result.protocol["model"].get("family") == BOUND)


def _run_notes(run: Run) -> Iterable[str]:
    if _is_bound(run):
        yield "given the truth: a bound, not ranked"
    if run.result.failed:
        yield f"incomplete: {counted(len(run.result.failed), run.result.items)} failed"


def _published_board(table: PublishedTable) -> Board:
    fields = published_fields(table)
    entries = tuple(_published_entry(row) for row in table.rows)
    metrics = table.metrics
    metric = metrics[0]
    one_dataset = len({entry.dataset for entry in entries}) == 1
    if one_dataset and all(entry.model for entry in entries):
        entries = rank(entries, metric, [entry.metrics.get(metric.name) for entry in entries])
    key = comparability_key(fields)
    return Board(key, table.task, table.dataset, metric, metrics, fields, entries, table)


def _published_entry(row: PublishedRow) -> Entry:
    notes = [f"{name}: {value}" for name, value in {**row.options, **row.facts}.items()]
    if row.baseline:
        notes.append(f"gain over {row.baseline}")
    estimates = row.estimates()
    return Entry(row.model, row.label, row.dataset, estimates, row.mark, tuple(notes))


def _metric_names(first: str, all_metrics: Iterable[dict[str, Estimate]]) -> tuple[str, ...]:
    """The metric to rank by, then all others of which any line has a value."""
    known = (n for metrics in all_metrics for n, e in metrics.items() if not math.isnan(e.value))
    return tuple(dict.fromkeys([first, *known]))


def rank(
    entries: Sequence[Entry],
    metric: Metric,
    values: Sequence[Estimate | None],
    p: Mapping[Pair, float] | None = None,
    images: int = MANY,
) -> tuple[Entry, ...]:
    """Entries best first with the ranks that noise allows; those without the metric come last.

    Args:
        entries: lines of one board.
        metric: to rank by; if neither direction is declared better, all are left in their order.
        values: of the metric with the noise to rank by, one for each entry.
        p: of paired tests between entries.
        images: that the values are of.
    """
    if metric.higher_is_better is None:
        return tuple(entries)
    lower = metric.lower_is_better
    standing = standings(values, lower=lower, p=p, images=images)
    labels = [entry.label for entry in entries]
    ranked = [
        replace(
            entry,
            ranks=(own.best, own.worst) if own else None,
            ties=tuple(labels[j] for j in own.ties) if own else (),
        )
        for entry, own in zip(entries, standing, strict=True)
    ]
    return tuple(sorted(ranked, key=lambda entry: _place(entry, metric)))


def _place(entry: Entry, metric: Metric) -> tuple[float, str]:
    if entry.ranks is None:
        return math.inf, entry.label
    value = entry.metrics[metric.name].value
    return (value if metric.lower_is_better else -value), entry.label


def show_ranks(entry: Entry) -> str:
    """``1``, ``2-4`` or nothing."""
    if entry.ranks is None:
        return ""
    best, worst = entry.ranks
    return str(best) if best == worst else f"{best}{DASH}{worst}"


def tie_rule(board: Board) -> str:
    """What a rank of this board means, in a sentence."""
    if board.metric.higher_is_better is None:
        return direction_unknown(board.metric)
    shared = "Models that do not differ beyond noise share a rank"
    chance = "any false rank on the board: 5 % or less"
    ranked = sum(entry.ranks is not None for entry in board.entries)
    if board.paired == ranked * (ranked - 1) // 2 > 0:
        rule = f"randomization test on the same {board.items}, Holm's correction for all pairs"
        return f"{shared}: {rule} ({chance}).{caution(board)}"
    if any(not math.isnan(e.low) for entry in board.entries for e in entry.metrics.values()):
        some = "for some pairs " if board.paired else ""
        rule = f"{some}from their intervals alone, Holm's correction for all pairs ({chance})"
        return f"{shared}: {rule}.{caution(board)}"
    return "Ranks follow the printed values; without intervals nothing is known of noise."


def without_intervals(board: Board, metrics: Sequence[Metric]) -> list[str]:
    """Why values of some metrics of a board have no interval, in sentences."""
    of = ((m, e.metrics[m.name]) for m in metrics for e in board.entries if m.name in e.metrics)
    return [f"{line[0].upper()}{line[1:]}." for line in withheld(of)]


def caution(board: Board) -> str:
    """What must be said of ranks from few images, after a blank; nothing where they are many."""
    images = [e.run.result.images for e in board.entries if e.run and e.ranks is not None]
    few = few_images(max(images), len(images), board.items) if len(images) > 1 else ""
    return f" {few}." if few else ""
