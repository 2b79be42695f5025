"""What a run leaves on disk at the end: its result, ``OUTPUT/<task>/<dataset>/<model>.json``.

The records that it was made of lie beside it, see `sambench.records`.
"""

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.metrics.statistics import Estimate
from sambench.shown import Metric, find_metric
from sambench.store.schema import SCHEMA, unreadable

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

    @property
    def complete(self) -> bool:
        """Whether every image of the plan was scored."""
        return not self.failed

    @property
    def defined(self) -> bool:
        """Whether the images had what the main metric measures: else the run was for nothing."""
        return self.metric not in self.metrics or not math.isnan(self.metrics[self.metric].value)

    def to_frame(self) -> "DataFrame":
        """The metrics as a pandas table: value, low and high for each, indexed by its name."""
        import pandas as pd

        rows = {name: [e.value, e.low, e.high] for name, e in self.metrics.items()}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])
        frame.index.name = "metric"
        return frame

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the metrics that are fractions or in percent, with their 95 % intervals.

        Args:
            axes: of matplotlib, to draw into; new ones if None.
        """
        from matplotlib.figure import Figure

        axes = Figure(layout="constrained").add_subplot() if axes is None else axes
        shown = {
            name: e
            for name, e in self.metrics.items()
            if find_metric(self.declared, name).unit in {"fraction", "percent"}
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

    def to_json(self) -> JSON:
        """The result as JSON values; what is not defined is null."""
        return {"schema": SCHEMA, "complete": self.complete, **_finite(asdict(self))}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], source: str = "result") -> "Result":
        """The result that `to_json` wrote.

        Raises:
            UserError: a field is missing, of another type, or not of this schema.
        """
        if isinstance(data, Mapping) and data.get("schema") != SCHEMA:
            raise UserError(f"{source} has schema {data.get('schema')}, expected {SCHEMA}.")
        wrong = next(unreadable(data), None)
        if wrong is not None:
            raise UserError(f"{source} is not a sambench result as it stands: it {wrong}.")
        metrics = {name: _estimate(value) for name, value in data["metrics"].items()}
        declared = tuple(Metric(**item) for item in data.get("declared", ()))
        names = [n for n in cls.__dataclass_fields__ if n not in {"metrics", "declared"}]
        plain = {name: data[name] for name in names if name in data}
        return cls(metrics=metrics, declared=declared, **plain)


def _estimate(value: Mapping[str, float | None]) -> Estimate:
    def number(key: str) -> float:
        found = value[key]
        return math.nan if found is None else found

    return Estimate(number("value"), number("low"), number("high"))


def _finite(value: Any) -> Any:
    """JSON has no NaN: write null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: it is missing or malformed.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}).") from None


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    write_lines(path, [text.encode()])


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file piece by piece so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with part.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that the file is there whole or not at all."""
    write_text(path, json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n")


def as_text(value: Any) -> Any:
    """Run lengths are bytes, which JSON does not have: make them text, at any depth."""
    if isinstance(value, dict):
        return {key: as_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_text(item) for item in value]
    return value.decode("ascii") if isinstance(value, bytes) else value


def write_result(path: Path, result: Result) -> None:
    """Write a result as JSON that a person can read."""
    write_text(path, json.dumps(result.to_json(), indent=2, allow_nan=False) + "\n")


def read_result(path: Path) -> Result:
    """Read a result.

    Raises:
        UserError: missing, malformed or not of this schema.
    """
    return Result.from_json(read_json(path), str(path))
