"""The page of a run: numbers, plots, protocol card, timing, images."""

from collections.abc import Iterator
from dataclasses import dataclass

from sambench.interfaces import JSON
from sambench.report.comparable import flatten
from sambench.report.leaderboard import Board
from sambench.report.pages import charts
from sambench.report.pages.browser import Scored
from sambench.report.pages.cells import Number, estimate, metric_column, number
from sambench.report.pages.contents import Contents
from sambench.report.pages.render import Page
from sambench.store.result import Result
from sambench.store.run import Run


@dataclass(frozen=True)
class Row:
    """A named line of numbers.

    Attributes:
        name: what they are of: a metric, a category, an image.
        numbers: in the order of the columns.
    """

    name: str
    numbers: tuple[Number, ...]


def run_page(contents: Contents, board: Board, run: Run) -> Page:
    """One result: numbers, plots, protocol card, timing, images."""
    result, address = run.result, contents.addresses[run.path]
    plots_data = contents.plots_data[run.path]
    plots = charts.run_plots(address, result, plots_data)
    scored = contents.scored.get(run.path)
    found = result.metrics.get(result.metric)
    data = {
        "board": board,
        "result": result,
        "images": result.protocol["dataset"].get("images", result.images),
        "metric": metric_column(result.task, result.metric),
        "value": found and estimate(result.task, result.metric, found),
        "metrics": [*_metric_rows(result)],
        "plots": plots,
        "categories": [*_category_rows(plots_data)],
        "protocol": flatten(result.protocol),
        "machine": {**_timing(result), **flatten(result.environment)},
        "rows": [*_image_rows(scored)] if scored else None,
    }
    title = f"{result.model}: {result.task} on {result.dataset}"
    return Page(address, "run.html", title, data, plots)


def _metric_rows(result: Result) -> Iterator[Row]:
    for name, e in result.metrics.items():
        column = metric_column(result.task, name)
        numbers = (number(result.task, name, value) for value in (e.value, e.low, e.high))
        yield Row(column.text, tuple(numbers))


def _category_rows(plots_data: JSON) -> Iterator[Row]:
    """Value and objects by category, of which there are too many for bars."""
    for name, part in plots_data["breakdowns"].get("category", {}).items():
        count = part.get("count", "")
        value = Number(f"{part['value'] * 100:.1f}", part["value"])
        yield Row(name, (value, Number(str(count), count)))


def _timing(result: Result) -> dict[str, str]:
    """Seconds of each step and memory."""
    facts = {}
    for name, value in flatten(result.timing).items():
        if name.startswith("memory."):
            facts[name] = f"{value / 2**20:.0f} MiB"
        elif isinstance(value, float):
            facts[name] = f"{value:.3g}{'' if name.endswith('second') else ' s'}"
    return facts


def _image_rows(scored: Scored) -> Iterator[Row]:
    """Score and seconds of each image."""
    result = scored.run.result
    for id, value in scored.scores.items():
        seconds = scored.lines[id]["seconds"]
        spent = sum(v for v in seconds.values() if isinstance(v, int | float))
        own = number(result.task, result.metric, value)
        yield Row(id, (own, Number(f"{spent:.2f}", spent)))
