"""Histograms and bars, of which a site has several for each run: SVG written as text.

That takes a thousandth of the time that a plotting library does. Lengths are points, y points down.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import escape

from sambench.report.pages.names import LONGEST, in_full, shortened, wrapped
from sambench.report.pages.svg import HIGH, INK, LINE, MUTED, SERIES, WIDE, Plot
from sambench.shown import Histogram

WIDTH, HEIGHT = 360.0, 245.0
"""Of a figure; bars are as high as there are many."""
SMALL, TEXT = 8.0, 9.5
"""Sizes of the letters of names and values, and of an axis."""
ROW, BAR, LEADING = 18.0, 13.0, 12.0
TICK, GAP = 3.5, 4.0
TICKS = 6
FONT = "'DejaVu Sans', Verdana, sans-serif"


@dataclass(frozen=True)
class Axis:
    """Where numbers stand.

    Attributes:
        low: the first number, at `start`.
        high: the last number, at `stop`.
        start: in points.
        stop: in points.
    """

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, number: float) -> float:
        """The place of a number in points."""
        share = (number - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)


def histogram(name: str, counted: Histogram) -> Plot:
    """Counts in bins."""
    what, edges = counted.y_label, counted.edges
    highest = 1.05 * max(*counted.counts, 1)
    labels = {tick: f"{tick:g}" for tick in round_numbers(0, highest, whole=True)}
    beside, below = wrapped(what, HIGH).split("\n"), wrapped(counted.name, WIDE).split("\n")
    left = LEADING * len(beside) + max(map(text_width, labels.values())) + TICK + 2 * GAP
    bottom = HEIGHT - TICK - LEADING * (1 + len(below)) - 2 * GAP
    right = WIDTH - text_width(f"{edges[-1]:g}") / 2 - GAP
    x, y = Axis(edges[0], edges[-1], left, right), Axis(0, highest, bottom, GAP)
    drawn = [*_grid_below(x, GAP, bottom, below), *_lines_beside(beside, (GAP + bottom) / 2)]
    for tick, label in labels.items():
        drawn.append(_line(left, y(tick), right, y(tick), LINE))
        drawn.append(_line(left - TICK, y(tick), left, y(tick), MUTED))
        drawn.append(_text(left - TICK - GAP, y(tick), label, MUTED, anchor="end"))
    for low, high, count in zip(edges[:-1], edges[1:], counted.counts, strict=True):
        drawn.append(_rectangle(x(low), y(count), x(high) - x(low), bottom - y(count), SERIES[0]))
    drawn.append(_line(left, GAP, left, bottom, MUTED))
    return Plot(name, f"How many {what} have which {counted.name}.", _figure(HEIGHT, drawn))


def bars(name: str, values: Mapping[str, float], x: str, caption: str, decimals: int = 1) -> Plot:
    """Horizontal bars, the first on top; values may be negative, as gains are.

    Args:
        name: of the plot.
        values: label -> finite number.
        x: what the numbers are.
        caption: one sentence.
        decimals: of the numbers beside the bars.
    """
    names, sign = shortened(values, LONGEST), "+" if min(values.values()) < 0 else ""
    texts = {label: f"{value:{sign}.{decimals}f}" for label, value in values.items()}
    left = max(text_width(text, SMALL) for text in names.values()) + TICK + 2 * GAP
    bottom = GAP + ROW * len(values)
    room = max(text_width(text, SMALL) for text in texts.values()) + 2 * GAP
    low, high = min(0.0, *values.values()), max(0.0, *values.values())
    axis = _with_room(low, high if high > low else 1.0, left, WIDTH - 2 * GAP, room)
    below = wrapped(x, WIDE - max(map(len, names.values()))).split("\n")
    drawn = list(_grid_below(axis, GAP, bottom, below))
    for row, (label, value) in enumerate(values.items()):
        middle, zero, end = GAP + ROW * (row + 0.5), axis(0), axis(value)
        colour, beside = SERIES[0 if value >= 0 else 1], "start" if value >= 0 else "end"
        drawn += [
            _rectangle(min(zero, end), middle - BAR / 2, abs(end - zero), BAR, colour),
            _line(left - TICK, middle, left, middle, MUTED),
            _text(left - TICK - GAP, middle, names[label], INK, size=SMALL, anchor="end"),
            _text(end + math.copysign(3, value), middle, texts[label], INK, SMALL, beside),
        ]
    drawn += [_line(left, GAP, left, bottom, MUTED), _line(axis(0), GAP, axis(0), bottom, MUTED)]
    height = bottom + TICK + LEADING * (1 + len(below)) + 2 * GAP
    return Plot(name, f"{caption} {in_full(names)}".strip(), _figure(height, drawn))


def _with_room(low: float, high: float, start: float, stop: float, room: float) -> Axis:
    """An axis that leaves so many points beside its ends for numbers, none where it ends at 0."""
    before, behind = (room if low < 0 else 0), (room if high > 0 else 0)
    point = (high - low) / max(stop - start - before - behind, 1)
    return Axis(low - before * point, high + behind * point, start, stop)


def round_numbers(low: float, high: float, *, whole: bool = False) -> list[float]:
    """At most seven numbers between two, a round step apart.

    Args:
        low: the lower one.
        high: the higher one.
        whole: whether all must be whole.
    """
    least = max((high - low) / TICKS, 1.0 if whole else 0.0)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= least * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def text_width(text: str, size: float = TEXT) -> float:
    """About how wide a text is in the widest of the fonts that it may be written in."""
    return size * sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> float:
    if letter in "ijlI.,:;|'!()[]/ ":
        return 0.4
    if letter in "mwMW%@…+=" or ord(letter) > 0x2E80:  # from there on scripts are as wide as high
        return 1.0
    return 0.78 if letter.isupper() else 0.66


def _grid_below(axis: Axis, top: float, bottom: float, what: Sequence[str]) -> Iterator[str]:
    """Lines at round numbers, the numbers below them, the axis, and what it is."""
    for tick in round_numbers(axis.low, axis.high):
        yield _line(axis(tick), top, axis(tick), bottom, LINE)
        yield _line(axis(tick), bottom, axis(tick), bottom + TICK, MUTED)
        below = bottom + TICK + GAP + LEADING / 2
        label = f"{tick:g}".replace("-", "\N{MINUS SIGN}")
        yield _text(_inside(axis(tick), label), below, label, MUTED)
    yield _line(axis.start, bottom, axis.stop, bottom, MUTED)
    for i, line in enumerate(what):
        middle = _inside((axis.start + axis.stop) / 2, line)
        yield _text(middle, bottom + TICK + GAP + LEADING * (1.5 + i), line, INK)


def _inside(middle: float, text: str) -> float:
    """Where the middle of a text stands, or as near as all of it is inside the figure."""
    half = text_width(text) / 2
    return max(half, min(middle, WIDTH - half))


def _lines_beside(lines: Sequence[str], middle: float) -> Iterator[str]:
    """What an axis is, written upwards at the left."""
    for i, line in enumerate(lines):
        yield _text(LEADING * (i + 0.5), middle, line, INK, upwards=True)


def _figure(height: float, drawn: Sequence[str]) -> str:
    size = f'width="{WIDTH:g}pt" height="{height:g}pt" viewBox="0 0 {WIDTH:g} {height:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{"".join(drawn)}</svg>\n'


def _line(x: float, y: float, to_x: float, to_y: float, colour: str) -> str:
    style = f"fill: none; stroke: {colour}; stroke-width: 0.8"
    return f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" style="{style}"/>\n'


def _rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    size = f'width="{width:.2f}" height="{height:.2f}"'
    at = f'x="{x:.2f}" y="{y:.2f}" {size}'
    return f'<rect {at} style="fill: {colour}; shape-rendering: crispEdges"/>\n'


def _text(
    x: float, y: float, text: str, colour: str, size: float = TEXT, anchor: str = "middle",
    *, upwards: bool = False,
) -> str:  # fmt: skip
    """A text whose letters' middle lies at y."""
    style = f"font: {size:g}px {FONT}; text-anchor: {anchor}; fill: {colour}"
    turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if upwards else ""
    at = f'x="{x:.1f}" y="{y:.1f}" dy="{0.36 * size:.1f}"'
    return f'<text {at} style="{style}"{turned}>{escape(text)}</text>\n'
