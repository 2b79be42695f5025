"""Curves: values of one or several models against a number."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from sambench.report.pages.axes import HIGH_STEPS, STEPS, Axis, Frame, framed, ranging
from sambench.report.pages.drawing import (
    GAP,
    HEIGHT,
    SMALL,
    Point,
    figure,
    markers,
    path,
    segment,
    text_width,
    words,
)
from sambench.report.pages.legend import legend, room_below
from sambench.report.pages.names import LEGEND, in_full, shortened
from sambench.report.pages.svg import LINE, MUTED, Plot
from sambench.shown import Curve

TALL = 302.0
"""Height of a figure whose axes both go from 0 to 1."""
MANY = 25
"""A line of more values than these has no markers."""
NAMED = "#2e9e4f"
FINE = 100
"""Points of a line of equal F."""
EQUAL_F = "Grey lines are of equal F (its value at the right)."
DIAGONAL = "On the grey line both are equal."


def curves_plot(name: str, curves: Mapping[str, Curve]) -> Plot:
    """Lines of one curve, one for each model; a marker shows each of few values.

    Args:
        name: of the plot.
        curves: by the name of the line.
    """
    first = next(iter(curves.values()))
    percent = " %" if first.unit == "percent" else ""
    x, y = first.x_label or "x", f"{first.y_label or first.name}{percent}"
    names = shortened(curves, LEGEND)
    lines = [_points(curve) for curve in curves.values()]
    known = [*(point for line in lines for point in line if point), *first.points.values()]
    square = first.equal_f or first.diagonal
    height = TALL if square else HEIGHT
    frame, drawn = framed(
        *(_unit_axes() if square else _axes(known, log=first.log)), (x, y), height,
        grid=not first.equal_f, beside=text_width(".9", SMALL) + 2 * GAP if first.equal_f else 0,
    )  # fmt: skip
    drawn += _equal_f(frame) if first.equal_f else []
    drawn += [segment(*frame((0, 0)), *frame((1, 1)), LINE)] if first.diagonal else []
    marked = [len(line) <= MANY for line in lines]
    placed = [[frame(point) if point else None for point in line] for line in lines]
    for i, line in enumerate(placed):
        drawn += [path(i, line), *([markers(i, line)] if marked[i] else [])]
    drawn += _named(frame, first.points)
    there = [point for line in placed for point in _between(line)]
    drawn += legend(
        list(names.values()), frame.box, there, height, lines=True, marked=marked, low=first.equal_f
    )
    said = (
        f"{y[:1].upper()}{y[1:]} against {x}.", EQUAL_F if first.equal_f else "",
        DIAGONAL if first.diagonal else "", first.caption, in_full(names),
    )  # fmt: skip
    whole = height + room_below(list(names.values()))
    return Plot(name, " ".join(filter(None, said)), figure(whole, drawn))


def _points(curve: Curve) -> list[Point | None]:
    """The points of a curve as they are written; None where one cannot be drawn."""
    factor = 100 if curve.unit == "percent" else 1
    return [
        (x, factor * y)
        if math.isfinite(x) and math.isfinite(y) and (x > 0 or not curve.log)
        else None
        for x, y in zip(curve.x, curve.y, strict=True)
    ]


def _unit_axes() -> tuple[Axis, Axis]:
    """Both from 0 to 1; what is 1 is not cut off."""
    return Axis(0.0, 1.0, 0.0, 1.0), Axis(0.0, 1.01, 0.0, 1.0)


def _axes(points: Sequence[Point], *, log: bool) -> tuple[Axis, Axis]:
    """As far as points go; numbers below them of up to two digits may be close together."""
    x, y = [point[0] for point in points], [point[1] for point in points]
    short = max(x, default=0.0) < 100 and all(float(value).is_integer() for value in x)
    return ranging(x, log=log, steps=10 if short else STEPS), ranging(y, steps=HIGH_STEPS)


def _between(line: Sequence[Point | None]) -> Iterator[Point]:
    """Points of a line close enough that none of it is missed."""
    for start, end in itertools.pairwise(line):
        if start and end:
            steps = 1 + int(math.dist(start, end) / GAP)
            for step in range(steps + 1):
                share = step / steps
                yield (
                    start[0] + share * (end[0] - start[0]),
                    start[1] + share * (end[1] - start[1]),
                )


def _equal_f(frame: Frame) -> Iterator[str]:
    """Lines of equal F-measure between 0 and 1 of recall and precision."""
    for f in (tenths / 10 for tenths in range(1, 10)):
        # F = 2PR / (P + R)  =>  P = F R / (2 R - F), which is 1 at R = F / (2 - F).
        least = f / (2 - f)
        recall = [least + (1 - least) * (i / FINE) ** 2 for i in range(FINE + 1)]
        way = [frame((r, min(f * r / (2 * r - f), 1.0))) for r in recall]
        steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in way)
        yield f'<path d="M{steps}" style="fill: none; stroke: {LINE}; stroke-width: 1"/>\n'
        right, level = frame((1, least))
        yield words(right + GAP / 2, level, f"{f:.1f}", MUTED, 7, "start")


def _named(frame: Frame, points: Mapping[str, Point]) -> Iterator[str]:
    """Points with their names beside them."""
    for label, point in points.items():
        x, y = frame(point)
        style = f"fill: {NAMED}"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" style="{style}"/>\n'
        yield words(x + 6, y - 5, label, MUTED, SMALL, "start")
