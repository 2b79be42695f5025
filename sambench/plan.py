"""What a run is: all that can move one of its numbers, in two parts.

``predictions`` is what moves the masks (model, weights, preprocessing, prompts), ``scores`` what
moves only the numbers made of them. Which images are scored is not part of it: a record depends on
nothing but its own image, so a run of ten images is the beginning of the run of all.
"""

import hashlib
import inspect
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import sambench
from sambench.download import sha256
from sambench.interfaces import JSON, Dataset, Model, Task


def make_plan(name: str, task: Task, model: Model, dataset: Dataset) -> JSON:
    """The plan of one task on one dataset with one model."""
    options = task_options(task)
    return {
        "predictions": {
            "task": name,
            "options": {k: v for k, v in options.items() if k not in task.scoring},
            "model": asdict(model.card),
            "dataset": dataset.card.name,
            "fingerprint": dataset.fingerprint,
            "code": _digest([*_sources(model), *_sources(task)]),
        },
        "scores": {
            "options": {k: v for k, v in options.items() if k in task.scoring},
            "code": _digest([*_sources(task), *_folder(Path(__file__).parent / "metrics")]),
        },
    }


def task_options(task: Task) -> JSON:
    """The options of a task as JSON values; a file is given by its SHA-256, not by its path."""
    return {field.name: _value(getattr(task, field.name)) for field in _fields(task)}


def raw_options(task: Task) -> dict[str, Any]:
    """The options of a task so that they load again: a file is given by its path."""
    values = {field.name: getattr(task, field.name) for field in _fields(task)}
    return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}


def protocol(task: Task, model: Model, dataset: Dataset, ids: tuple[str, ...]) -> JSON:
    """Protocol card: every choice that moves a number, in words and values."""
    card = dataset.card
    return {
        "task": {**task_options(task), **task.facts},
        "model": asdict(model.card),
        "dataset": {
            "name": card.name,
            "split": card.split,
            "fingerprint": dataset.fingerprint,
            "images": f"{len(ids)} of {len(dataset)}",
            "ids": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
        },
        "sambench": sambench.__version__,
    }


def slug(name: str, task: Task) -> str:
    """Name of a task's folder: the task, and its options where they are not the default."""
    changed = [f for f in _fields(task) if getattr(task, f.name) != _default(f)]
    parts = [name, *(f"{f.name}={_word(getattr(task, f.name))}" for f in changed)]
    return "-".join(parts)


def _fields(task: Task) -> tuple[Any, ...]:
    return fields(task)  # type: ignore[arg-type]  # every task is a dataclass


def _default(field: Any) -> Any:
    return field.default_factory() if field.default is MISSING else field.default


def _word(value: Any) -> str:
    return value.stem if isinstance(value, Path) else str(value).replace("/", "_")


def _value(value: Any) -> Any:
    return sha256(value) if isinstance(value, Path) else value


def _sources(plugin: object) -> list[Path]:
    """The file that defines a plug-in and the helpers beside it."""
    file = inspect.getsourcefile(type(plugin))
    if file is None or not Path(file).is_file():
        return []
    path = Path(file)
    helpers = [*path.parent.glob("_*.py"), *_folder(path.parent / "nn")]
    return [path, *(helpers if path.parent.name in {"model", "tasks", "datasets"} else [])]


def _folder(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.py"))


def _digest(files: list[Path]) -> str:
    """SHA-256 over files' names and contents."""
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda p: p.name):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
