"""Published numbers as data: one JSON file for each paper, validated when read.

A table says what its paper says about the protocol: `options` are the options of our task that it
used, `facts` what else is known, `unknown` what it leaves open. A row may override what its table
says. Values stand as printed; their unit is with the column.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

import sambench
from sambench.errors import UserError
from sambench.files import read_json
from sambench.interfaces import JSON
from sambench.metrics.statistics import Estimate
from sambench.shown import Metric, find_metric
from sambench.store.schema import parse
from sambench.store.tasks import declared_metrics

Mark = Literal["found", "digitised", "derived", "second-hand"]
Unit = Literal["percent", "fraction", "count", "seconds", "rate"]
MARKS: dict[Mark, str] = {
    "found": "printed in the source",
    "digitised": "read off a figure",
    "derived": "computed from printed numbers",
    "second-hand": "quoted by another source",
}
SCALES: dict[Unit, float] = {
    "percent": 0.01,
    "fraction": 1.0,
    "count": 1.0,
    "seconds": 1.0,
    "rate": 1.0,
}
"""Unit of a column -> factor to how sambench gives the same metric."""


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where numbers were published."""

    key: str
    title: str
    year: int
    arxiv: str = ""
    url: str = ""

    @property
    def link(self) -> str:
        """Address of the paper, or "" where only the title is known."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return f"https://{self.url}" if self.url else ""


@dataclass(frozen=True)
class PublishedRow:
    """One row of a published table.

    Attributes:
        label: the row's name in the table.
        model: the model's name as ``sambench list`` would show it, with the options that make it
            this one of several: ``pidinet:variant=tiny``; "" if the row is of no model.
        dataset: dataset, if not the table's.
        values: metric -> value in sambench's scale (fractions, counts, seconds).
        half: metric -> half width of the printed 95 % interval, same scale.
        mark: how the number was obtained, a key of `MARKS`.
        error: uncertainty of reading a figure, same scale as values.
        baseline: what a gain is relative to.
        options: options of the task where they differ from the table's.
        facts: what is known of the protocol beyond the table's.
    """

    label: str
    model: str
    dataset: str
    values: Mapping[str, float]
    mark: Mark
    half: Mapping[str, float] = field(default_factory=dict)
    error: float = 0.0
    baseline: str = ""
    options: JSON = field(default_factory=dict)
    facts: JSON = field(default_factory=dict)

    def estimates(self) -> dict[str, Estimate]:
        """Values with the printed interval, or the error of reading a figure, or none (NaN)."""
        return {name: self._estimate(name, value) for name, value in self.values.items()}

    def _estimate(self, name: str, value: float) -> Estimate:
        half = self.half.get(name, self.error or math.nan)
        return Estimate(value, value - half, value + half)


@dataclass(frozen=True)
class PublishedTable:
    """A published table, or the part of it that has one dataset and one protocol.

    Attributes:
        paper: its paper.
        id: unique within the paper.
        where: table or figure of the paper.
        title: what it shows, in a few words.
        task: sambench's task, or a word where it has none.
        dataset: dataset of the rows that name no other.
        options: options of the task that the paper used.
        preset: the preset of the task that has them, "" where none does.
        facts: what else is known of the protocol.
        unknown: choices that the paper leaves open.
        differs: what sambench does otherwise and has no option for.
        columns: metric -> unit.
        rows: the rows.
        declared: metrics that the task does not declare.
    """

    paper: Paper
    id: str
    where: str
    title: str
    task: str
    dataset: str
    columns: Mapping[str, str]
    rows: tuple[PublishedRow, ...]
    options: JSON = field(default_factory=dict)
    preset: str = ""
    facts: JSON = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    declared: tuple[Metric, ...] = ()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The columns as they are declared here, or else by the installed task."""
        known = [*self.declared, *declared_metrics(self.task)]
        return tuple(find_metric(known, name) for name in self.columns)

    @property
    def name(self) -> str:
        """What ``sambench reproduce`` takes: ``sam:table-3``."""
        return f"{self.paper.key}:{self.id}"


class RowFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row as it stands in a file: numbers as printed, one for each column, null where none is."""

    label: str
    model: str
    values: list[float | None]
    dataset: str | None = None
    half: list[float | None] | None = None
    mark: Mark | None = None
    error: float | None = None
    baseline: str = ""
    options: JSON = {}
    facts: JSON = {}


class TableFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table as it stands in a file; what a row leaves out is as its table says."""

    id: str
    where: str
    title: str
    task: str
    dataset: str
    mark: Mark
    columns: dict[str, Unit]
    rows: list[RowFile]
    error: float = 0.0
    options: JSON = {}
    preset: str = ""
    facts: JSON = {}
    unknown: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    declared: tuple[Metric, ...] = ()


class PaperFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The published numbers of one paper, published/<key>.json."""

    paper: Paper
    tables: list[TableFile]


def published_folder() -> Path:
    """Where the published numbers lie: in the checkout, or inside the installed package."""
    package = Path(sambench.__file__).parent
    installed = package / "published"
    return installed if installed.is_dir() else package.parent / "results" / "published"


def require_published(folder: Path) -> Path:
    """A folder of published numbers itself, which must be there: of none nothing would be shown.

    Raises:
        UserError: it is not.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder of published numbers; correct --published.")
    return folder


def read_published(folder: Path) -> list[PublishedTable]:
    """All published tables of a folder, by file name and then in order.

    Raises:
        UserError: a file is not of the documented form.
    """
    files = sorted(folder.glob("*.json"))
    return [table for file in files for table in read_paper(file)]


def read_paper(path: Path) -> list[PublishedTable]:
    """The tables of one paper.

    Raises:
        UserError: the file is not of the documented form; the place is named.
    """
    file = parse(read_json(path), PaperFile, str(path))
    key = file.paper.key
    if key != path.stem:
        raise UserError(f"{path} is of the paper {key!r}; name the file {key}.json.")
    ids = [table.id for table in file.tables]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise UserError(f"{path} has two tables {twice[0]!r}; give each its own id.")
    return [_table(file.paper, table, path) for table in file.tables]


def _table(paper: Paper, table: TableFile, path: Path) -> PublishedTable:
    return PublishedTable(
        paper=paper,
        id=table.id,
        where=table.where,
        title=table.title,
        task=table.task,
        dataset=table.dataset,
        columns=table.columns,
        rows=tuple(_row(row, table, f"{path}: table {table.id}") for row in table.rows),
        options=table.options,
        preset=table.preset,
        facts=table.facts,
        unknown=table.unknown,
        differs=table.differs,
        declared=table.declared,
    )


def _row(row: RowFile, table: TableFile, where: str) -> PublishedRow:
    place = f"{where}, row {row.label}"
    error = table.error if row.error is None else row.error
    return PublishedRow(
        label=row.label,
        model=row.model,
        dataset=table.dataset if row.dataset is None else row.dataset,
        values=_scaled(row.values, table.columns, place),
        mark=row.mark or table.mark,
        half=_scaled(row.half, table.columns, place) if row.half is not None else {},
        error=error * SCALES[next(iter(table.columns.values()))],
        baseline=row.baseline,
        options=row.options,
        facts=row.facts,
    )


def _scaled(
    values: Sequence[float | None], columns: Mapping[str, Unit], where: str
) -> dict[str, float]:
    """Numbers as printed -> sambench's scale by metric; null is left out.

    Raises:
        UserError: there are not as many as columns.
    """
    if len(values) != len(columns):
        raise UserError(
            f"{where} needs {len(columns)} values, one for each column; write null for none."
        )
    pairs = zip(columns.items(), values, strict=True)
    return {name: value * SCALES[unit] for (name, unit), value in pairs if value is not None}
