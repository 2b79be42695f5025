"""What options a plug-in has: their types, the numbers they take, and what they are for.

Options are the parameters of a class's constructor, or the fields of a dataclass. A numeric option
carries its bounds in its annotation, ``points: Annotated[int, Range(1)] = 1``; its help is the
entry of that name in the class's docstring. This module refuses and describes; no number passes
through it.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from sambench.errors import UserError


@dataclass(frozen=True)
class Range:
    """The numbers that an option takes; a bound that is None does not exist.

    Attributes:
        least: the smallest.
        most: the largest.
        above: all are above this.
        below: all are below this.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def __str__(self) -> str:
        """Such as "1 or more", "0 to 1", "above 0", "0 or more and below 1"."""
        if self.least is not None and self.most is not None:
            return f"{_short(self.least)} to {_short(self.most)}"
        bounds = {
            "{} or more": self.least,
            "above {}": self.above,
            "{} or less": self.most,
            "below {}": self.below,
        }
        return " and ".join(t.format(_short(n)) for t, n in bounds.items() if n is not None)

    def check(self, value: float, option: str) -> None:
        """Refuse a number outside.

        Args:
            value: the number.
            option: the option with its value, as the user gave it; what the message begins with.

        Raises:
            UserError: it lies outside, or is not a number (NaN).
        """
        high_enough = (self.least is None or value >= self.least) and (
            self.above is None or value > self.above
        )
        low_enough = (self.most is None or value <= self.most) and (
            self.below is None or value < self.below
        )
        if not (high_enough and low_enough):
            size = "large" if high_enough else "small"
            raise UserError(f"{option} is too {size}; give {self}.")


def _short(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


@cache
def hints_of(cls: type) -> Mapping[str, Any]:
    """Annotations of a class's options by name, in order, with what `Annotated` adds to them."""
    parameters = list(inspect.signature(cls).parameters.values())
    keywords = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    owner = next(base for base in cls.__mro__ if "__init__" in vars(base))
    hints = get_type_hints(cls, include_extras=True)
    # What a dataclass generates knows the names of its own module, but not those of its bases'.
    generated = vars(owner).get("__dataclass_params__")
    if generated is None or not generated.init:
        constructor = inspect.getattr_static(owner, "__init__")
        hints |= get_type_hints(constructor, include_extras=True)
    return {p.name: hints.get(p.name, str) for p in parameters if p.kind in keywords}


def option_types(cls: type) -> dict[str, Any]:
    """Names of a class's options with their types, in order."""
    return {name: plain_type(hint) for name, hint in hints_of(cls).items()}


def plain_type(annotation: Any) -> Any:
    """An annotation without what `Annotated` adds."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def range_of(annotation: Any) -> Range | None:
    """The bounds in an annotation, if there are any."""
    extras = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return next((extra for extra in extras if isinstance(extra, Range)), None)


@dataclass(frozen=True)
class Option:
    """An option as its class describes it.

    Attributes:
        name: of the parameter or field.
        type: what it takes, in words; "" where `choices` say it.
        choices: all that it takes, if they are few.
        range: the numbers that it takes, in words; "" where there are no bounds.
        default: the value if it is not given; None also where `required`.
        required: it must be given.
        description: what it is for, without a full stop.
    """

    name: str
    type: str
    choices: tuple[Any, ...]
    range: str
    default: Any
    required: bool
    description: str

    @property
    def default_text(self) -> str:
        """The default as one types it; "" where there is none."""
        return "" if self.default is None else typed(self.default)

    @property
    def takes(self) -> str:
        """Choices, or type and range: ``whole number, 1 or more``."""
        words = ", ".join(map(str, self.choices)) or self.type
        return f"{words}, {self.range}" if self.range else words


def typed(value: Any) -> str:
    """A value of an option as one types it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


_TYPES = {bool: "true or false", int: "whole number", float: "number", Path: "path", str: "text"}


def described(cls: type) -> tuple[Option, ...]:
    """All options of a class, in order."""
    texts, parameters = descriptions(cls), inspect.signature(cls).parameters
    found = []
    for name, hint in hints_of(cls).items():
        kind, default = plain_type(hint), parameters[name].default
        parts = [part for part in get_args(kind) if part is not type(None)]
        literal = get_origin(kind) is Literal
        kind = kind if literal or not parts else plain_type(parts[0])
        required = default is inspect.Parameter.empty
        found.append(
            Option(
                name,
                "" if literal else _TYPES.get(kind, getattr(kind, "__name__", str(kind))),
                get_args(kind) if literal else (),
                str(range_of(hint) or ""),
                None if required else default,
                required,
                texts.get(name, "").rstrip("."),
            )
        )
    return tuple(found)


def check_ranges(cls: type, values: Mapping[str, Any], owner: str = "") -> None:
    """Refuse numbers outside the range of their option; None and texts have none.

    Args:
        cls: whose options they are.
        values: by option.
        owner: what stands before the option in the message, such as ``points:``.

    Raises:
        UserError: a number lies outside; the option, its value and its range are named.
    """
    for name, annotation in hints_of(cls).items():
        bounds, value = range_of(annotation), values.get(name)
        if bounds is not None and isinstance(value, int | float):
            bounds.check(value, f"{owner}{name}={value}")


def check_fields(options: Any) -> None:
    """Refuse a dataclass that holds numbers outside the range of their field.

    Raises:
        UserError: see `check_ranges`.
    """
    check_ranges(type(options), vars(options))


def descriptions(cls: type) -> dict[str, str]:
    """What the docstrings of a class and of its bases say about each option."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= _entries(inspect.cleandoc(vars(base).get("__doc__") or ""))
    return found


def _entries(doc: str) -> dict[str, str]:
    """The entries of a docstring's section ``Attributes:`` or ``Args:``, each as one line."""
    found: dict[str, str] = {}
    inside, name = False, ""
    for line in doc.splitlines():
        if not line.startswith(" "):
            inside = line in {"Attributes:", "Args:"} or (inside and not line)
        elif inside and line.startswith(" " * 5):  # the entry goes on
            found[name] = f"{found[name]} {line.strip()}"
        elif inside:
            name, _, text = line.strip().partition(": ")
            found[name] = text
    return found
