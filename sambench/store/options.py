"""What plug-ins were given, as JSON values: files and folders count by what they hold."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from sambench.download import sha256
from sambench.interfaces import JSON, Dataset, Model, Task
from sambench.registry import Spec, spec_of


def task_options(task: Task) -> JSON:
    """The options of a task as JSON values; a file is given by its SHA-256, not by its path."""
    return {name: _by_content(value) for name, value in _values(task).items()}


def raw_options(task: Task) -> JSON:
    """The options of a task so that they load again: a file is given by its path."""
    return {k: str(v) if isinstance(v, Path) else v for k, v in _values(task).items()}


def changed_options(task: Task) -> JSON:
    """The options of a task that are not the default."""
    defaults = {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(task)  # type: ignore[arg-type]  # every task is a dataclass
    }
    return {name: value for name, value in _values(task).items() if value != defaults[name]}


def _values(task: Task) -> JSON:
    return {field.name: getattr(task, field.name) for field in fields(task)}  # type: ignore[arg-type]


def _by_content(value: Any) -> Any:
    return sha256(value) if isinstance(value, Path) else value


def constructor_options(plugin: Model | Dataset) -> JSON:
    """The options of a model or dataset that can move a number, defaults included."""
    spec = spec_of(plugin)
    if spec is None:
        return {}
    weights = plugin.card.weights_sha256 if isinstance(plugin, Model) else ""
    return {
        key: _identified(value, weights)
        for key, value in spec.options.items()
        if key not in plugin.neutral and key != "name"
    }


def chosen_options(plugin: Model | Dataset) -> JSON:
    """Those of `constructor_options` that are not the default."""
    spec = spec_of(plugin)
    changed = spec.changed if spec else ()
    return {k: v for k, v in constructor_options(plugin).items() if k in changed}


def given_path(value: Any) -> Path | None:
    """The file or folder that an option names, if it names one that is there."""
    if not isinstance(value, str | Path) or not str(value):
        return None
    path = Path(value).expanduser()
    try:
        return path.resolve() if path.exists() else None
    except OSError:  # longer than a path may be
        return None


def _identified(value: Any, weights: str) -> Any:
    """A file as its SHA-256, a folder as the weights that it holds or by its name."""
    path = given_path(value)
    if path is not None:
        return sha256(path) if path.is_file() else f"folder {weights or path.name}"
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def folder_names(spec: Spec) -> list[str]:
    """The last parts of the paths of all files and folders that options name."""
    paths = (given_path(value) for value in spec.options.values())
    return [path.name for path in paths if path is not None]
