"""How names are written in plots: as short as the place needs, and in full in the caption."""

import textwrap
from collections.abc import Iterable, Mapping

LONGEST, LEGEND = 28, 56
"""Letters of a name in a plot and in a legend below it."""


def shorten(text: str, most: int) -> str:
    """Text of at most this many letters; an ellipsis stands for its middle: ends tell it apart."""
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def shortened(names: Iterable[str], most: int) -> dict[str, str]:
    """Each name with what to write for it in a plot; no two are written alike."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        text = shorten(name, most)
        alike = sum(shorten(other, most) == text for other in found)
        found[name] = f"{shorten(name, most - 4)} ({alike + 1})" if alike else text
    return found


def in_full(names: Mapping[str, str]) -> str:
    """The names that a plot shortens, as a sentence for its caption."""
    cut = [f"{text} is {name}" for name, text in names.items() if text != name]
    return f"{'; '.join(cut)}." if cut else ""


def wrapped(text: str, most: int) -> str:
    """A label of an axis in lines of at most this many letters."""
    return "\n".join(textwrap.wrap(text, most)) or text
