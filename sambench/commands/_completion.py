"""Completion in the shell, by the package argcomplete: commands, flags, choices and names.

``eval "$(register-python-argcomplete sambench)"`` in bash and zsh makes the shell ask; fish has
``register-python-argcomplete --shell fish sambench | source``.
"""

from __future__ import annotations

import contextlib
import importlib
from argparse import ArgumentParser
from collections.abc import Callable

from sambench.registry import names

ASKING = "_ARGCOMPLETE"
"""Environment variable with which the shell asks for completions of its COMP_LINE."""

KINDS = {
    "task": ("task",),
    "model": ("model",),
    "dataset": ("dataset",),
    "what": ("model", "task", "dataset"),
}
"""Arguments that take names of plug-ins, and of which kinds."""


def typed(line: str, point: str) -> list[str]:
    """The words before the cursor, without the program and the one that is being typed."""
    return line[: int(point)].split(" ")[1:-1]


def complete(parser: ArgumentParser, own: ArgumentParser) -> None:
    """Answer the shell and end the process; nothing happens if argcomplete is not installed.

    Args:
        parser: of the program.
        own: of the command that is being typed, whose arguments may take names.
    """
    for action in own._actions:
        if action.dest in KINDS:
            setattr(action, "completer", _names_of(KINDS[action.dest]))  # noqa: B010
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("argcomplete").autocomplete(parser)


def _names_of(kinds: tuple[str, ...]) -> Callable[..., list[str]]:
    """What argcomplete asks of an argument that takes names of these kinds."""

    def found(**_: object) -> list[str]:
        return sorted({name for kind in kinds for name in names(kind)})

    return found
