"""The page of a run: numbers, plots, protocol card, timing, images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sambench.report.collect import Run
from sambench.report.comparable import flatten
from sambench.report.details import Drawings
from sambench.report.leaderboard import Board
from sambench.report.numbers import DASH, metric_of, show_estimate, show_metric, show_value
from sambench.report.pages import charts
from sambench.report.pages.browser import Scored
from sambench.report.pages.links import (
    browser_address,
    key_link,
    word,
)
from sambench.report.pages.markup import Child, Markup, tag
from sambench.report.pages.parts import Cell, facts_table, figures, page, table
from sambench.store.result import Result

if TYPE_CHECKING:
    from sambench.report.pages.site import Site


def run_page(site: Site, board: Board, run: Run) -> str:
    """One result: numbers, plots, protocol card, timing, images."""
    result = run.result
    scored = site.scored.get(run.path)
    drawn = site.drawings[run.path]
    plots = site.keep(charts.run_plots(site.addresses[run.path], result, drawn))
    title = f"{result.model}: {result.task} on {result.dataset}"
    body = [
        tag("h1", title),
        tag("p", _summary(result), class_="lead"),
        _warnings(result),
        tag("h2", "Metrics"),
        _metric_table(result),
        figures(plots, uneven=True),
        *_breakdown(result, drawn),
        tag("h2", "Protocol card"),
        tag("p", "Results compare if all but the model agrees: protocol ", key_link(board), "."),
        facts_table({k: word(v) for k, v in flatten(result.protocol).items()}, "Protocol card"),
        tag("h2", "Time and machine"),
        facts_table(_machine(result), "Time and machine"),
        *(_image_table(board, scored) if scored else []),
    ]
    return page(title, body, site.links, site.addresses[run.path])


def _summary(result: Result) -> str:
    images = f"{result.protocol['dataset'].get('images', result.images)} images"
    estimate = result.metrics.get(result.metric)
    if estimate is None:
        return images
    metric = metric_of(result)
    return f"{show_metric(metric)} {show_estimate(metric, estimate)}, {images}"


def _warnings(result: Result) -> Markup | None:
    lines = [result.note] if result.note else []
    if result.failed:
        lines.append(f"Incomplete: {len(result.failed)} images failed.")
        lines += [f"{id}: {reason}" for id, reason in list(result.failed.items())[:20]]
    if not lines:
        return None
    return tag("div", [tag("p", line) for line in lines], class_="notice", role="note")


def _metric_table(result: Result) -> Markup:
    head = [("metric", ""), ("value", "n"), ("low", "n"), ("high", "n"), ("what it is", "")]
    rows = []
    for name, e in result.metrics.items():
        metric = metric_of(result, name)
        numbers = [(v, show_value(metric, v)) for v in (e.value, e.low, e.high)]
        cells = [Cell(text, "" if math.isnan(v) else v, "n") for v, text in numbers]
        rows.append([Cell(show_metric(metric)), *cells, Cell(metric.description, kind="note")])
    return table("metrics", head, rows, "Metrics with 95 % intervals", down=frozenset({1, 2, 3}))


def _breakdown(result: Result, drawn: Drawings) -> list[Child]:
    """By category, where there are too many for bars."""
    categories = drawn.breakdowns.get("category", {})
    if not categories:
        return []
    metric = metric_of(result)
    head = [("category", ""), (show_metric(metric), "n"), ("objects", "n")]
    rows = [
        [
            Cell(name),
            Cell(show_value(metric, part.value), part.value, "n"),
            Cell("" if part.count is None else part.count, part.count or "", "n"),
        ]
        for name, part in categories.items()
    ]
    return [
        tag("h2", "By category"),
        table("categories", head, rows, "By category", down=frozenset({1, 2})),
    ]


def _machine(result: Result) -> dict[str, str]:
    """Seconds of each step, memory, hardware and versions."""
    facts = {}
    for name, value in flatten(result.timing).items():
        if name.startswith("memory."):
            facts[name] = f"{value / 2**20:.0f} MiB"
        elif isinstance(value, float):
            facts[name] = f"{value:.3g}{'' if name.endswith('second') else ' s'}"
    return facts | {name: word(value) for name, value in flatten(result.environment).items()}


def _image_table(board: Board, scored: Scored) -> list[Child]:
    result = scored.run.result
    metric = metric_of(result)
    head = [("image", ""), (show_metric(metric), "n"), ("seconds", "n")]
    rows = []
    for id, value in scored.scores.items():
        seconds = scored.lines[id]["seconds"]
        spent = sum(v for v in seconds.values() if isinstance(v, int | float))
        shown = DASH if value is None else show_value(metric, value)
        cells = [Cell(shown, "" if value is None else value, "n"), Cell(f"{spent:.2f}", spent, "n")]
        rows.append([Cell(id), *cells])
    link = tag("a", "Look at the images", href=f"{browser_address(board)}#{result.model}")
    return [tag("h2", "Images"), tag("p", link), table("images", head, rows, "Score of each image")]
