"""Options as the user types them, ``name:key=value,...`` -> keyword arguments of their types."""

from __future__ import annotations

import inspect
import math
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from sambench.errors import UserError, choices, nearest
from sambench.options import check_ranges, option_types

_KEY = re.compile(r"[A-Za-z_]\w*=")
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
_NUMBERS = {int: "a whole number", float: "a number"}


def split_spec(spec: str) -> tuple[str, dict[str, str]]:
    """``name:value,key=value`` -> name and options; a value without a key has the key ``""``.

    Raises:
        UserError: an option is given twice.
    """
    name, _, rest = spec.partition(":")
    options: dict[str, str] = {}
    key = ""
    for part in filter(None, rest.split(",")):
        if options and not _KEY.match(part):  # a path with a comma in it
            options[key] += f",{part}"
            continue
        key, equals, value = part.partition("=")
        key, value = (key, value) if equals and _KEY.match(part) else ("", part)
        if key in options:
            raise UserError(f"{spec!r} gives {key or 'an option without a name'} twice; give one.")
        options[key] = value
    return name, options


def resolve(cls: type, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as typed by the user -> keyword arguments of the right types, presets filled in.

    Raises:
        UserError: an option is unknown or missing, or its value has a wrong type or range.
    """
    known = option_types(cls)
    given = dict(options)
    if "" in given:
        if not known:
            raise UserError(f"{name} takes no options, but {given['']!r} was given.")
        given[next(iter(known))] = given.pop("")
    preset = _preset(cls, name, given.pop("preset", None))
    for key in given:
        if key not in known:
            raise UserError(f"{name} has no option {key!r}; {nearest(key, known)}")
    typed = {key: convert(value, known[key], f"{name}:{key}=") for key, value in given.items()}
    check_ranges(cls, typed, f"{name}:")
    resolved = {**preset, **typed}
    _require_options(cls, name, resolved)
    return resolved


def _require_options(cls: type, name: str, given: Mapping[str, Any]) -> None:
    """Refuse a plug-in without an option that has no default."""
    parameters = inspect.signature(cls).parameters
    lacking = [
        key
        for key in option_types(cls)
        if parameters[key].default is inspect.Parameter.empty and key not in given
    ]
    if lacking:
        example = ",".join(f"{key}=..." for key in lacking)
        raise UserError(f"{name} needs {' and '.join(lacking)}; give {name}:{example}")


def option_names(cls: Any) -> set[str]:
    """All that may be given to a task: its options, and ``preset`` if it has any."""
    return {*option_types(cls), *(["preset"] if getattr(cls, "presets", {}) else [])}


def _preset(cls: type, name: str, preset: str | None) -> dict[str, Any]:
    presets: dict[str, dict[str, Any]] = getattr(cls, "presets", {})
    if preset is None:
        return {}
    if preset not in presets:
        raise UserError(f"{name} has no preset {preset!r}; {choices(preset, presets)}")
    return dict(presets[preset])


def convert(value: Any, wanted: Any, where: str) -> Any:
    """Text -> a type; what is not text is passed on.

    Args:
        value: what was given.
        wanted: int, float, bool, str, Path, a `Literal`, or one of these or None.
        where: what stands before the value in the message, such as ``points:seed=``.

    Raises:
        UserError: it cannot be read as that type, or is not finite.
    """
    if not isinstance(value, str):
        return value
    if get_origin(wanted) in (Union, types.UnionType):
        return convert(value, next(t for t in get_args(wanted) if t is not type(None)), where)
    if get_origin(wanted) is Literal:
        return _choice(value, get_args(wanted), where)
    if wanted is bool:
        return _flag(value, where)
    if wanted in _NUMBERS:
        return _number(value, wanted, where)
    return Path(value) if wanted is Path else value


def _number(value: str, wanted: Any, where: str) -> int | float:
    try:
        number: int | float = wanted(value)
    except ValueError:
        raise UserError(f"{where}{value} is not {_NUMBERS[wanted]}; give one.") from None
    if not math.isfinite(number):
        raise UserError(f"{where}{value} is not finite; give a number.")
    return number


def _choice(value: str, known: tuple[Any, ...], where: str) -> Any:
    by_text = {str(choice): choice for choice in known}
    if value not in by_text:
        raise UserError(f"{where}{value} is not known; {choices(value, filter(None, by_text))}")
    return by_text[value]


def _flag(value: str, where: str) -> bool:
    if value.lower() not in _TRUE | _FALSE:
        raise UserError(f"{where}{value} is neither true nor false; give one of them.")
    return value.lower() in _TRUE
