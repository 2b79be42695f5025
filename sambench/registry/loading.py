"""From ``name:key=value,...`` to a plug-in that remembers what it was made from."""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from sambench.files import sha256
from sambench.options import option_types
from sambench.registry.files import PLUGIN
from sambench.registry.finding import BUILT_IN, find
from sambench.registry.options import resolve, split_spec

SPEC = "_sambench_spec"
"""Attribute of a loaded plug-in that holds its `Spec`."""


PRESET = "_sambench_preset"
"""Attribute of a loaded task that holds the name of its preset."""


@dataclass(frozen=True)
class Spec:
    """What a model or dataset was loaded as.

    Attributes:
        kind: model or dataset.
        name: of the plug-in: a path's is its stem.
        options: all arguments of its constructor, defaults included.
        changed: names of the options that differ from the default.
        label: what to call it, "" where the user did not say.
        text: how it was named: ``name:key=value,...``.
    """

    kind: str
    name: str
    options: Mapping[str, Any]
    changed: tuple[str, ...]
    label: str = ""
    text: str = ""


def load(kind: str, spec: str, **overrides: Any) -> Any:
    """Make a plug-in from ``name:key=value,...``; overrides are options given otherwise.

    Raises:
        UserError: unknown plug-in, unknown option, or a value of the wrong type or out of range.
    """
    name, given = split_spec(spec)
    plugin = construct(kind, name, {**given, **overrides})
    made = spec_of(plugin)
    if made is not None:
        object.__setattr__(plugin, SPEC, replace(made, text=spec))
    return plugin


def construct(kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """Make a plug-in from its name and options, and note on it what it was made from.

    Raises:
        UserError: as `load`.
    """
    cls = find(kind, name)
    given = dict(options)
    label = str(given.get("name", ""))
    if kind != "task" and "name" not in option_types(cls):
        given.pop("name", None)
    arguments = resolve(cls, name, given)
    plugin = cls(**arguments)
    if kind != "task":
        signature = inspect.signature(cls)
        bound = signature.bind(**arguments)
        bound.apply_defaults()
        defaults = {p.name: p.default for p in signature.parameters.values()}
        changed = tuple(k for k, v in bound.arguments.items() if v != defaults[k] and k != "name")
        spec = Spec(kind, plain(name), dict(bound.arguments), changed, label)
        object.__setattr__(plugin, SPEC, spec)
    elif "preset" in given:
        object.__setattr__(plugin, PRESET, given["preset"])
    return plugin


def preset_of(task: object) -> str:
    """The preset that a task was loaded with, "" if none; options may differ from it."""
    found: str = getattr(task, PRESET, "")
    return found


def spec_of(plugin: object) -> Spec | None:
    """What a model or dataset was loaded as; None if it was made by hand."""
    found: Spec | None = getattr(plugin, SPEC, None)
    return found


def with_option(plugin: Any, key: str, value: Any) -> Any:
    """A copy of a plug-in that says it was given one more option, by whatever stands around it."""
    copied, spec = copy.copy(plugin), spec_of(plugin)
    if spec is not None:
        options = {**spec.options, key: value}
        object.__setattr__(
            copied, SPEC, replace(spec, options=options, changed=(*spec.changed, key))
        )
    return copied


def plain(name: str) -> str:
    """The name of a plug-in as part of a file's name: that of a path is its stem."""
    return Path(name).stem if name.endswith(".py") else name.replace("/", "_")


def origin(plugin: object) -> str:
    """Where a plug-in comes from: built-in, its file with its SHA-256, or its package's version."""
    module = type(plugin).__module__
    if module.startswith("sambench."):
        return BUILT_IN
    if module.startswith(PLUGIN):
        path = Path(str(sys.modules[module].__file__))
        return f"{path.name}, SHA-256 {sha256(path)}"
    packages = _packages(tuple(sys.path)).get(module.partition(".")[0], [])
    return ", ".join(f"{name} {version(name)}" for name in packages) or module


@cache
def _packages(path: tuple[str, ...]) -> Mapping[str, list[str]]:
    """Package of each top-level module; finding out takes seconds where many are installed."""
    del path  # what it was found on: another one is another answer
    return packages_distributions()
