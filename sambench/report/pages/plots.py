"""Curves, and accuracy against cost, drawn with matplotlib as SVG."""

import io
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from sambench.metrics.statistics import Estimate
from sambench.report.numbers import show_metric
from sambench.report.pages.names import LEGEND, LONGEST, in_full, shortened, wrapped
from sambench.report.pages.svg import HIGH, INK, LINE, MUTED, SERIES, WIDE, Plot
from sambench.shown import Curve, Metric

MARKERS = "osD^vPXh"
SIZE = (5.0, 3.4)
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sambench",
    "text.parse_math": False,  # a name with dollar signs is a name
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.labelcolor": INK,
}


def _draw(
    name: str, caption: str, paint: Callable[[Axes], None], size: Any = SIZE,
    png: Path | None = None,
) -> Plot:  # fmt: skip
    with rc_context(STYLE), warnings.catch_warnings():
        # A letter that matplotlib's font lacks is drawn by the font of whoever looks at the SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=size, layout="constrained")
        paint(figure.subplots())
        svg = io.StringIO()
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None})  # type: ignore[no-untyped-call]  # untyped
        if png is not None:
            figure.set_layout_engine("none")  # as it is laid out now: that takes half of drawing
            figure.set_facecolor("white")
            figure.set_dpi(160)
            FigureCanvasAgg(figure).print_png(png, metadata={"Software": None})  # type: ignore[no-untyped-call]  # untyped
    return Plot(name, caption, _transparent(svg.getvalue()))


def _transparent(svg: str) -> str:
    """Leave out the white patches behind the figure and the axes."""
    return re.sub(r'<g id="patch_[12]">\s*<path [^>]*fill: #ffffff[^>]*/>\s*</g>', "", svg)


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
    title, lower = show_metric(metric), metric.lower_is_better
    names = shortened((dot.label for dot in dots), LONGEST)

    def paint(axes: Axes) -> None:
        _cost_axis(axes, [dot.cost for dot in dots])
        for i, group in enumerate(dict.fromkeys(dot.group for dot in dots)):
            own = [dot for dot in dots if dot.group == group]
            _dots(axes, own, i, several=len({dot.group for dot in dots}) > 1)
            directed = own if metric.higher_is_better is not None else []
            front = pareto_front(directed, more_is_better=more_is_better, lower=lower)
            axes.plot(
                [dot.cost for dot in front], [dot.accuracy.value for dot in front],
                color=SERIES[i % 8], linewidth=1, alpha=0.6, zorder=1,
            )  # fmt: skip
        axes.set(xlabel=wrapped(cost, WIDE), ylabel=wrapped(title, HIGH))
        axes.margins(y=0.15)
        _name_dots(axes, dots, names)
        if len({dot.group for dot in dots}) > 1:
            _legend(axes, "best")

    caption = f"{title} against {cost}; bars are 95 % intervals, the line joins the best trades."
    return _draw(name, f"{caption} {in_full(names)}".strip(), paint)


def _cost_axis(axes: Axes, costs: Sequence[float]) -> None:
    """Logarithmic where costs are of different magnitude, with room for names at the right."""
    low, high = min(costs), max(costs)
    if high > 5 * low:
        _log(axes)
        axes.set_xlim(low / 1.5, high * 2.5)
    else:
        room = (high - low) or high
        axes.set_xlim(max(0.0, low - 0.3 * room), high + 0.6 * room)


def _log(axes: Axes) -> None:
    """A logarithmic axis that is labelled 1, 2, 5, 10 without mathematical type."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _dots(axes: Axes, dots: Sequence[Dot], index: int, *, several: bool) -> None:
    x = [dot.cost for dot in dots]
    y = np.array([dot.accuracy.value for dot in dots])
    low = np.array([dot.accuracy.low for dot in dots])
    high = np.array([dot.accuracy.high for dot in dots])
    bars = np.nan_to_num(np.clip([y - low, high - y], 0, None))
    colour = SERIES[index % 8]
    axes.errorbar(
        x, y, yerr=bars, fmt=MARKERS[index % 8], color=colour, elinewidth=0.8, markersize=6,
        label=dots[0].group if several else None,
    )  # fmt: skip


_BESIDE = ((6, 5), (6, -11), (-6, 5), (-6, -11), (6, 15), (6, -21))
"""Where the name of a dot may stand, in points from it; left of it, it ends there."""
_Box = tuple[float, float, float, float]


def _name_dots(axes: Axes, dots: Sequence[Dot], names: Mapping[str, str]) -> None:
    """Write the name of each dot inside the axes, where it covers the least of what is there."""
    axes.autoscale_view(scalex=False)
    places = [axes.transData.transform((dot.cost, dot.accuracy.value)) for dot in dots]
    taken: list[_Box] = [(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    taken += [_bar_box(axes, dot) for dot in dots if not math.isnan(dot.accuracy.low)]
    for dot, (x, y) in zip(dots, places, strict=True):
        text = names[dot.label]
        boxes = [_text_box(axes, text, x, y, offset) for offset in _BESIDE]
        costs = [_outside(axes, box) + sum(_shared(box, t) for t in taken) for box in boxes]
        best = costs.index(min(costs))
        taken.append(boxes[best])
        axes.annotate(
            text, (dot.cost, dot.accuracy.value), xytext=_BESIDE[best], fontsize=8, color=INK,
            textcoords="offset points", ha="left" if _BESIDE[best][0] > 0 else "right",
        )  # fmt: skip


def _bar_box(axes: Axes, dot: Dot) -> _Box:
    """The interval of a dot: x0, y0, x1, y1 in pixels of the figure."""
    ends = (dot.accuracy.low, dot.accuracy.high)
    (x, low), (_, high) = (axes.transData.transform((dot.cost, end)) for end in ends)
    return x - 2, low, x + 2, high


def _text_box(axes: Axes, text: str, x: float, y: float, offset: tuple[int, int]) -> _Box:
    """About where a text of 8 points would stand: x0, y0, x1, y1 in pixels of the figure."""
    pixels = axes.figure.dpi / 72
    left = x + pixels * (offset[0] if offset[0] > 0 else offset[0] - 4.6 * len(text))
    bottom = y + pixels * offset[1]
    return left, bottom, left + pixels * 4.6 * len(text), bottom + pixels * 8


def _outside(axes: Axes, box: _Box) -> float:
    """What it costs that a box leaves the axes, in the area that it shares with others."""
    frame = axes.get_window_extent()
    whole = (box[2] - box[0]) * (box[3] - box[1])
    return 100 * (whole - _shared(box, (frame.x0, frame.y0, frame.x1, frame.y1)))


def _shared(first: _Box, second: _Box) -> float:
    """Area that two boxes share."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0) * max(height, 0)


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


EQUAL_F = "Grey lines are of equal F (its value at the right)."
DIAGONAL = "On the grey line both are equal."


def curves_plot(name: str, curves: Mapping[str, Curve], png: Path | None = None) -> Plot:
    """Lines of one curve, one for each model; a marker shows each of few values.

    Args:
        name: of the plot.
        curves: by the name of the line.
        png: where to write it on white too, as some programs want it.
    """
    first = next(iter(curves.values()))
    percent = " %" if first.unit == "percent" else ""
    x, y = first.x_label or "x", f"{first.y_label or first.name}{percent}"
    names = shortened(curves, LEGEND)

    def paint(axes: Axes) -> None:
        if first.log:
            _log(axes)
        elif not first.equal_f:
            whole = all(float(value).is_integer() for c in curves.values() for value in c.x)
            axes.xaxis.set_major_locator(MaxNLocator(integer=whole))
        if first.equal_f:
            _equal_f(axes)
        if first.diagonal:
            axes.plot((0, 1), (0, 1), color=LINE, linewidth=1)
            axes.set(xlim=(0, 1), ylim=(0, 1.01))
        for label, point in first.points.items():
            axes.plot(*point, "o", color="#2e9e4f", markersize=6)
            beside: Any = {"textcoords": "offset points", "fontsize": 8, "color": MUTED}
            axes.annotate(label, point, (6, 3), **beside)
        _lines(axes, {names[label]: curve for label, curve in curves.items()})
        _legend(axes, "lower left" if first.equal_f else "best")
        axes.set(xlabel=wrapped(x, WIDE), ylabel=wrapped(y, HIGH))

    said = (
        f"{y[:1].upper()}{y[1:]} against {x}.", EQUAL_F if first.equal_f else "",
        DIAGONAL if first.diagonal else "", first.caption, in_full(names),
    )  # fmt: skip
    size = (5.0, 4.2) if first.equal_f or first.diagonal else SIZE
    return _draw(name, " ".join(filter(None, said)), paint, size, png)


def _equal_f(axes: Axes) -> None:
    """Lines of equal F-measure between 0 and 1 of recall and precision."""
    grid = np.linspace(0.01, 1, 200)
    for f in np.arange(0.1, 1.0, 0.1):
        # F = 2PR / (P + R)  =>  P = F R / (2 R - F), where the denominator is positive.
        recall = grid[2 * grid > f + 1e-9]
        precision = f * recall / (2 * recall - f)
        axes.plot(recall[precision <= 1], precision[precision <= 1], color=LINE, linewidth=1)
        axes.text(1.005, f / (2 - f), f"{f:.1f}", fontsize=7, color=MUTED, va="center")
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
    axes.grid(visible=False)


FEW, SHORT = 5, 24
"""A legend of no more names than these, and of none with more letters, is put among the lines."""
MANY = 25
"""A line of more values than these has no markers."""


def _lines(axes: Axes, curves: Mapping[str, Curve]) -> None:
    for i, (label, curve) in enumerate(curves.items()):
        factor = 100 if curve.unit == "percent" else 1
        axes.plot(
            curve.x, [factor * value for value in curve.y], color=SERIES[i % 8], linewidth=1.6,
            label=label, markersize=5,
            marker=MARKERS[i % 8] if len(curve.x) <= MANY else None,
            linestyle=("-", "--", ":")[i // 8 % 3],
        )  # fmt: skip


def _legend(axes: Axes, place: Literal["best", "lower left"]) -> None:
    """Among the lines where it is small; else below the axes, in a figure that grows with it."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) <= FEW and max(map(len, labels)) <= SHORT:
        axes.legend(loc=place, fontsize=8)
        return
    figure = axes.get_figure(root=True)
    assert figure is not None
    columns = 1 if max(map(len, labels)) > SHORT else 2
    rows = math.ceil(len(labels) / columns)
    figure.set_figheight(figure.get_figheight() + 0.18 * rows + 0.1)
    figure.legend(handles, labels, loc="outside lower left", fontsize=8, ncols=columns)
