"""What may be compared with what: a key over every choice that moves a number.

Two results share a key only if they differ in nothing but the model. A published table has a key of
its own, because what its paper leaves open cannot be known to agree.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sambench.interfaces import JSON
from sambench.report.published import PublishedTable
from sambench.store.plan import PROMPTS
from sambench.store.result import Result

LENGTH = 10
"""Hexadecimal digits of a key."""


def protocol_fields(result: Result) -> JSON:
    """Every choice behind a result but the model itself, by dotted name."""
    card = flatten({name: part for name, part in result.protocol.items() if name != "model"})
    fields = {"task": result.task, **card}
    fields.pop("plugins.model", None)  # where the model comes from is part of the model
    for part in ("task", "dataset"):  # a comment in its file moves nothing; its code is compared
        if f"code.{part}" in fields:
            fields.pop(f"plugins.{part}", None)
    for name in ("dataset.label", "preset"):  # what it is called moves nothing
        fields.pop(name, None)
    fields["dataset.scored"] = result.images
    if result.failed:
        fields["dataset.failed"] = sorted(result.failed)
    return fields


_PROMPTS = f"task.{PROMPTS}"


def without_prompts(fields: JSON) -> bool:
    """Whether the fields are of a model that gives the task's prediction itself."""
    return _PROMPTS in fields


def agree(direct: JSON, prompted: JSON) -> bool:
    """Whether a protocol without prompts is that of prompted models but for their prompts."""
    own = {name: value for name, value in direct.items() if name != _PROMPTS}
    return all(name in prompted and prompted[name] == value for name, value in own.items())


def published_fields(table: PublishedTable) -> JSON:
    """What is known of the protocol behind a published table, by dotted name."""
    return {
        "task": table.task,
        "source": table.name,
        "dataset.name": table.dataset,
        **{f"task.{name}": value for name, value in {**table.options, **table.facts}.items()},
        **({"unknown": list(table.unknown)} if table.unknown else {}),
    }


def comparability_key(fields: Mapping[str, Any]) -> str:
    """Short hash of the fields: results of equal key may stand in one table."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def differing_fields(protocols: Mapping[str, JSON]) -> dict[str, dict[str, Any]]:
    """Fields in which protocols differ.

    Args:
        protocols: key -> fields.

    Returns:
        Field -> key -> value, None where a protocol does not have it; in order of appearance.
    """
    names = dict.fromkeys(name for fields in protocols.values() for name in fields)
    values = {name: {key: p.get(name) for key, p in protocols.items()} for name in names}
    return {
        name: by_key
        for name, by_key in values.items()
        if len({json.dumps(value, sort_keys=True) for value in by_key.values()}) > 1
    }


def flatten(value: JSON, prefix: str = "") -> JSON:
    """Nested objects -> one level of dotted names."""
    flat: JSON = {}
    for name, item in value.items():
        if isinstance(item, dict):
            flat |= flatten(item, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = item
    return flat
