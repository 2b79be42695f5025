"""Accuracy against cost, and which models give the best trade of both."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sambench.metrics.statistics import Estimate
from sambench.report.numbers import show_metric
from sambench.report.pages.axes import HIGH_STEPS, Axis, Frame, framed, ranging
from sambench.report.pages.drawing import (
    HEIGHT,
    SMALL,
    Box,
    Point,
    figure,
    markers,
    path,
    text_width,
    words,
)
from sambench.report.pages.legend import legend, room_below
from sambench.report.pages.names import LEGEND, LONGEST, in_full, shortened
from sambench.report.pages.svg import INK, SERIES, Plot
from sambench.shown import Metric

MARGIN = 0.15
"""Share of the range of accuracies that is left below and above for names."""
WIDELY = 5
"""Costs that differ by a larger factor stand on a logarithmic axis."""
BESIDE = ((6, -5), (6, 11), (-6, -5), (-6, 11), (6, -15), (6, 21))
"""Where the name of a dot may stand, in points from it; left of it, it ends there."""


@dataclass(frozen=True)
class Dot:
    """One model in a plot of accuracy against cost."""

    label: str
    cost: float
    accuracy: Estimate
    group: str


def pareto(
    name: str, dots: Sequence[Dot], metric: Metric, cost: str, *, more_is_better: bool
) -> Plot:
    """Accuracy against speed or memory; a line joins what no other model beats in both.

    There is no line where neither direction of the metric is declared to be the better one.

    Args:
        name: of the plot.
        dots: the models; only those of one group (hardware) are compared.
        metric: of the accuracy.
        cost: label of the other axis.
        more_is_better: whether more of the cost axis is better, as of speed.
    """
    title = show_metric(metric)
    names = shortened((dot.label for dot in dots), LONGEST)
    accuracies = [e for d in dots for e in _ends(d)]
    axes = _cost_axis([dot.cost for dot in dots]), ranging(accuracies, MARGIN, steps=HIGH_STEPS)
    frame, drawn = framed(*axes, (cost, title), HEIGHT)
    groups = list(dict.fromkeys(dot.group for dot in dots))
    for i, group in enumerate(groups):
        own = [dot for dot in dots if dot.group == group]
        directed = own if metric.higher_is_better is not None else []
        front = pareto_front(directed, more_is_better=more_is_better, lower=metric.lower_is_better)
        drawn.append(path(i, _places(frame, front), 1, 0.6))
        drawn += [_interval(frame, dot, i) for dot in own]
        drawn.append(markers(i, _places(frame, own)))
    taken, named = _name_dots(frame, dots, names)
    drawn += named
    height = HEIGHT
    if len(groups) > 1:
        hardware = list(shortened(groups, LEGEND).values())
        corners = [corner for box in taken for corner in _corners(box)]
        marked = [True] * len(groups)
        drawn += legend(hardware, frame.box, corners, HEIGHT, lines=False, marked=marked)
        height += room_below(hardware)
    caption = f"{title} against {cost}; bars are 95 % intervals, the line joins the best trades."
    return Plot(name, f"{caption} {in_full(names)}".strip(), figure(height, drawn))


def _ends(dot: Dot) -> Iterator[float]:
    """The accuracy of a dot, and the ends of its interval as far as there are any."""
    own = dot.accuracy
    yield from (value for value in (own.value, own.low, own.high) if math.isfinite(value))


def _cost_axis(costs: Sequence[float]) -> Axis:
    """Logarithmic where costs are of different magnitude, with room for names at the right."""
    low, high = min(costs), max(costs)
    if high > WIDELY * low:
        return Axis(low / 1.5, high * 2.5, 0.0, 1.0, log=True)
    room = (high - low) or high
    return Axis(max(0.0, low - 0.3 * room), high + 0.6 * room, 0.0, 1.0)


def _places(frame: Frame, dots: Sequence[Dot]) -> list[Point | None]:
    return [frame((dot.cost, dot.accuracy.value)) for dot in dots]


def _interval(frame: Frame, dot: Dot, i: int) -> str:
    """The interval of a dot, which holds its value; nothing where it has none."""
    x, ends = frame.x(dot.cost), [frame.y(value) for value in _ends(dot)]
    style = f"fill: none; stroke: {SERIES[i % len(SERIES)]}; stroke-width: 0.8"
    return f'<path d="M{x:.1f} {min(ends):.1f}V{max(ends):.1f}" style="{style}"/>\n'


def _name_dots(
    frame: Frame, dots: Sequence[Dot], names: Mapping[str, str]
) -> tuple[list[Box], list[str]]:
    """What dots and their names take, and the name of each where it covers least of the others."""
    places = [frame((dot.cost, dot.accuracy.value)) for dot in dots]
    taken: list[Box] = [(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    for dot, (x, _) in zip(dots, places, strict=True):
        ends = [frame.y(value) for value in _ends(dot)]
        taken.append((x - 1.5, min(ends), x + 1.5, max(ends)))
    drawn = []
    for dot, (x, y) in zip(dots, places, strict=True):
        text = names[dot.label]
        boxes = [_text_box(text, x + across, y + down, across) for across, down in BESIDE]
        costs = [_outside(frame.box, box) + sum(_shared(box, t) for t in taken) for box in boxes]
        best = costs.index(min(costs))
        taken.append(boxes[best])
        across, down = BESIDE[best]
        anchor = "start" if across > 0 else "end"
        drawn.append(words(x + across, y + down - SMALL / 2, text, INK, SMALL, anchor))
    return taken, drawn


def _text_box(text: str, x: float, bottom: float, across: int) -> Box:
    """About where a text stands that begins at x, or ends there if it lies to the left."""
    width = text_width(text, SMALL)
    left = x if across > 0 else x - width
    return left, bottom - SMALL, left + width, bottom


def _outside(frame: Box, box: Box) -> float:
    """What it costs that a box leaves the frame, in the area that it shares with others."""
    whole = (box[2] - box[0]) * (box[3] - box[1])
    return 100 * (whole - _shared(box, frame))


def _shared(first: Box, second: Box) -> float:
    """Area that two boxes share."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0) * max(height, 0)


def _corners(box: Box) -> Iterator[Point]:
    """The corners of a box and its middle."""
    left, top, right, bottom = box
    yield from ((left, top), (right, top), (left, bottom), (right, bottom))
    yield (left + right) / 2, (top + bottom) / 2


def pareto_front(dots: Sequence[Dot], *, more_is_better: bool, lower: bool) -> list[Dot]:
    """Models that no other beats in accuracy without costing more, in order of cost."""
    sign = -1 if more_is_better else 1
    good = -1 if lower else 1
    ordered = sorted(dots, key=lambda d: (sign * d.cost, -good * d.accuracy.value))
    front: list[Dot] = []
    for dot in ordered:
        if not front or good * dot.accuracy.value > good * front[-1].accuracy.value:
            front.append(dot)
    return front
