"""What plug-ins were given, as JSON values: files and folders count by what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_origin

from sambench.files import sha256
from sambench.interfaces import JSON, Dataset, Model, Task
from sambench.registry import option_types, spec_of


def task_options(task: Task) -> JSON:
    """The options of a task as JSON values; a file is given by its SHA-256, not by its path.

    Raises:
        UserError: a file is not there.
    """
    values = _values(task)
    paths = {k: v for k, v in values.items() if isinstance(v, Path) and v != Path()}
    paths |= _paths(task, values)
    return {k: _content(paths[k]) if k in paths else _plain(v) for k, v in values.items()}


def raw_options(task: Task) -> JSON:
    """The options of a task so that they load again: a file is given by its path."""
    return {k: str(v) if isinstance(v, Path) else v for k, v in _values(task).items()}


def changed_options(task: Task) -> JSON:
    """The options of a task that are not the default; files and folders as paths."""
    defaults = {field.name: _default(field) for field in _fields(task)}
    changed = {name: value for name, value in _values(task).items() if value != defaults[name]}
    return {**changed, **_paths(task, changed)}


def unprompted(task: Task) -> Task:
    """A task with the options at their defaults that say how a model is prompted."""
    defaults = {field.name: _default(field) for field in _fields(task)}
    changed: Any = task  # every task is a dataclass
    made: Task = replace(changed, **{k: v for k, v in defaults.items() if k in task.prompting})
    return made


def _fields(task: Task) -> tuple[Field[Any], ...]:
    return fields(task)  # type: ignore[arg-type]  # every task is a dataclass


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _values(task: Task) -> JSON:
    return {field.name: getattr(task, field.name) for field in _fields(task)}


def constructor_options(plugin: Model | Dataset) -> JSON:
    """The options of a model or dataset that can move a number, defaults included."""
    spec = spec_of(plugin)
    if spec is None:
        return {}
    paths, parts = given_paths(plugin), given_parts(plugin)

    def identified(key: str, value: Any) -> Any:
        if key in parts:
            return {"name": parts[key].card.name, **constructor_options(parts[key])}
        return _identified(plugin, paths[key]) if key in paths else _plain(value)

    return {
        key: identified(key, value)
        for key, value in spec.options.items()
        if key not in plugin.neutral and key != "name"
    }


def chosen_options(plugin: Model | Dataset) -> JSON:
    """Those of `constructor_options` that are not the default."""
    spec = spec_of(plugin)
    changed = spec.changed if spec else ()
    return {k: v for k, v in constructor_options(plugin).items() if k in changed}


def given_parts(plugin: Model | Dataset) -> dict[str, Model | Dataset]:
    """The models and datasets that options name, by option, as they were loaded.

    Where a part has several options, a semicolon stands between them.
    """
    spec = spec_of(plugin)
    texts = {made.text: part for part in _parts(plugin) if (made := spec_of(part)) is not None}
    options = spec.options.items() if spec else ()
    named = {k: v.replace(";", ",") for k, v in options if isinstance(v, str) and v}
    return {k: texts[text] for k, text in named.items() if text in texts}


def parts_of(plugin: Model | Dataset) -> list[Model | Dataset]:
    """The models and datasets that one is made of, such as a model that ranks another's masks."""
    return [each for part in _parts(plugin) for each in (part, *parts_of(part))]


def _parts(plugin: object) -> list[Model | Dataset]:
    values = getattr(plugin, "__dict__", {}).values()
    return [value for value in values if isinstance(value, Model | Dataset)]


def given_paths(plugin: Model | Dataset) -> dict[str, Path]:
    """The files and folders that options of a model or dataset name, by option."""
    spec = spec_of(plugin)
    return _paths(plugin, spec.options) if spec else {}


def _paths(plugin: object, values: Mapping[str, Any]) -> dict[str, Path]:
    """The files and folders that options name; one word of several is not a path."""
    types = option_types(type(plugin))
    texts = {
        k: v for k, v in values.items() if get_origin(types.get(k, Literal[""])) is not Literal
    }
    return {key: path for key, value in texts.items() if (path := given_path(value)) is not None}


def given_path(value: Any) -> Path | None:
    """The file or folder that an option names, if it names one that is there."""
    if not isinstance(value, str | Path) or str(value) in {"", "."}:
        return None
    path = Path(value).expanduser()
    try:
        return path.resolve() if path.exists() else None
    except (OSError, ValueError):  # longer than a path may be, or no path
        return None


def content_of(path: Path) -> str:
    """SHA-256 of a file, or over the names and contents of all files in a folder."""
    if path.is_file():
        return sha256(path)
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        name = file.relative_to(path)
        if not any(part.startswith(".") or part == "__pycache__" for part in name.parts):
            digest.update(f"{name.as_posix()} {sha256(file)}\n".encode())
    return digest.hexdigest()


def _content(path: Path) -> str:
    return f"folder {content_of(path)}" if path.is_dir() else sha256(path)


def _identified(plugin: Model | Dataset, path: Path) -> str:
    """A file or folder by its content.

    A folder of a model may be known by its weights. That of a dataset has its name alone, which
    may also be a word: its annotations have a fingerprint, and records name the pixels.
    """
    if path.is_file():
        return sha256(path)
    if isinstance(plugin, Dataset):
        return path.name
    return f"folder {plugin.card.weights_sha256 or content_of(path)}"


def _plain(value: Any) -> Any:
    """What is not a path as a JSON value."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Path) and (path := given_path(value)) is not None:
        return _content(path)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
