"""Compare two results on the same images: paired differences, and whether they are noise.

sambench compare runs/points/coco/sam_vit_h.json runs/points/coco/mobile_sam.json

A and B are results, records, or folders with one of them; the records must lie beside. A difference
is B minus A, with its 95 % interval. p says how often two equal models would differ as much, found
by swapping their answers image by image; a star marks p of .05 or less. Where there is none, the
last column says how many images would show a difference of this size. An arrow down marks metrics
of which the lower value is the better one.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from sambench.commands._arguments import Parser
from sambench.commands._options import COUNT, RESAMPLES, add_all, add_own_tasks, add_resamples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sambench.interfaces import Metric
    from sambench.store.comparing import Comparison, Difference

MOST_CATEGORIES = 20
FINER = 1
"""Decimals that a difference has more than a value: a paired one is far less noisy."""


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("a", type=Path, metavar="A", help="baseline result")
    parser.add_argument("b", type=Path, metavar="B", help="result")
    add_resamples(parser)
    parser.add_argument(
        "--swaps",
        type=RESAMPLES,
        default=10_000,
        help="swaps of the randomization test; 0: no test",
    )
    parser.add_argument("--seed", type=COUNT, default=0, help="seed of intervals and test")
    parser.add_argument(
        "--images",
        type=COUNT,
        default=10,
        help="how many images to list, most different first",
    )
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    add_all(parser)
    add_own_tasks(parser)


def main(arguments: argparse.Namespace) -> int:
    """Compare."""
    from sambench.store.comparing import compare, to_json
    from sambench.store.run import read_run

    comparison = compare(
        read_run(arguments.a, arguments.own),
        read_run(arguments.b, arguments.own),
        resamples=arguments.resamples,
        swaps=arguments.swaps,
        seed=arguments.seed,
        images=arguments.images,
    )
    if arguments.json:
        print(json.dumps(to_json(comparison), indent=2))
    else:
        print(_text(comparison, all_metrics=arguments.all))
    return 0


def _text(comparison: Comparison, *, all_metrics: bool) -> str:
    from sambench.report.numbers import counted, few_images, legend, show_metric, telling, withheld
    from sambench.shown import find_metric
    from sambench.store.comparing import STAR

    main = find_metric(comparison.declared, comparison.metric)
    metrics = [find_metric(comparison.declared, name) for name in comparison.metrics]
    shown = metrics if all_metrics else telling(metrics, comparison.metric)
    (first, second), items = comparison.names, comparison.items
    lines = [
        f"A {first}",
        f"B {second}",
        f"{counted(comparison.images, items)} that both have scored",
    ]
    if any(comparison.only):
        only = comparison.only
        lines.append(f"left out: {counted(only[0], items)} of A only, {only[1]} of B only")
    lines += [f"they differ by choice too: {choice}" for choice in comparison.choices]
    rows = [(show_metric(metric), metric, comparison.metrics[metric.name]) for metric in shown]
    lines += _table("metric", rows, items)
    if len(shown) < len(metrics):
        lines.append(f"and {len(metrics) - len(shown)} more with --all")
    lines += _categories(comparison, main, all_categories=all_metrics)
    lines += _furthest(comparison, main)
    few = few_images(comparison.images, items=items)
    whys = withheld((metric, comparison.metrics[metric.name].difference) for metric in shown)
    said = [*legend(shown), STAR, *whys, *([f"{few}."] if few else [])]
    return "\n".join([*lines, "", *said])


def _categories(comparison: Comparison, main: Metric, *, all_categories: bool) -> list[str]:
    """The table by category, of many those that differ most."""
    from sambench.report.numbers import category_labels, show_metric

    found = comparison.categories
    ids = list(found)
    if len(ids) > MOST_CATEGORIES and not all_categories:
        ids = sorted(ids, key=lambda id: -_apart(found[id]))[:MOST_CATEGORIES]
    labels = category_labels(ids, comparison.category_names)
    rows = [(labels[id], main, found[id]) for id in ids]
    left = len(found) - len(ids)
    more = [f"and {left} more with --all, which differ less"] if left else []
    whys = dict.fromkeys(found[id].difference.withheld for id in ids)
    more += [f"no interval for some of them: {why}" for why in whys if why]
    return (
        ["", *_table(f"{show_metric(main)} by category", rows, comparison.items), *more]
        if rows
        else []
    )


def _apart(row: Difference) -> float:
    """How far both sides are apart; what is not defined comes last."""
    gap = abs(row.difference.value)
    return -1.0 if math.isnan(gap) else gap


def _furthest(comparison: Comparison, main: Metric) -> list[str]:
    from sambench.report.numbers import show_difference, show_metric, show_value
    from sambench.report.table import aligned

    rows = [
        (id, show_value(main, a), show_value(main, b), show_difference(main, b - a, FINER))
        for id, a, b in comparison.furthest
    ]
    return (
        ["", f"{comparison.items} that differ most in {show_metric(main)}", *aligned(rows)]
        if rows
        else []
    )


def _table(head: str, rows: Sequence[tuple[str, Metric, Difference]], items: str) -> list[str]:
    from sambench.report.table import aligned

    return aligned([
        (head, "A", "B", "B - A", "95 % interval", "p", f"{items} to settle"),
        *((name, *_row(metric, row)) for name, metric, row in rows),
    ])  # fmt: skip


def _row(metric: Metric, row: Difference) -> tuple[str, ...]:
    """Both values, their difference, its interval, p, and the images to settle it."""
    from sambench.report.numbers import has_interval, show_difference, show_value, why_undefined
    from sambench.store.display import show_p

    difference = row.difference
    first, second = (show_value(metric, number) for number in (row.first, row.second))
    gap = show_difference(metric, difference.value, FINER)
    if math.isnan(difference.value):
        return first, second, gap, "", "", why_undefined(metric)
    interval = ""
    if has_interval(difference):
        low, high = (show_difference(metric, n, FINER) for n in (difference.low, difference.high))
        interval = f"{low} to {high}"
    p = show_p(row.p) + (" *" if row.significant else "  ")
    settle = "" if row.significant or row.settle is None else f"{row.settle:,}"
    return first, second, gap, interval, p, settle
