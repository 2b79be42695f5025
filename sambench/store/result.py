"""What a run leaves on disk at the end: its result, ``OUTPUT/<task>/<dataset>/<model>.json``.

The records that it was made of lie beside it, see `sambench.store.records`.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sambench.files import read_json, write_text
from sambench.interfaces import JSON
from sambench.metrics.statistics import Estimate
from sambench.shown import Metric, find_metric
from sambench.store.display import (
    html_table,
    interval,
    items_stated,
    metric_cells,
    new_axes,
    number,
    withheld,
)
from sambench.store.schema import SCHEMA, Interval, ResultFile, parse

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


@dataclass(frozen=True)
class Result:
    """The outcome of one task on one dataset with one model: what the leaderboard is made of.

    Attributes:
        task, model, dataset: names.
        metric: the metric to rank by.
        images: how many images were scored.
        metrics: value and 95 % interval of each metric; percent is a fraction between 0 and 1.
        protocol: every choice that moves the numbers.
        failed: reason by id of each image that could not be scored.
        timing: median and 95th percentile seconds of each step, images a second.
        environment: hardware and versions.
        note: what a table must say beside the numbers.
        details: data for plots.
        declared: what its metrics are, how they are printed and which way is better; a metric that
            is missing here is a plain number.
        path: the file that it is in, beside its records if they were kept; None if in none.
    """

    task: str
    model: str
    dataset: str
    metric: str
    images: int
    metrics: dict[str, Estimate]
    protocol: JSON
    failed: dict[str, str] = field(default_factory=dict)
    timing: JSON = field(default_factory=dict)
    environment: JSON = field(default_factory=dict)
    note: str = ""
    details: JSON = field(default_factory=dict)
    declared: tuple[Metric, ...] = ()
    path: Path | None = field(default=None, compare=False)

    @property
    def complete(self) -> bool:
        """Whether every image of the plan was scored."""
        return not self.failed

    @property
    def items(self) -> str:
        """What was scored, in the plural: images, or clips."""
        return items_stated(self.protocol.get("dataset", {}))

    @property
    def defined(self) -> bool:
        """Whether the images had what the main metric measures: else the run was for nothing."""
        return self.metric not in self.metrics or not math.isnan(self.metrics[self.metric].value)

    def to_pandas(self) -> "DataFrame":
        """The metrics as a pandas table: value, low and high for each, indexed by its name."""
        import pandas as pd

        rows = {name: [e.value, e.low, e.high] for name, e in self.metrics.items()}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])
        frame.index.name = "metric"
        return frame

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the metrics that are fractions or in percent, with their 95 % intervals.

        Groups of metrics of their own, such as those of confidence, are left out.

        Args:
            axes: of matplotlib, to draw into; new ones, which a notebook shows, if None.
        """
        axes = new_axes() if axes is None else axes
        shown = {
            name: e
            for name, e in self.metrics.items()
            if (metric := find_metric(self.declared, name)).unit in {"fraction", "percent"}
            and (metric.member or not metric.group)
        }
        values = [e.value for e in shown.values()]
        spread = [
            [max(e.value - e.low, 0) for e in shown.values()],
            [max(e.high - e.value, 0) for e in shown.values()],
        ]
        axes.barh(list(shown), values, xerr=spread, color="0.8", ecolor="0.2")
        axes.invert_yaxis()
        axes.set(xlim=(0, 1), title=f"{self.task} on {self.dataset}, {self.model}")
        return axes

    def _repr_html_(self) -> str:
        """The table that a notebook shows."""
        declared = {name: find_metric(self.declared, name) for name in self.metrics}
        rows = [
            [
                *metric_cells(declared[name]),
                number(declared[name], e.value),
                interval(declared[name], e.low, e.high),
                declared[name].description,
            ]
            for name, e in self.metrics.items()
        ]
        notes = [self.note] if self.note else []
        notes += withheld((declared[name], found) for name, found in self.metrics.items())
        if not self.defined:
            notes.append(f"These {self.items} have nothing that {self.metric} measures.")
        notes += [
            f"{self.items[:-1].capitalize()} {id} failed: {reason}"
            for id, reason in self.failed.items()
        ]
        title = f"{self.task} on {self.dataset} with {self.model}: {self.images} {self.items}"
        head = ["metric", "unit", "value", "95 % interval", ""]
        return html_table(title, head, rows, notes)

    def to_json(self) -> JSON:
        """The result as JSON values; what is not defined is null."""
        stated = asdict(self)
        for name in ("path", *(() if self.declared else ("declared",))):
            del stated[name]
        stated["metrics"] = {name: _stated(found) for name, found in self.metrics.items()}
        return {"schema": SCHEMA, "complete": self.complete, **_finite(stated)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], source: str = "result") -> "Result":
        """The result that `to_json` wrote.

        Raises:
            UserError: a field is missing, of another type, or not of this schema.
        """
        file = parse(data, ResultFile, source)
        metrics = {name: _estimate(interval) for name, interval in file.metrics.items()}
        names = [n for n in cls.__dataclass_fields__ if n not in {"metrics", "declared", "path"}]
        plain = {name: data[name] for name in names if name in data}
        return cls(metrics=metrics, declared=file.declared, **plain)


def _estimate(interval: Interval) -> Estimate:
    numbers = interval.value, interval.low, interval.high
    value, low, high = (math.nan if number is None else number for number in numbers)
    return Estimate(value, low, high, interval.withheld, interval.bias)


def _stated(estimate: Estimate) -> JSON:
    """An estimate as JSON values; of its interval only what there is to say."""
    said = {"withheld": estimate.withheld or None, "bias": estimate.bias}
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {**numbers, **{name: value for name, value in said.items() if value is not None}}


def _finite(value: Any) -> Any:
    """JSON has no NaN: write null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_result(path: Path, result: Result) -> None:
    """Write a result as JSON that a person can read."""
    write_text(path, json.dumps(result.to_json(), indent=2, allow_nan=False) + "\n")


def read_result(path: Path) -> Result:
    """Read a result.

    Raises:
        UserError: missing, malformed or not of this schema.
    """
    return replace(Result.from_json(read_json(path), str(path)), path=path)
