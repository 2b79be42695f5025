"""The legend of a plot: among the lines where it is small, else below the axes."""

import math
from collections.abc import Iterator, Sequence

from sambench.report.pages.drawing import (
    GAP,
    LEADING,
    SMALL,
    WIDTH,
    Box,
    Point,
    markers,
    path,
    text_width,
    words,
)
from sambench.report.pages.svg import INK

FEW, SHORT = 5, 24
"""A legend of no more names than these, and of none with more letters, is put among the lines."""
SAMPLE = 20.0
"""How long the sample of a line is."""


def room_below(names: Sequence[str]) -> float:
    """How much higher a figure becomes by a legend below its axes."""
    return 0.0 if _is_small(names) else LEADING * _rows(names) + GAP


def legend(
    names: Sequence[str], frame: Box, drawn: Sequence[Point], bottom: float,
    *, lines: bool, marked: Sequence[bool], low: bool = False,
) -> list[str]:  # fmt: skip
    """A sample of each series beside its name.

    Args:
        names: of the series, in order.
        frame: what lies between the axes.
        drawn: what there is to cover there.
        bottom: where a legend below the axes begins.
        lines: whether a series is a line.
        marked: whether it has markers, for each.
        low: whether the lower left is the first choice, else the upper right is.
    """
    width = SAMPLE + 2 * GAP + max(text_width(name, SMALL) for name in names)
    if _is_small(names):
        left, top, *_ = _place(width, LEADING * len(names), frame, drawn, low=low)
        places = [(left, top + LEADING * (i + 0.5)) for i in range(len(names))]
    else:
        rows = _rows(names)
        places = [
            (GAP + i // rows * WIDTH / 2, bottom + LEADING * (i % rows + 0.5))
            for i in range(len(names))
        ]
    found = []
    for i, (name, (x, y)) in enumerate(zip(names, places, strict=True)):
        found += [path(i, [(x, y), (x + SAMPLE, y)])] if lines else []
        found += [markers(i, [(x + SAMPLE / 2, y)])] if marked[i] else []
        found.append(words(x + SAMPLE + GAP, y, name, INK, SMALL, "start"))
    return found


def _is_small(names: Sequence[str]) -> bool:
    return len(names) <= FEW and max(map(len, names)) <= SHORT


def _rows(names: Sequence[str]) -> int:
    two = all(SAMPLE + 2 * GAP + text_width(name, SMALL) < WIDTH / 2 for name in names)
    return math.ceil(len(names) / (2 if two else 1))


def _place(width: float, height: float, frame: Box, drawn: Sequence[Point], *, low: bool) -> Box:
    """The box of that size in a frame that covers least; of several, the first."""
    boxes = list(_boxes(width, height, frame))
    first = boxes[2:3] if low else []
    return min([*first, *boxes], key=lambda box: _covered(box, drawn))


def _boxes(width: float, height: float, frame: Box) -> Iterator[Box]:
    """Corners first, then sides and the middle."""
    left, top, right, bottom = frame[0] + GAP, frame[1], frame[2] - width, frame[3] - height - GAP
    middle, centre = (left + right) / 2, (top + bottom) / 2
    for x, y in (
        (right, top), (left, top), (left, bottom), (right, bottom), (right, centre),
        (left, centre), (middle, bottom), (middle, top), (middle, centre),
    ):  # fmt: skip
        yield x, y, x + width, y + height


def _covered(box: Box, drawn: Sequence[Point]) -> int:
    return sum(box[0] <= x <= box[2] and box[1] <= y <= box[3] for x, y in drawn)
