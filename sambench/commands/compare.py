"""Compare two results on the same images: paired differences with 95 % intervals.

sambench compare runs/points/coco/sam_vit_h.json runs/points/coco/mobile_sam.json

A and B are results, records, or folders with one of them; the records must lie beside. A difference
is B minus A; a star marks those whose interval leaves zero out, an arrow down the metrics of which
the lower value is the better one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sambench.commands._arguments import Parser
from sambench.commands._options import COUNT, add_own_tasks, add_resamples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sambench.interfaces import Metric
    from sambench.store.comparing import Comparison, Difference


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("a", type=Path, metavar="A", help="baseline result")
    parser.add_argument("b", type=Path, metavar="B", help="result")
    add_resamples(parser)
    parser.add_argument("--seed", type=COUNT, default=0, help="seed of the paired bootstrap")
    parser.add_argument(
        "--images",
        type=COUNT,
        default=10,
        help="how many images to list, most different first",
    )
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    add_own_tasks(parser)


def main(arguments: argparse.Namespace) -> int:
    """Compare."""
    from sambench.store.comparing import compare, to_json
    from sambench.store.run import read_run

    comparison = compare(
        read_run(arguments.a, arguments.own),
        read_run(arguments.b, arguments.own),
        resamples=arguments.resamples,
        seed=arguments.seed,
        images=arguments.images,
    )
    print(json.dumps(to_json(comparison), indent=2) if arguments.json else _text(comparison))
    return 0


def _text(comparison: Comparison) -> str:
    from sambench.report.numbers import legend, terminal_name, terminal_value
    from sambench.shown import find_metric

    main = find_metric(comparison.declared, comparison.metric)
    title = terminal_name(main)
    metrics = [find_metric(comparison.declared, name) for name in comparison.metrics]
    first, second = comparison.names
    lines = [f"A {first}", f"B {second}", f"{comparison.images} images that both have scored"]
    if any(comparison.only):
        lines.append("left out: {} images of A only, {} of B only".format(*comparison.only))
    lines += [f"they differ by choice too: {choice}" for choice in comparison.choices]
    named = [terminal_name(metric) for metric in metrics]
    lines += _table("metric", named, metrics, list(comparison.metrics.values()))
    if comparison.categories:
        names, rows = list(comparison.categories), list(comparison.categories.values())
        lines += ["", *_table(f"{title} by category", names, [main] * len(rows), rows)]
    if comparison.furthest:
        lines += ["", f"images that differ most in {title}"]
        for id, a, b in comparison.furthest:
            numbers = (*(terminal_value(main, v) for v in (a, b)), terminal_value(main, b - a, "+"))
            lines.append("  ".join([id, *numbers]))
    return "\n".join([*lines, "", *legend(metrics)])


def _table(
    head: str, names: Sequence[str], metrics: Sequence[Metric], rows: Sequence[Difference]
) -> list[str]:
    cells = [_row(metric, row) for metric, row in zip(metrics, rows, strict=True)]
    width = max(len(head), *map(len, names))
    widths = [max(6, *map(len, column)) for column in list(zip(*cells, strict=True))[:3]]
    titles = (f"{text:>{w}}" for text, w in zip(("A", "B", "B - A"), widths, strict=True))
    lines = [f"{head:<{width}}  {'  '.join(titles)}   95 % interval"]
    for name, (*numbers, interval) in zip(names, cells, strict=True):
        shown = (f"{number:>{w}}" for number, w in zip(numbers, widths, strict=True))
        lines.append(f"{name:<{width}}  {'  '.join(shown)}   {interval}")
    return lines


def _row(metric: Metric, row: Difference) -> tuple[str, str, str, str]:
    """Both values, their difference and its interval."""
    from sambench.report.numbers import terminal_value

    difference = row.difference
    value, low, high = (
        terminal_value(metric, number, "+")
        for number in (difference.value, difference.low, difference.high)
    )
    star = " *" if row.significant else ""
    first, second = (terminal_value(metric, number) for number in (row.first, row.second))
    return first, second, value, f"{low} to {high}{star}"
