"""Which datasets and tasks go together: a task needs a type of truth that the dataset has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from inspect import getattr_static
from typing import Any

from sambench.data.sources import READY, sources, status
from sambench.errors import UserError
from sambench.interfaces import Dataset, Model
from sambench.registry import entries, find

HERE, FETCHED, BY_HAND = "here", "sambench data fetch", "by hand"


def datasets_with(truth: type) -> dict[str, type[Dataset]]:
    """The datasets that may have a type of truth, by name; what cannot be imported is left out."""
    return {name: cls for name, cls in _classes("dataset") if truth in cls.truths}


def tasks_with(truths: Iterable[type]) -> list[str]:
    """The tasks that need one of several types of truth; what cannot be imported is left out."""
    known = tuple(truths)
    return [name for name, cls in _classes("task") if cls.truth in known]


def tasks_of(model: type[Model]) -> list[str]:
    """The tasks that a model can do with default options, by prompts or a method of its own."""
    return [
        name
        for name, cls in _classes("task")
        if cls().needs <= model.prompts or (cls.direct and hasattr(model, cls.direct))
    ]


def methods_of(model: Model) -> list[str]:
    """Names of the methods by which a model does a task itself, such as boundaries."""
    if type(model).direct is Model.direct and not _own_methods(model):
        return []  # no task needs to be asked
    asked = {entry.direct for entry in entries("task") if entry.direct}
    return sorted(method for method in asked if model.direct(method) is not None)


def _own_methods(model: Model) -> list[str]:
    """What a model offers to be called that not every model does; nothing of it is computed."""
    offered = (name for name in dir(model) if not name.startswith("_"))
    own = {name: getattr_static(model, name) for name in offered if not hasattr(Model, name)}
    return [name for name, value in own.items() if callable(value) or isinstance(value, property)]


def alternatives(truth: type, dataset: Dataset) -> str:
    """Datasets that have a truth which this one lacks, and tasks that it serves, in words."""
    having = datasets_with(truth)
    there = by_effort(having)
    if len(there) > 1:
        there.pop(BY_HAND, None)
    named = [f"{' or '.join(names)} ({words})" for words, names in there.items()]
    own = [name for name, cls in having.items() if cls.card.own]
    named += [f"your own data as {' or '.join(own)}"] if own else []
    tasks = tasks_with(dataset.truths)
    served = f"; {dataset.card.name} serves {', '.join(tasks)}" if tasks else ""
    return (f"choose {', '.join(named)}" if named else "choose another dataset") + served


def by_effort(datasets: dict[str, type[Dataset]]) -> dict[str, list[str]]:
    """Names of datasets by what it takes to have them, in words; the least effort first.

    People's own data are left out.
    """
    found: dict[str, list[str]] = {HERE: [], FETCHED: [], BY_HAND: []}
    for name, cls in datasets.items():
        if not cls.card.own:
            ready, fetched = status(cls) == READY, bool(sources(cls))
            found[HERE if ready else FETCHED if fetched else BY_HAND].append(name)
    return {words: names for words, names in found.items() if names}


def _classes(kind: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for entry in entries(kind):
        with contextlib.suppress(UserError):
            found.append((entry.name, find(kind, entry.name)))
    return found
