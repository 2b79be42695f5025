"""The one error that a user is meant to read, and what its sentence is made of."""

import sysconfig
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from traceback import extract_tb


class UserError(ValueError):
    """Input that cannot be used; the message is one sentence that names it and the remedy."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which of the known names was likely meant: ``did you mean a or b?`` or the whole list.

    Likely are names spelt alike, and a name that alone has one of the words typed, as
    points_per_side has side.
    """
    names = sorted(known)
    by_word = [[known for known in names if word in _words(known)] for word in _words(name)]
    alone = [having[0] for having in by_word if len(having) == 1]
    close = list(dict.fromkeys(alone + get_close_matches(name, names, n=3, cutoff=0.5)))
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known are {', '.join(names) or 'none'}."


def choices(name: str, known: Iterable[str]) -> str:
    """As `nearest`, with the whole list behind the name that was likely meant."""
    names = sorted(known)
    said = nearest(name, names)
    return f"{said} Known are {', '.join(names)}." if said.endswith("?") else said


def place_of(error: BaseException) -> str:
    """Where a plug-in's code raised an error, as `` at FILE, line N``; "" where it did not.

    The innermost place in code that is not installed counts; of an installed package, the place
    at which it was entered.
    """
    ours, python = Path(__file__).parent, Path(sysconfig.get_path("stdlib"))
    places = [(Path(f.filename), f.lineno) for f in extract_tb(error.__traceback__)]
    own, installed = [], []
    for path, line in places:
        if {"site-packages", "dist-packages"} & {*path.parts}:
            installed.append((path, line))
        elif path.is_file() and not (path.is_relative_to(ours) or path.is_relative_to(python)):
            own.append((path, line))
    found = own[-1:] or installed[:1]
    return f" at {found[0][0]}, line {found[0][1]}" if found else ""


def _words(name: str) -> list[str]:
    return name.replace("-", "_").split("_")
