"""What a run leaves on disk: a records file, one line an image, and one result.

``OUTPUT/<task>/<dataset>/<model>.records.jsonl`` begins with the plan, all that can move a number
of the run, then holds a record an image in the order they were done. Each line is written whole and
synced before the next image counts as done, so a run that dies loses nothing; a torn last line is
dropped. ``<model>.json`` beside it is the result.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.metrics.statistics import Estimate

SCHEMA = 1


@dataclass(frozen=True)
class Result:
    """The outcome of one task on one dataset with one model: what the leaderboard is made of.

    Attributes:
        task, model, dataset: names.
        metric: the metric to rank by.
        images: how many images were scored.
        metrics: value and 95 % interval of each metric, fractions between 0 and 1.
        protocol: every choice that moves the numbers.
        failed: reason by id of each image that could not be scored.
        timing: median and 95th percentile seconds of each step, images a second.
        environment: hardware and versions.
        note: what a table must say beside the numbers.
        details: data for plots and breakdowns.
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

    @property
    def complete(self) -> bool:
        """Whether every image of the plan was scored."""
        return not self.failed

    def to_json(self) -> JSON:
        """The result as JSON values; what is not defined is null."""
        return {"schema": SCHEMA, "complete": self.complete, **_finite(asdict(self))}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], source: str = "result") -> "Result":
        """The result that `to_json` wrote.

        Raises:
            UserError: a field is missing or not of this schema.
        """
        try:
            if data["schema"] != SCHEMA:
                raise UserError(f"{source} has schema {data['schema']}, expected {SCHEMA}.")
            metrics = {name: _estimate(value) for name, value in data["metrics"].items()}
            names = [name for name in cls.__dataclass_fields__ if name != "metrics"]
            return cls(metrics=metrics, **{n: data[n] for n in names if n in data})
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{source} is no sambench result ({error!r}).") from None


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
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".tmp")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


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


class RecordFile:
    """The records of one run, appended line by line.

    Args:
        path: the .jsonl file; made when missing.
        plan: all that can move a number of this run.

    Raises:
        UserError: the file holds records of another plan; the differing fields are named.
    """

    def __init__(self, path: Path, plan: JSON) -> None:
        self.path = path
        self.done: dict[str, JSON] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size:
            self._resume(plan)
        self._file = path.open("ab")
        if not path.stat().st_size:
            self._append({"plan": plan})

    def _resume(self, plan: JSON) -> None:
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with self.path.open("r+b") as file:
                file.truncate(whole)
        lines = [_parse(line, self.path) for line in data[:whole].splitlines()]
        if not lines:
            return
        differing = differences(lines[0].get("plan", {}), json.loads(json.dumps(plan)))
        if differing:
            raise UserError(
                f"{self.path} holds a run with another plan ({'; '.join(differing)}); "
                "give another --output, or --fresh to discard it."
            )
        # A failed image is tried again; its later record counts.
        self.done = {line["id"]: line for line in lines[1:] if "failed" not in line}

    def append(self, record: JSON) -> None:
        """Write one record and sync it to disk: from here on it cannot be lost."""
        self._append(record)
        self.done[record["id"]] = record

    def fail(self, id: str, reason: str) -> None:
        """Note that an image failed and why; a later run tries it again."""
        self._append({"id": id, "failed": reason})

    def _append(self, line: JSON) -> None:
        text = json.dumps(_finite(line), allow_nan=False, separators=(",", ":"))
        self._file.write(text.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _parse(line: bytes, path: Path) -> JSON:
    try:
        parsed = json.loads(line)
    except ValueError:
        raise UserError(f"{path} has a damaged line; use --fresh to start it again.") from None
    if not isinstance(parsed, dict) or not ({"id", "plan"} & set(parsed)):
        raise UserError(f"{path} is no file of records; give another --output.")
    return parsed


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Fields in which two JSON values differ, as sentences ``field: old, now new``."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [
            line
            for key in keys
            for line in differences(old.get(key), new.get(key), f"{where}.{key}".lstrip("."))
        ]
    return [] if old == new else [f"{where}: {_short(old)}, now {_short(new)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
