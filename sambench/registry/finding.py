"""From the name of a plug-in to its class: a file of ours, an entry point, or a path."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from sambench.errors import UserError, nearest
from sambench.interfaces import Dataset, Model, Task
from sambench.options import option_types
from sambench.registry.files import broken, import_file

BASES: dict[str, type] = {"model": Model, "task": Task, "dataset": Dataset}
FOLDERS = {"model": "sambench.model", "task": "sambench.tasks", "dataset": "sambench.datasets"}
BUILT_IN = "built-in"
STATED = ("requires", "direct")
"""Class variables of plug-ins that an `Entry` has."""
RESERVED = frozenset({
    "actors", "address", "all", "batch", "cache", "cache_half", "cache_size", "dataset", "device",
    "embedding_cache", "engine", "fresh", "gpus", "help", "ids", "images", "json", "limit", "model",
    "name", "only", "options", "output", "patience", "precision", "predictions", "preset",
    "progress", "published", "quiet", "resamples", "result", "shard", "task", "untrained",
    "verbose", "with", "workers",
})  # fmt: skip
"""Names that no option of a task may bear: arguments of `evaluate` and of commands have them."""


@dataclass(frozen=True)
class Entry:
    """One line of ``sambench list``.

    Attributes:
        name: what to type.
        summary: first line of its docstring.
        origin: "built-in", or the package it comes from.
        error: why it cannot be used, or "".
        requires: what has to be installed or is downloaded, in words.
        direct: of a task, the method by which a model may do it itself, or "".
    """

    name: str
    summary: str
    origin: str = BUILT_IN
    error: str = ""
    requires: str = ""
    direct: str = ""


def entries(kind: str) -> list[Entry]:
    """All plug-ins of a kind, without importing those that ship with sambench."""
    ours = (_file_entry(path, path.lstat().st_mtime_ns) for path in _files(kind).values())
    return sorted([*ours, *_package_entries(kind)], key=_by_name)


def names(kind: str) -> list[str]:
    """All names of a kind (model, task or dataset)."""
    return sorted({*_files(kind), *(point.name for point in _entry_points(kind))})


def find(kind: str, name: str) -> type:
    """The class of a plug-in.

    Raises:
        UserError: the plug-in is unknown, or cannot be imported or used; the reason is given.
    """
    if name.endswith(".py"):
        return _class_in(kind, import_file(kind, Path(name)), name)
    return installed(kind, name)


def installed(kind: str, name: str) -> type:
    """The class of a plug-in that ships with sambench or an installed package: no path will do.

    Raises:
        UserError: as `find`.
    """
    if name in _files(kind):
        return _class_in(kind, _import(f"{FOLDERS[kind]}.{name}", name), name)
    for point in _entry_points(kind):
        if point.name == name:
            return _load_entry_point(kind, point)
    raise UserError(f"there is no {kind} named {name!r}; {nearest(name, names(kind))}")


def _files(kind: str) -> dict[str, Path]:
    """Plug-in files of the kind's folder by name; a leading underscore marks a shared helper."""
    spec = importlib.util.find_spec(FOLDERS[kind])
    folders = [Path(p) for p in spec.submodule_search_locations or ()] if spec else []
    files = (path for folder in folders for path in sorted(folder.glob("*.py")))
    return {path.stem: path for path in files if not path.stem.startswith("_")}


def _by_name(entry: Entry) -> str:
    return entry.name


@cache
def _file_entry(path: Path, changed: int) -> Entry:
    """What a file says of its plug-in; one that was changed since is read again."""
    del changed
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, OSError) as error:
        return Entry(path.stem, "", error=f"{path} cannot be read: {error}")
    doc, said = ast.get_docstring(tree) or "", _texts(tree)
    stated = {name: said.get(name, "") for name in STATED}
    return Entry(path.stem, doc.partition("\n")[0], **stated)


def _texts(tree: ast.Module) -> dict[str, str]:
    """The class variables that are texts, by name, without an import of what they speak of."""
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return {
        target.id: node.value.value
        for node in (node for cls in classes for node in cls.body)
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def _package_entries(kind: str) -> Iterator[Entry]:
    for point in _entry_points(kind):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        try:
            cls = _load_entry_point(kind, point)
        except UserError as error:
            yield Entry(point.name, "", package, str(error))
        else:
            summary = (cls.__doc__ or "").partition("\n")[0]
            stated = {name: getattr(cls, name, "") for name in STATED}
            yield Entry(point.name, summary, package, **stated)


def _entry_points(kind: str) -> list[EntryPoint]:
    return list(_all_entry_points(tuple(sys.path)).select(group=f"sambench.{kind}s"))


@cache
def _all_entry_points(path: tuple[str, ...]) -> Any:
    """Those of all packages; each time it reads what every one of them says of itself."""
    del path  # what they were found on: another one is another answer
    return entry_points()


def _load_entry_point(kind: str, point: EntryPoint) -> type:
    try:
        found = point.load()
    except Exception as error:  # another package's code may raise anything
        raise broken(point.value, error) from error
    return _checked(kind, found, point.value)


def _import(module: str, name: str) -> types.ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:  # a plug-in may raise anything; its reason is passed on
        raise broken(name, error) from error


def _class_in(kind: str, module: types.ModuleType, name: str) -> type:
    """The one class of the kind that the module itself defines."""
    base = BASES[kind]
    found = [
        value
        for key, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and not key.startswith("_")
    ]
    if len(found) != 1:
        count = ", ".join(sorted(cls.__name__ for cls in found)) or "none"
        raise UserError(f"{name} must define one {base.__name__} subclass; it defines {count}.")
    return _checked(kind, found[0], name)


def _checked(kind: str, found: Any, name: str) -> type:
    """A class that can be made and used.

    Raises:
        UserError: it is not of the kind, lacks a method, or has an option that a command has too.
    """
    if not (isinstance(found, type) and issubclass(found, BASES[kind])):
        raise UserError(
            f"{name} is not a subclass of sambench.interfaces.{BASES[kind].__name__}; make it one."
        )
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise UserError(f"{name} does not implement {', '.join(missing)}; add it.")
    taken = [key for key in option_types(found) if key in RESERVED] if kind == "task" else []
    if taken:
        raise UserError(
            f"{name} has an option {taken[0]!r}, but that is the name of an argument of sambench's "
            "commands or of sambench.evaluate; rename the field."
        )
    return found
