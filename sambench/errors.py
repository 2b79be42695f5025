"""The one error that a user is meant to read."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """Input that cannot be used; the message is one sentence that names it and the remedy."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which of the known names was likely meant: ``did you mean a or b?`` or the whole list."""
    names = sorted(known)
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known are {', '.join(names) or 'none'}."
