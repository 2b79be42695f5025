"""Compare two results on the same images: paired differences with 95 % intervals.

sambench compare runs/points/coco/sam_vit_h.json runs/points/coco/mobile_sam.json

A and B are results, records, or folders with one of them; the records must lie beside. A difference
is B minus A; a star marks those whose interval leaves zero out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sambench.commands._arguments import Parser
from sambench.commands._options import COUNT, add_own_tasks, add_resamples

if TYPE_CHECKING:
    from sambench.store.comparing import Comparison, Difference


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("a", type=Path, metavar="A", help="result that the other is held against")
    parser.add_argument("b", type=Path, metavar="B", help="result")
    add_resamples(parser)
    parser.add_argument("--seed", type=COUNT, default=0, help="of the paired resamples")
    parser.add_argument("--images", type=COUNT, default=10, help="how many that differ most")
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    add_own_tasks(parser)


def main(arguments: argparse.Namespace) -> int:
    """Compare."""
    from sambench.store.comparing import compare, read_side, to_json

    comparison = compare(
        read_side(arguments.a, arguments.own),
        read_side(arguments.b, arguments.own),
        resamples=arguments.resamples,
        seed=arguments.seed,
        images=arguments.images,
    )
    print(json.dumps(to_json(comparison), indent=2) if arguments.json else _text(comparison))
    return 0


def _text(comparison: Comparison) -> str:
    first, second = comparison.names
    lines = [f"A {first}", f"B {second}", f"{comparison.images} images that both have scored"]
    if any(comparison.only):
        lines.append("left out: {} images of A only, {} of B only".format(*comparison.only))
    lines += [f"they differ by choice too: {choice}" for choice in comparison.choices]
    lines += _table("metric", comparison.metrics)
    if comparison.categories:
        lines += ["", *_table(f"{comparison.metric} by category", comparison.categories)]
    if comparison.furthest:
        lines += ["", f"images that differ most in {comparison.metric}"]
        lines += [f"{id}  {a:.4f}  {b:.4f}  {b - a:+.4f}" for id, a, b in comparison.furthest]
    return "\n".join(lines)


def _table(head: str, rows: dict[str, Difference]) -> list[str]:
    width = max(len(head), *map(len, rows))
    titles = f"{head:<{width}}       A       B     B - A   95 % interval"
    return [titles, *(f"{name:<{width}}  {_row(row)}" for name, row in rows.items())]


def _row(row: Difference) -> str:
    star = " *" if row.significant else ""
    difference = row.difference
    return (
        f"{row.first:6.4f}  {row.second:6.4f}   {difference.value:+.4f}   "
        f"{difference.low:+.4f} to {difference.high:+.4f}{star}"
    )
