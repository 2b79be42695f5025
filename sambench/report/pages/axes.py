"""Axes of a plot: which numbers stand at them, and where. Lengths are points, y points down."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sambench.report.pages.drawing import (
    GAP,
    LEADING,
    WIDTH,
    Box,
    Point,
    segment,
    text_width,
    words,
)
from sambench.report.pages.names import wrapped
from sambench.report.pages.svg import HIGH, INK, LINE, MUTED, WIDE

TICK = 3.5
STEPS, HIGH_STEPS, MOST_POWERS = 6, 8, 12
"""Between the numbers of an axis: of one below, of one at the left, of a logarithmic one."""
MARGIN = 0.05
"""Share of the range of values that an axis leaves at either end."""


@dataclass(frozen=True)
class Axis:
    """Where numbers stand.

    Attributes:
        low: the first number, at `start`.
        high: the last number, at `stop`.
        start: in points.
        stop: in points.
        log: whether it is logarithmic.
        whole: whether its numbers are whole.
        steps: between its numbers, at most.
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False
    whole: bool = False
    steps: int = STEPS

    def __call__(self, number: float) -> float:
        """The place of a number in points."""
        of = math.log10 if self.log else float
        share = (of(number) - of(self.low)) / (of(self.high) - of(self.low))
        return self.start + share * (self.stop - self.start)

    def ticks(self) -> dict[float, str]:
        """Round numbers on it, and how they are written."""
        numbers = round_powers(self.low, self.high) if self.log else []
        if len(numbers) < 2:
            numbers = round_numbers(self.low, self.high, self.steps, whole=self.whole)
        return {number: f"{number:g}".replace("-", "\N{MINUS SIGN}") for number in numbers}


def round_numbers(
    low: float, high: float, steps: int = STEPS, *, whole: bool = False
) -> list[float]:
    """Numbers between two, a round step apart.

    Args:
        low: the lower one.
        high: the higher one.
        steps: at most so many.
        whole: whether all must be whole.
    """
    least = max((high - low) / steps, 1.0 if whole else 0.0)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= least * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def round_powers(low: float, high: float) -> list[float]:
    """Powers of ten between two positive numbers, their doubles and fives where they are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    each = [float(f"{factor}e{power}") for power in powers for factor in (1, 2, 5)]
    found = [number for number in each if low <= number <= high]
    tens = {float(f"1e{power}") for power in powers}
    return found if len(found) <= MOST_POWERS else [number for number in found if number in tens]


@dataclass(frozen=True)
class Frame:
    """Two axes.

    Attributes:
        x: the one below.
        y: the one at the left.
    """

    x: Axis
    y: Axis

    def __call__(self, point: Point) -> Point:
        """The place of a pair of numbers."""
        return self.x(point[0]), self.y(point[1])

    @property
    def box(self) -> Box:
        """What lies between them."""
        return self.x.start, self.y.stop, self.x.stop, self.y.start


def framed(
    x: Axis, y: Axis, labels: tuple[str, str], height: float,
    *, grid: bool = True, beside: float = 0.0,
) -> tuple[Frame, list[str]]:  # fmt: skip
    """Axes as long as what is written at them leaves room for, and all that as it is drawn.

    Args:
        x: what the one below ranges over.
        y: what the one at the left ranges over.
        labels: of the two.
        height: where the figure ends.
        grid: whether to draw lines at round numbers.
        beside: points that something at the right needs.
    """
    below, before = wrapped(labels[0], WIDE).split("\n"), wrapped(labels[1], HIGH).split("\n")
    numbers = max(map(text_width, y.ticks().values()), default=0.0)
    left, top = LEADING * len(before) + numbers + TICK + 2 * GAP, 2 * GAP
    bottom = height - TICK - LEADING * (1 + len(below)) - 2 * GAP
    half = max((text_width(text) / 2 for text in x.ticks().values()), default=0.0)
    right = WIDTH - max(beside, half) - GAP
    frame = Frame(replace(x, start=left, stop=right), replace(y, start=bottom, stop=top))
    drawn = [
        *grid_below(frame.x, top, bottom, below, grid=grid),
        *grid_beside(frame.y, left, right, before, grid=grid),
        segment(left, top, left, bottom, MUTED),
    ]
    return frame, drawn


def ranging(
    values: Sequence[float], margin: float = MARGIN, *, log: bool = False, steps: int = STEPS
) -> Axis:
    """An axis over values, positive ones where it is logarithmic; its place is not known yet.

    Where all values are whole, so are its numbers.
    """
    whole = not log and all(float(value).is_integer() for value in values)
    known = [math.log10(value) if log else value for value in values]
    low, high = min(known, default=0.0), max(known, default=1.0)
    room = margin * (high - low) or max(margin * abs(high), 0.5 if whole else margin)
    start, stop = (10**end if log else end for end in (low - room, high + room))
    return Axis(start, stop, 0.0, 1.0, log, whole, steps)


def grid_below(
    axis: Axis, top: float, bottom: float, what: Sequence[str], *, grid: bool = True
) -> Iterator[str]:
    """Lines at round numbers, the numbers below them, the axis, and what it is."""
    for tick, label in axis.ticks().items():
        if grid:
            yield segment(axis(tick), top, axis(tick), bottom, LINE)
        yield segment(axis(tick), bottom, axis(tick), bottom + TICK, MUTED)
        below = bottom + TICK + GAP + LEADING / 2
        yield words(_inside(axis(tick), label), below, label, MUTED)
    yield segment(axis.start, bottom, axis.stop, bottom, MUTED)
    for i, line in enumerate(what):
        middle = _inside((axis.start + axis.stop) / 2, line)
        yield words(middle, bottom + TICK + GAP + LEADING * (1.5 + i), line, INK)


def grid_beside(
    axis: Axis, left: float, right: float, what: Sequence[str], *, grid: bool = True
) -> Iterator[str]:
    """The same of an axis at the left, whose name is written upwards."""
    for i, line in enumerate(what):
        middle = (axis.start + axis.stop) / 2
        yield words(LEADING * (i + 0.5), middle, line, INK, upwards=True)
    for tick, label in axis.ticks().items():
        if grid:
            yield segment(left, axis(tick), right, axis(tick), LINE)
        yield segment(left - TICK, axis(tick), left, axis(tick), MUTED)
        yield words(left - TICK - GAP, axis(tick), label, MUTED, anchor="end")


def _inside(middle: float, text: str) -> float:
    """Where the middle of a text stands, or as near as all of it is inside the figure."""
    half = text_width(text) / 2
    return max(half, min(middle, WIDTH - half))
