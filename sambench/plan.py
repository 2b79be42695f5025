"""What a run is: all that can move one of its numbers, in two parts.

``predictions`` is what moves the masks (model, weights, preprocessing, prompts), ``scores`` what
moves only the numbers made of them. Which images are scored is not part of it: a record depends on
nothing but its own image, so a run of ten images is the beginning of the run of all.
"""

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, fields
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

import sambench
from sambench.download import sha256
from sambench.interfaces import JSON, Dataset, Model, Task
from sambench.registry import BUILT_IN, origin


def describe(name: str, task: Task, model: Model, dataset: Dataset) -> JSON:
    """What one task on one dataset with one model is: the first line of its records.

    Returns:
        ``plan``, all that can move a number; ``about``, what a result tells besides, from which the
        task can be made again; ``ids`` of all images of the dataset, in its order.
    """
    card = dataset.card
    return {
        "plan": make_plan(name, task, model, dataset),
        "about": {
            "task": name,
            "options": raw_options(task),
            "choices": {**task_options(task), **task.facts},
            "model": {**asdict(model.card), **_plugins({"model": model})},
            "dataset": {
                "name": card.name,
                "split": card.split,
                "fingerprint": dataset.fingerprint,
            },
            "note": card.note,
            **_plugins({"task": task, "dataset": dataset}),
            "sambench": sambench.__version__,
        },
        "ids": list(dataset.ids),
    }


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
            "code": code_of(model, task),
        },
        "scores": {
            "options": {k: v for k, v in options.items() if k in task.scoring},
            "code": code_of(task),
        },
    }


def protocol(header: JSON, ids: tuple[str, ...]) -> JSON:
    """Protocol card: every choice that moves a number, in words and values.

    Args:
        header: of `describe`.
        ids: the images that the numbers are about.
    """
    about = header["about"]
    return {
        "task": about["choices"],
        "model": about["model"],
        "dataset": {
            **about["dataset"],
            "images": f"{len(ids)} of {len(header['ids'])}",
            "ids": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
        },
        **{key: about[key] for key in ("plugins",) if key in about},
        "sambench": about["sambench"],
    }


def _plugins(parts: Mapping[str, object]) -> JSON:
    """Which parts are not built in, and where they come from; nothing where all are."""
    foreign = {kind: origin(part) for kind, part in parts.items() if origin(part) != BUILT_IN}
    return {"plugins": foreign} if foreign else {}


def task_options(task: Task) -> JSON:
    """The options of a task as JSON values; a file is given by its SHA-256, not by its path."""
    return {field.name: _value(getattr(task, field.name)) for field in _fields(task)}


def raw_options(task: Task) -> dict[str, Any]:
    """The options of a task so that they load again: a file is given by its path."""
    values = {field.name: getattr(task, field.name) for field in _fields(task)}
    return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}


def slug(name: str, task: Task) -> str:
    """Name of a task's folder: the task, and its options where they are not the default."""
    changed = [f for f in _fields(task) if getattr(task, f.name) != _default(f)]
    parts = [plain(name), *(f"{f.name}={_word(getattr(task, f.name))}" for f in changed)]
    return "-".join(parts)


def plain(name: str) -> str:
    """The name of a plug-in as part of a file's name: that of a path is its stem."""
    return Path(name).stem if name.endswith(".py") else name.replace("/", "_")


def _fields(task: Task) -> tuple[Any, ...]:
    return fields(task)  # type: ignore[arg-type]  # every task is a dataclass


def _default(field: Any) -> Any:
    return field.default_factory() if field.default is MISSING else field.default


def _word(value: Any) -> str:
    return value.stem if isinstance(value, Path) else str(value).replace("/", "_")


def _value(value: Any) -> Any:
    return sha256(value) if isinstance(value, Path) else value


def code_of(*plugins: object) -> str:
    """SHA-256 over the code that plug-ins are made of: their files, and all of ours they import."""
    files: dict[str, Path] = {}
    for plugin in plugins:
        for cls in type(plugin).__mro__:
            _collect(cls.__module__, _file_of(cls), files)
    digest = hashlib.sha256()
    for path in sorted(files.values(), key=lambda path: path.name):
        digest.update(path.name.encode() + b"\0" + _source(path))
    return digest.hexdigest()


@cache
def _source(path: Path) -> bytes:
    """A file of code, read once: a process runs what it imported, whatever is edited meanwhile."""
    return path.read_bytes()


def _file_of(cls: type) -> Path | None:
    """The file of a class that is part of this package or of a plug-in."""
    module = sys.modules.get(cls.__module__)
    if module is None or cls.__module__.partition(".")[0] in sys.stdlib_module_names:
        return None
    try:
        return Path(inspect.getfile(cls))
    except (OSError, TypeError):  # made in a notebook, or built in
        return None


def _collect(module: str, path: Path | None, files: dict[str, Path]) -> None:
    """Add a module's file and those that it imports of this package, by module."""
    if path is None or not path.is_file() or module in files:
        return
    files[module] = path
    for name in _imports(path, module):
        spec = find_spec(name) if name.startswith("sambench") else None
        if spec is not None and spec.origin is not None:
            _collect(name, Path(spec.origin), files)


@cache
def _imports(path: Path, module: str) -> tuple[str, ...]:
    """Modules that a file imports anywhere in it; names imported from a package may be modules."""
    found: list[str] = []
    for node in ast.walk(ast.parse(_source(path))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += _imported_from(node, module)
    return tuple(dict.fromkeys(found))


def _imported_from(node: ast.ImportFrom, module: str) -> Iterable[str]:
    base = node.module or ""
    if node.level:
        package = module.rpartition(".")[0]
        if not package:
            return
        base = resolve_name("." * node.level + base, package)
    if not base.startswith("sambench"):
        return
    yield base
    yield from (f"{base}.{alias.name}" for alias in node.names if _is_module(base, alias.name))


def _is_module(package: str, name: str) -> bool:
    """Whether a name imported from a package is a module of it."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return any((Path(folder) / f"{name}.py").is_file() for folder in folders or ())
