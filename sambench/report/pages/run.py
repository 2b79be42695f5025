"""The page of a run: numbers, plots, protocol card, timing, images."""

from collections.abc import Iterator
from dataclasses import dataclass

from sambench.report.comparable import flatten
from sambench.report.details import Drawings
from sambench.report.leaderboard import Board
from sambench.report.numbers import metric_of, nothing_matched, show_metric, withheld
from sambench.report.pages import charts
from sambench.report.pages.browser import ScoredRun
from sambench.report.pages.cells import Number, estimate, metric_column, number
from sambench.report.pages.contents import Contents
from sambench.report.pages.render import Page
from sambench.shown import Metric
from sambench.store.result import Result
from sambench.store.run import Run


@dataclass(frozen=True)
class Row:
    """A named line of numbers.

    Attributes:
        name: what they are of: a metric, a category, an image.
        numbers: in the order of the columns.
        description: of a metric, in a phrase.
    """

    name: str
    numbers: tuple[Number, ...]
    description: str = ""


def run_page(contents: Contents, board: Board, run: Run) -> Page:
    """One result: numbers, plots, protocol card, timing, images."""
    result, address = run.result, contents.addresses[run.path]
    drawn = contents.drawings[run.path]
    plots = charts.run_plots(address, result, drawn)
    metric = metric_of(result)
    scored = contents.scored.get(run.path)
    found = result.metrics.get(result.metric)
    data = {
        "board": board,
        "result": result,
        "images": result.protocol["dataset"].get("images", result.images),
        "metric": metric_column(metric),
        "value": found and estimate(metric, found),
        "suspicious": nothing_matched(result),
        "metrics": [*_metric_rows(result)],
        "withheld": withheld((metric_of(result, name), e) for name, e in result.metrics.items()),
        "plots": plots,
        "categories": [*_category_rows(metric, drawn)],
        "protocol": flatten(result.protocol),
        "machine": {**_timing(result), **flatten(result.environment)},
        "rows": [*_image_rows(scored)] if scored else None,
    }
    title = f"{result.model}: {result.task} on {result.dataset}"
    return Page(address, "run.html", title, data, plots)


def _metric_rows(result: Result) -> Iterator[Row]:
    for name, e in result.metrics.items():
        metric = metric_of(result, name)
        numbers = (number(metric, value) for value in (e.value, e.low, e.high))
        yield Row(show_metric(metric), tuple(numbers), metric.description)


def _category_rows(metric: Metric, drawn: Drawings) -> Iterator[Row]:
    """Value and objects by category, of which there are too many for bars."""
    for name, part in drawn.breakdowns.get("category", {}).items():
        count = "" if part.count is None else part.count
        yield Row(name, (number(metric, part.value), Number(str(count), count)))


def _timing(result: Result) -> dict[str, str]:
    """Seconds of each step and memory."""
    facts = {}
    for name, value in flatten(result.timing).items():
        if name.startswith("memory."):
            facts[name] = f"{value / 2**20:.0f} MiB"
        elif isinstance(value, float):
            facts[name] = f"{value:.3g}{'' if name.endswith('second') else ' s'}"
    return facts


def _image_rows(scored: ScoredRun) -> Iterator[Row]:
    """Score and seconds of each image."""
    metric = metric_of(scored.run.result)
    for id, value in scored.scores.items():
        seconds = scored.lines[id]["seconds"]
        spent = sum(v for v in seconds.values() if isinstance(v, int | float))
        own = number(metric, value)
        yield Row(id, (own, Number(f"{spent:.2f}", spent)))
