"""Histograms and bars, of which a site has several for each run."""

import math
from collections.abc import Mapping

from sambench.report.pages.axes import TICK, Axis, grid_below, grid_beside
from sambench.report.pages.drawing import (
    GAP,
    HEIGHT,
    LEADING,
    SMALL,
    WIDTH,
    figure,
    rectangle,
    segment,
    text_width,
    words,
)
from sambench.report.pages.names import LONGEST, in_full, shortened, wrapped
from sambench.report.pages.svg import HIGH, INK, MUTED, SERIES, WIDE, Plot
from sambench.shown import Histogram

ROW, BAR = 18.0, 13.0


def histogram(name: str, counted: Histogram) -> Plot:
    """Counts in bins."""
    what, edges = counted.y_label, counted.edges
    highest = 1.05 * max(*counted.counts, 1)
    beside, below = wrapped(what, HIGH).split("\n"), wrapped(counted.name, WIDE).split("\n")
    bottom = HEIGHT - TICK - LEADING * (1 + len(below)) - 2 * GAP
    y = Axis(0, highest, bottom, GAP, whole=True)
    left = LEADING * len(beside) + max(map(text_width, y.ticks().values())) + TICK + 2 * GAP
    right = WIDTH - text_width(f"{edges[-1]:g}") / 2 - GAP
    x = Axis(edges[0], edges[-1], left, right)
    drawn = [*grid_below(x, GAP, bottom, below), *grid_beside(y, left, right, beside)]
    for low, high, count in zip(edges[:-1], edges[1:], counted.counts, strict=True):
        drawn.append(rectangle(x(low), y(count), x(high) - x(low), bottom - y(count), SERIES[0]))
    drawn.append(segment(left, GAP, left, bottom, MUTED))
    return Plot(name, f"How many {what} have which {counted.name}.", figure(HEIGHT, drawn))


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
    drawn = list(grid_below(axis, GAP, bottom, below))
    for row, (label, value) in enumerate(values.items()):
        middle, zero, end = GAP + ROW * (row + 0.5), axis(0), axis(value)
        colour, beside = SERIES[0 if value >= 0 else 1], "start" if value >= 0 else "end"
        drawn += [
            rectangle(min(zero, end), middle - BAR / 2, abs(end - zero), BAR, colour),
            segment(left - TICK, middle, left, middle, MUTED),
            words(left - TICK - GAP, middle, names[label], INK, size=SMALL, anchor="end"),
            words(end + math.copysign(3, value), middle, texts[label], INK, SMALL, beside),
        ]
    drawn += [
        segment(left, GAP, left, bottom, MUTED),
        segment(axis(0), GAP, axis(0), bottom, MUTED),
    ]
    height = bottom + TICK + LEADING * (1 + len(below)) + 2 * GAP
    return Plot(name, f"{caption} {in_full(names)}".strip(), figure(height, drawn))


def _with_room(low: float, high: float, start: float, stop: float, room: float) -> Axis:
    """An axis that leaves so many points beside its ends for numbers, none where it ends at 0."""
    before, behind = (room if low < 0 else 0), (room if high > 0 else 0)
    point = (high - low) / max(stop - start - before - behind, 1)
    return Axis(low - before * point, high + behind * point, start, stop)
