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
from typing import Annotated, Any, get_args, get_origin, get_type_hints

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
