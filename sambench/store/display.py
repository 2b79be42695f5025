"""How numbers are written, as each metric declares it, and how a notebook shows them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from sambench.metrics.statistics import Estimate
from sambench.shown import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASH = "\N{EN DASH}"
"""Printed where there is no number, and between the ends of a range."""
IMAGES = "images"
"""What most datasets are of; others state it, see `items_stated`."""
UNITS = {"percent": "%", "fraction": "", "count": ""}
"""Units that are written otherwise than as their word."""


def arrow(metric: Metric) -> str:
    """What follows the name of a metric if lower is better."""
    return " ↓" if metric.lower_is_better else ""


def items_stated(dataset: Mapping[str, Any]) -> str:
    """What a dataset is of, in the plural, as its part of a protocol card or of a header says."""
    return str(dataset.get("items", IMAGES))


def counted(images: int, items: str = IMAGES) -> str:
    """``1 image``, ``2 images``, ``2 clips``.

    Args:
        images: how many there are.
        items: what they are, in the plural, as `items_stated` gives.
    """
    return f"{images} {items.removesuffix('s') if images == 1 else items}"


def metric_cells(metric: Metric) -> list[str]:
    """Name of a metric, with an arrow where lower is better, and its unit."""
    return [metric.name + arrow(metric), UNITS.get(metric.unit, metric.unit)]


def number(metric: Metric, value: float, sign: str = "", finer: int = 0) -> str:
    """A value as its metric declares it to be printed, a dash where it is not defined.

    Args:
        metric: that it is of.
        value: as stored.
        sign: of a format, such as "+", where a sign is always printed.
        finer: decimals beyond those of the metric.
    """
    if math.isnan(value):
        return DASH
    return f"{value * metric.factor:{sign}.{metric.places + finer}f}"


def interval(metric: Metric, low: float, high: float, sign: str = "") -> str:
    """``57.0 to 61.2``, nothing where there is no interval."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"{number(metric, low, sign)} to {number(metric, high, sign)}"


def show_p(p: float) -> str:
    """``.034``, ``<.001``, a dash where there is none."""
    if math.isnan(p):
        return DASH
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def withheld(shown: Iterable[tuple[Metric, Estimate]]) -> list[str]:
    """Why there are no intervals, one line for each reason: ``no interval for AP: ...``.

    Of a metric that is biased the line says by how much at most; of several results, in the worst.
    """
    reasons = dict[str, dict[Metric, float]]()
    for metric, estimate in shown:
        if estimate.withheld:
            known = reasons.setdefault(estimate.withheld, {})
            known[metric] = max(known.get(metric, 0.0), estimate.bias or 0.0)
    return [f"no interval for {_names(of)}: {why}{_worst(of)}" for why, of in reasons.items()]


def _names(metrics: Iterable[Metric]) -> str:
    return ", ".join(metric.name for metric in metrics)


def _worst(biases: Mapping[Metric, float]) -> str:
    """The bias of the first metric that has one: the others are its parts."""
    found = next(((metric, bias) for metric, bias in biases.items() if bias > 0), None)
    return f" (here {found[0].name} by up to {number(*found)})" if found else ""


def html_table(
    title: str, head: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[str] = ()
) -> str:
    """A table as HTML; every text is escaped.

    Args:
        title: its caption.
        head: N headings.
        rows: N cells each.
        notes: what must be said below it.
    """
    lines = [f"<table><caption>{escape(title)}</caption>", _row("th", head)]
    lines += [_row("td", row) for row in rows]
    return "\n".join([*lines, "</table>", *(f"<p>{escape(note)}</p>" for note in notes)])


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def new_axes() -> "Axes":
    """Axes of matplotlib in a figure of their own, which a notebook shows as a picture.

    Those of pyplot would be kept until someone closes them.
    """
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")

    class Picture(Axes):
        def _repr_png_(self) -> bytes:
            png = BytesIO()
            figure.savefig(png, format="png")
            return png.getvalue()

    return figure.add_subplot(axes_class=Picture)
