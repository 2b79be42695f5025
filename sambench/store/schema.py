"""Typed files: the layout of a result, and one sentence about what in a file is not as typed.

The types are those of msgspec, from which the JSON Schema is generated; nothing else says what a
file of ours must look like. Reading asks for the types alone; fields that are missing without harm,
or that a later version added, are accepted.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal, TypeVar

import msgspec

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.shown import Metric

T = TypeVar("T")
SCHEMA = 1
"""Version of the layout of results."""
LATER = frozenset({"declared"})
"""Fields that older files lack, which were written before they were known."""
REMEDY = "docs/result-schema.md says what belongs there"
_STEP = re.compile(r"\.(\w+)|\[(\d+|\.{3})\]")


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A metric's value with its 95 % interval; null where it is not defined.

    Where the interval is withheld, it says why; bias is how much too high the value may be.
    """

    value: float | None
    low: float | None
    high: float | None
    withheld: str = ""
    bias: float | None = None

    def __post_init__(self) -> None:
        if not all(
            math.isfinite(each or 0) for each in (self.value, self.low, self.high, self.bias)
        ):
            raise ValueError("Expected finite numbers or null")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"The interval ends before it begins: {self.low} > {self.high}")


class Protocol(msgspec.Struct, frozen=True, kw_only=True):
    """The protocol card: every choice that moves a number."""

    task: JSON
    model: JSON
    dataset: JSON
    preset: str = ""
    plugins: dict[str, str] = {}
    code: dict[str, str] = {}
    sambench: str = ""


class ResultFile(msgspec.Struct, frozen=True, kw_only=True):
    """A measured result, <task>/<dataset>/<model>.json."""

    schema: Literal[1]
    complete: bool = True
    task: str
    model: str
    dataset: str
    metric: str
    images: int
    metrics: dict[str, Interval]
    protocol: Protocol
    failed: dict[str, str] = {}
    timing: JSON = {}
    environment: JSON = {}
    note: str = ""
    details: JSON = {}
    declared: tuple[Metric, ...] = ()


def parse(data: Any, kind: type[T], source: str, remedy: str = REMEDY) -> T:
    """JSON values as a type.

    Args:
        data: what was read.
        kind: a type of msgspec.
        source: what to call the data in a message: the path of the file.
        remedy: what to do about it, the end of the sentence.

    Raises:
        UserError: something is not of its type; the place is named, such as $.metrics.mIoU.low.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        reason = str(error).partition(" - at `")[0]
        place = _named(_place(data, kind, str(error)))
        words = reason[0].lower() + reason[1:]
        raise UserError(f"{source}, at {place}: {words}; {remedy}.") from None


def json_schema(kind: type) -> JSON:
    """The JSON Schema (2020-12) of a type."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **msgspec.json.schema(kind),
    }


def _place(data: Any, kind: type, message: str) -> list[str | int]:
    """Keys and numbers that lead to what an error is about.

    msgspec leaves out the keys of dictionaries: it is the first with which alone the error stays.
    """
    found: list[str | int] = []
    inner = data
    for name, item in _STEP.findall(message.partition(" - at `")[2]):
        step: str | int = int(item) if item.isdigit() else name
        if item == "...":
            step = next(
                (key for key in inner if _error(_with_only(data, found, key), kind) == message),
                item,
            )
        found.append(step)
        if step == "...":
            break
        inner = inner[step]
    return found


def _error(data: Any, kind: type) -> str:
    try:
        msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _with_only(data: Any, path: list[str | int], key: str) -> Any:
    """JSON values of which the object at a path keeps nothing but one key."""
    if not path:
        return {key: data[key]}
    first, *rest = path
    inner = _with_only(data[first], rest, key)
    if isinstance(data, dict):
        return {**data, first: inner}
    return [inner if number == first else each for number, each in enumerate(data)]


def _named(path: list[str | int]) -> str:
    """A path as text, such as $.rows[2].values; a key that is not a word is in brackets."""
    steps = (
        f".{step}" if isinstance(step, str) and re.fullmatch(r"\w+", step) else f"[{step!r}]"
        for step in path
    )
    return "".join(["$", *steps])


def inconsistencies(data: JSON, source: str) -> list[str]:
    """What is wrong with a result that is to be committed, in sentences; empty if it is right.

    Args:
        data: the JSON values of the file.
        source: its path, for the sentences.
    """
    try:
        file = parse(data, ResultFile, source)
    except UserError as error:
        return [str(error)]
    fields = ResultFile.__struct_fields__
    stated = {
        "model": file.protocol.model.get("label", file.protocol.model.get("name")),
        "dataset": file.protocol.dataset.get("label", file.protocol.dataset.get("name")),
    }
    found = [
        *(f"lacks {name!r}" for name in fields if name not in {*data, *LATER}),
        *(f"has the unknown field {name!r}" for name in sorted(data.keys() - set(fields))),
        *(f"names another {part} in its protocol" for part in stated if stated[part] != data[part]),
    ]
    if not file.protocol.sambench:
        found.append("lacks 'protocol.sambench'")
    if file.metric not in file.metrics:
        found.append(f"ranks by {file.metric!r}, which is not among its metrics")
    if file.images < 1:
        found.append("scores no image")
    if file.complete != (not file.failed):
        found.append("says it is complete although images failed, or the other way round")
    return [f"{source} {each}; {REMEDY}." for each in found]
