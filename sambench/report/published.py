"""Published numbers as data: one JSON file for each paper, validated when read.

A table says what its paper says about the protocol: `options` are the options of our task that it
used, `facts` what else is known, `unknown` what it leaves open. A row may override what its table
says. Values stand as printed; their unit is with the column.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sambench
from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.metrics.statistics import Estimate
from sambench.shown import Metric, find_metric
from sambench.store.result import read_json
from sambench.store.schema import declared_problems
from sambench.store.tasks import declared_metrics

MARKS = {
    "found": "printed in the source",
    "digitised": "read off a figure",
    "derived": "computed from printed numbers",
    "second-hand": "quoted by another source",
}
SCALES = {
    "percent": 0.01,
    "fraction": 1.0,
    "count": 1.0,
    "seconds": 1.0,
    "rate": 1.0,
}
"""Unit of a column -> factor to how sambench gives the same metric."""


@dataclass(frozen=True)
class Paper:
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
        model: the model's name as ``sambench list`` would show it; "" if the row is of no model.
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
    mark: str
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
        task: sambench's task, or a word where there is none.
        dataset: dataset of the rows that name no other.
        options: options of the task that the paper used.
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


_TABLE = {"id", "where", "title", "task", "dataset", "mark", "columns", "rows"}
_TABLE_MORE = {"error", "options", "facts", "unknown", "differs", "declared"}
_ROW = {"label", "model", "values"}
_ROW_MORE = {"dataset", "half", "mark", "error", "baseline", "options", "facts"}


def published_folder() -> Path:
    """Where the published numbers lie: in the checkout, or inside the installed package."""
    package = Path(sambench.__file__).parent
    installed = package / "published"
    return installed if installed.is_dir() else package.parent / "results" / "published"


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
    data = read_json(path)
    _keys(data, {"paper", "tables"}, set(), str(path))
    _keys(data["paper"], {"key", "title", "year"}, {"arxiv", "url"}, f"{path}: paper")
    paper = Paper(**data["paper"])
    if paper.key != path.stem:
        raise UserError(f"{path} is of the paper {paper.key!r}; name the file {paper.key}.json.")
    tables = [_table(paper, raw, path) for raw in data["tables"]]
    ids = [table.id for table in tables]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise UserError(f"{path} has two tables {twice[0]!r}; give each its own id.")
    return tables


def _table(paper: Paper, raw: Any, path: Path) -> PublishedTable:
    where = f"{path}: table {raw.get('id') if isinstance(raw, dict) else raw!r}"
    _keys(raw, _TABLE, _TABLE_MORE, where)
    _known(raw["mark"], MARKS, where)
    for unit in raw["columns"].values():
        _known(unit, SCALES, where)
    rows = tuple(_row(row, raw, where) for row in raw["rows"])
    declared = raw.get("declared", [])
    wrong = (
        next(declared_problems(declared), "") if isinstance(declared, list) else "declares no list"
    )
    if wrong:
        raise UserError(f"{where} {wrong}; see docs/result-schema.md.")
    plain = {key: raw[key] for key in ("id", "where", "title", "task", "dataset", "columns")}
    return PublishedTable(
        paper,
        rows=rows,
        options=raw.get("options", {}),
        facts=raw.get("facts", {}),
        unknown=tuple(raw.get("unknown", ())),
        differs=tuple(raw.get("differs", ())),
        declared=tuple(Metric(**item) for item in declared),
        **plain,
    )


def _row(raw: Any, table: JSON, where: str) -> PublishedRow:
    place = f"{where}, row {raw.get('label') if isinstance(raw, dict) else raw!r}"
    _keys(raw, _ROW, _ROW_MORE, place)
    mark = raw.get("mark", table["mark"])
    _known(mark, MARKS, place)
    columns = table["columns"]
    error = raw.get("error", table.get("error", 0.0)) * SCALES[next(iter(columns.values()))]
    return PublishedRow(
        label=raw["label"],
        model=raw["model"],
        dataset=raw.get("dataset", table["dataset"]),
        values=_scaled(raw["values"], columns, place),
        mark=mark,
        half=_scaled(raw.get("half", [None] * len(columns)), columns, place),
        error=error,
        baseline=raw.get("baseline", ""),
        options=raw.get("options", {}),
        facts=raw.get("facts", {}),
    )


def _scaled(values: Any, columns: Mapping[str, str], where: str) -> dict[str, float]:
    """Numbers as printed -> sambench's scale by metric; null is left out."""
    if not isinstance(values, list) or len(values) != len(columns):
        raise UserError(f"{where} needs {len(columns)} values, one for each column.")
    for value in values:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UserError(f"{where} has the value {value!r}; give a number or null.")
    pairs = zip(columns.items(), values, strict=True)
    return {name: value * SCALES[unit] for (name, unit), value in pairs if value is not None}


def _keys(raw: Any, needed: set[str], allowed: set[str], where: str) -> None:
    if not isinstance(raw, dict):
        raise UserError(f"{where} is no JSON object; see docs/result-schema.md.")
    missing = sorted(needed - set(raw))
    unknown = sorted(set(raw) - needed - allowed)
    if missing or unknown:
        problem = f"lacks {missing[0]!r}" if missing else f"has the unknown field {unknown[0]!r}"
        raise UserError(f"{where} {problem}; see docs/result-schema.md.")


def _known(value: Any, choices: Iterable[str], where: str) -> None:
    if value not in choices:
        raise UserError(f"{where} has {value!r}; it is one of {', '.join(choices)}.")
