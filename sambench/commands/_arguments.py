"""Arguments of commands: typed, checked as they are read, refused in one sentence.

Options of a dataclass, such as a task, become arguments of their own: type, choices, range and
default are those of the field, and the help is what the class's docstring says about it.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import takewhile
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin

from sambench.errors import UserError, choices, renamed
from sambench.options import descriptions, hints_of, plain_type, range_of, typed
from sambench.registry import convert

T = TypeVar("T")
OPTION = "option "
"""Options of a dataclass have this before their name among the parsed arguments, and no default:
only what was given is there."""


class Parser(argparse.ArgumentParser):
    """Takes no abbreviations, and raises a `UserError` where argparse would print and exit."""

    def __init__(self, prog: str, description: str | None, **more: Any) -> None:
        super().__init__(
            prog, description=description, formatter_class=_Help, allow_abbrev=False,
            exit_on_error=False, **more,
        )  # fmt: skip

    def error(self, message: str) -> NoReturn:
        """Refuse what was typed."""
        raise UserError(f"{message}; see {self.prog} --help.")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            said = f"{value} is not known; {choices(str(value), map(str, action.choices))}"
            raise argparse.ArgumentError(action, said)

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse all words.

        Raises:
            UserError: one cannot be used, or belongs to no argument.
        """
        for word in takewhile("--".__ne__, words):  # before something else is said to be missing
            if word.startswith("--"):
                self._require_flag(word)
        arguments, rest = self._read_known(words)
        for word in rest:
            if word.startswith("-"):
                self._require_flag(word)
        if rest:
            self.error(f"{rest[0]!r} belongs to no option")
        return arguments

    def _require_flag(self, word: str) -> None:
        """Refuse a flag that no argument has, with the one that was likely meant."""
        flag = word.partition("=")[0]
        known = [each for action in self._actions for each in action.option_strings]
        if flag not in known:
            close = renamed(flag, known) or get_close_matches(flag, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"see {self.prog} --help."
            raise UserError(f"{self.prog} has no option {flag}; {hint}")

    def look(self, words: Sequence[str]) -> argparse.Namespace:
        """What is understood of words; nothing is required, and what is unknown left out.

        Raises:
            UserError: a value cannot be used, or is missing.
        """
        for action in self._actions:
            action.required = False
        return self._read_known(words)[0]

    def _read_known(self, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        try:
            return self.parse_known_args(words)
        except argparse.ArgumentError as error:
            end = "" if error.message.endswith((".", "?")) else f"; see {self.prog} --help."
            name = f"{error.argument_name} " if error.argument_name else ""
            raise UserError(f"{name}{error.message}{end}") from None

    def flags(self) -> frozenset[str]:
        """The names of its options, as those of fields are written."""
        found = (flag for action in self._actions for flag in action.option_strings)
        return frozenset(flag[2:].replace("-", "_") for flag in found if flag.startswith("--"))


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help texts end in the range and the default of the argument."""

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.dest.startswith(OPTION):  # says both already
            return action.help or ""
        bounds = getattr(action.type, "range", None)
        unsaid = action.default in (argparse.SUPPRESS, None, "", []) or action.default is False
        default = "" if unsaid or not action.option_strings else f"default: {action.default}"
        return _with_notes(action.help or "", [str(bounds or ""), default])


class Typed:
    """The ``type`` of an argument: text -> the annotated type, within its range.

    Args:
        annotation: such as ``Annotated[int, Range(1)]``.
    """

    def __init__(self, annotation: Any) -> None:
        self.kind, self.range = plain_type(annotation), range_of(annotation)

    def __call__(self, text: str) -> Any:
        """Convert and check.

        Raises:
            ArgumentTypeError: as argparse wants it, where the value cannot be used.
        """
        try:
            value = convert(text, self.kind, "")
            if self.range is not None:
                self.range.check(value, text)
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return value


def add_fields(group: Any, cls: type) -> None:
    """Make an argument of each option of a dataclass."""
    add_options(group, {cls.__name__: cls}, required=True)


def add_options(group: Any, classes: Mapping[str, type], *, required: bool = False) -> None:
    """Make an argument of each option that at least one of several classes has.

    Args:
        group: of a parser.
        classes: by the name that the help tells them apart by.
        required: those without a default must be given so.
    """
    for name in dict.fromkeys(key for cls in classes.values() for key in hints_of(cls)):
        having = {label: cls for label, cls in classes.items() if name in hints_of(cls)}
        hints = _distinct(hints_of(cls)[name] for cls in having.values())
        defaults = {k: inspect.signature(cls).parameters[name].default for k, cls in having.items()}
        lacking = all(default is inspect.Parameter.empty for default in defaults.values())
        notes = [*(str(range_of(hint) or "") for hint in hints), _default(defaults)]
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"{OPTION}{name}",
            default=argparse.SUPPRESS,
            required=required and lacking,
            help=_with_notes(_description(name, having), notes),
            **_reading(name, hints),
        )


def given_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was given of the arguments that `add_options` added, by name of the option."""
    given = vars(arguments).items()
    return {key.removeprefix(OPTION): value for key, value in given if key.startswith(OPTION)}


def _reading(name: str, hints: list[Any]) -> dict[str, Any]:
    """How argparse reads an option; where types differ, each class reads the text for itself."""
    kinds = [plain_type(hint) for hint in hints]
    if all(get_origin(kind) is Literal for kind in kinds):
        return {"choices": _distinct(str(c) for kind in kinds for c in get_args(kind))}
    if len(hints) > 1:
        return {"metavar": name.upper()}
    if kinds[0] is bool:
        return {"type": Typed(bool), "nargs": "?", "const": True, "metavar": "true|false"}
    return {"type": Typed(hints[0]), "metavar": name.upper()}


def _description(name: str, having: Mapping[str, type]) -> str:
    """What the classes say about an option."""
    texts = {label: descriptions(cls).get(name, "").rstrip(".") for label, cls in having.items()}
    return _each(texts, "{0}: {1}", "; ").replace("%", "%%")


def _default(defaults: Mapping[str, Any]) -> str:
    absent = (inspect.Parameter.empty, None)
    texts = {label: typed(value) for label, value in defaults.items() if value not in absent}
    return f"default: {_each(texts, '{1} ({0})', ', ')}" if texts else ""


def _each(texts: Mapping[str, str], form: str, between: str) -> str:
    """One text if all are the same, else each with its label."""
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return between.join(form.format(*pair) for pair in texts.items())


def _distinct(values: Iterable[T]) -> list[T]:
    return list({repr(value): value for value in values}.values())


def _with_notes(text: str, notes: Iterable[str]) -> str:
    said = "; ".join(filter(None, notes))
    return f"{text} ({said})" if said else text
