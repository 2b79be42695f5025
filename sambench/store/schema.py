"""The fields of a result file, their types, and what must agree in it."""

import math
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any

from sambench.interfaces import JSON
from sambench.shown import MOST_DECIMALS

SCHEMA = 1
"""Version of the description in docs/result-schema.md."""
TYPES: dict[str, type] = {
    "schema": int, "complete": bool, "task": str, "model": str, "dataset": str, "metric": str,
    "images": int, "metrics": dict, "protocol": dict, "failed": dict, "timing": dict,
    "environment": dict, "note": str, "details": dict, "declared": list,
}  # fmt: skip
LATER = frozenset({"declared"})
"""Fields that files of this schema may lack, for they were written before these were known."""
METRIC: dict[str, type | UnionType] = {
    "name": str, "description": str, "unit": str, "higher_is_better": bool | None,
    "decimals": int | None, "group": str, "member": str, "of": str,
}  # fmt: skip
"""Fields of a declared metric; the first two are needed."""
REQUIRED = frozenset({"task", "model", "dataset", "metric", "images", "metrics", "protocol"})
"""Fields without which there is no result."""
PROTOCOL = {"task": dict, "model": dict, "dataset": dict, "sambench": str}


def content_problems(data: Any) -> Iterator[str]:
    """What is wrong with the content of a result file, each completing a sentence about it."""
    if not isinstance(data, dict):
        yield "is no JSON object"
        return
    structure = list(_structure(data))
    yield from structure
    if structure:
        return
    yield from _metrics(data)
    yield from declared_problems(data.get("declared", []))
    yield from _consistency(data)


def unreadable(data: Any) -> Iterator[str]:
    """What keeps a result file from being read: parts of another type than they must have.

    A part that is missing without harm is no reason; `content_problems` asks for all of them.
    """
    if not isinstance(data, dict):
        yield "is no JSON object"
        return
    for name, wanted in TYPES.items():
        if name in data or name in REQUIRED:
            yield from _typed(data, name, wanted, name)
    protocol = data.get("protocol")
    for name in ("task", "model", "dataset"):
        if isinstance(protocol, dict) and name in protocol:
            yield from _typed(protocol, name, dict, f"protocol.{name}")
    if isinstance(data.get("metrics"), dict):
        yield from _metrics(data)
    if isinstance(data.get("declared"), list):
        yield from declared_problems(data["declared"])


def declared_problems(declared: list[Any]) -> Iterator[str]:
    """What is wrong with a list of declared metrics, each completing a sentence about its file."""
    for item in declared:
        if not isinstance(item, dict) or not {"name", "description"} <= item.keys():
            yield "declares a metric without name and description"
        elif set(item) - set(METRIC):
            yield f"declares metric {item['name']!r} with an unknown field"
        elif not all(isinstance(value, METRIC[key]) for key, value in item.items()):
            yield f"declares metric {item['name']!r} with a field of another type"
        elif not 0 <= (item.get("decimals") or 0) <= MOST_DECIMALS:
            yield f"declares metric {item['name']!r} with {item['decimals']} decimals, not 0 to 10"


def _structure(data: JSON) -> Iterator[str]:
    for name in sorted(set(data) - set(TYPES)):
        yield f"has the unknown field {name!r}"
    for name, wanted in TYPES.items():
        if name in data or name not in LATER:
            yield from _typed(data, name, wanted, name)
    for name, wanted in PROTOCOL.items():
        if isinstance(data.get("protocol"), dict):
            yield from _typed(data["protocol"], name, wanted, f"protocol.{name}")


def _typed(data: JSON, name: str, wanted: type, where: str) -> Iterator[str]:
    if name not in data:
        yield f"lacks {where!r}"
    elif not isinstance(data[name], wanted) or (wanted is int and isinstance(data[name], bool)):
        yield f"{where!r} is {type(data[name]).__name__}, not {wanted.__name__}"


def _metrics(data: JSON) -> Iterator[str]:
    for name, estimate in data["metrics"].items():
        if not isinstance(estimate, dict) or set(estimate) != {"value", "low", "high"}:
            yield f"metric {name!r} needs value, low and high"
        elif not all(_number_or_null(number) for number in estimate.values()):
            yield f"metric {name!r} holds what is no finite number"
        elif _reversed(estimate["low"], estimate["high"]):
            yield f"metric {name!r} has an interval that ends before it begins"


def _number_or_null(value: Any) -> bool:
    if value is None:
        return True
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < math.inf


def _reversed(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and low > high


def _consistency(data: JSON) -> Iterator[str]:
    if data["schema"] != SCHEMA:
        yield f"has schema {data['schema']}, expected {SCHEMA}"
    if data["metric"] not in data["metrics"]:
        yield f"ranks by {data['metric']!r}, which is not among its metrics"
    if data["images"] < 1:
        yield "scores no image"
    if data["complete"] != (not data["failed"]):
        yield "says it is complete although images failed, or the other way round"
    for part in ("model", "dataset"):
        stated = data["protocol"][part]
        if stated.get("label", stated.get("name")) != data[part]:
            yield f"names another {part} in its protocol"


def has_types(value: Any, kinds: Mapping[str, type]) -> bool:
    """Whether a JSON value is an object whose parts are of these types."""
    return isinstance(value, dict) and all(
        isinstance(value.get(key), kind) for key, kind in kinds.items()
    )
