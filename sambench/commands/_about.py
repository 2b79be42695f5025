"""All that is known of a plug-in before it is used: for ``sambench list NAME`` and ``--json``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from sambench.data.fitting import datasets_with, tasks_of, tasks_with
from sambench.data.sources import download_size, status
from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset, Model, Task
from sambench.options import Option, described
from sambench.prompts import KINDS
from sambench.registry import Entry, find

INDENT = " " * 4


def about(kind: str, entry: Entry) -> JSON:
    """What a plug-in says of itself, as JSON values.

    Args:
        kind: model, task or dataset.
        entry: its line in the list.
    """
    known: JSON = {"kind": kind, **dataclasses.asdict(entry)}
    try:
        cls: Any = find(kind, entry.name)
    except UserError as error:
        return known | {"error": known["error"] or str(error)}
    more = {"model": _of_model, "task": _of_task, "dataset": _of_dataset}[kind](cls)
    options = [_option(option) for option in described(cls)]
    return known | more | {"options": options}


def _option(option: Option) -> JSON:
    default = option.default
    plain = default if isinstance(default, bool | int | float | str | None) else str(default)
    return {**dataclasses.asdict(option), "default": plain}


def _of_model(cls: type[Model]) -> JSON:
    return {
        "prompts": [kind for kind in KINDS if kind in cls.prompts],
        "tasks": tasks_of(cls),
        "licence": getattr(cls, "licence", ""),
        "citation": getattr(cls, "citation", ""),
    }


def _of_task(cls: type[Task]) -> JSON:
    metrics = cls().metrics
    return {
        "truth": cls.truth.__name__,
        "datasets": list(datasets_with(cls.truth)),
        "metrics": {metric.name: metric.description for metric in metrics},
        "paper": cls.paper,
        "protocol": {name: str(value) for name, value in cls.facts.items()},
        "presets": {name: _plain(preset) for name, preset in cls.presets.items()},
        "left_open": {name: list(open_) for name, open_ in cls.left_open.items()},
    }


def _of_dataset(cls: type[Dataset]) -> JSON:
    card = dataclasses.asdict(cls.card)
    return {
        "status": status(cls),
        "download": download_size(cls),
        "card": card | {"expected": dict(cls.card.expected)},
        "truths": [truth.__name__ for truth in cls.truths],
        "tasks": tasks_with(cls.truths),
    }


def _plain(options: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in options.items()}


def lines(known: JSON) -> Iterator[str]:
    """What `about` gave, for people."""
    kind, name = known["kind"], known["name"]
    origin = "" if known["origin"] == "built-in" else f" [{known['origin']}]"
    yield f"{kind} {name}{origin}"
    yield f"  {known['summary']}"
    if known["error"]:
        yield f"  UNUSABLE: {known['error']}"
        return
    facts = known | known.get("card", {})
    for label, key in FACTS[kind].items():
        value = facts[key]
        if value and value != name:
            yield f"  {label}: {_words(value)}"
    for title, key in ENTRIES.items():
        entries = known.get(key, {})
        yield from [f"  {title}:"] if entries else []
        for one, text in entries.items():
            yield f"{INDENT}{one}: {_words(text) or 'the defaults'}"
    yield from _option_lines(kind, name)


FACTS = {
    "model": {
        "prompts": "prompts", "tasks": "tasks", "needs": "requires", "licence": "licence",
        "citation": "citation",
    },
    "task": {"needs": "truth", "datasets that have it": "datasets", "the paper's": "paper"},
    "dataset": {
        "title": "title", "split": "split", "licence": "licence", "citation": "citation",
        "homepage": "homepage", "expected": "expected", "note": "note", "layout": "layout",
        "status": "status", "download": "download", "to get it": "steps", "has": "truths",
        "tasks": "tasks",
    },
}  # fmt: skip
"""What is shown of each kind, by label, before its options."""
ENTRIES = {
    "metrics": "metrics", "protocol": "protocol", "presets": "presets",
    "what the papers of presets leave open": "left_open",
}  # fmt: skip
"""What is shown entry by entry, by title."""


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={each}" for key, each in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def _option_lines(kind: str, name: str) -> Iterator[str]:
    """Each option with what it takes, its default and what it is for."""
    options = described(find(kind, name))
    if not options:
        yield "  options: none"
        return
    flags = f", or --NAME VALUE after sambench run --task {name}" if kind == "task" else ""
    yield f"  options, as {name}:NAME=VALUE,NAME=VALUE{flags}:"
    for option in options:
        default = f"; default: {option.default_text}" if option.default_text else ""
        yield f"{INDENT}{option.name}  ({option.takes}{'; required' * option.required}{default})"
        if option.description:
            yield f"{INDENT * 2}{option.description}"
