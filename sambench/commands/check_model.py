"""Try whether a model keeps its contract: shapes, coordinate order, batches, state between images.

The exit code is 1 if something was found.
"""

import argparse

from sambench.commands._options import add_device, choose_device, load_model, no_more
from sambench.registry import load


def add(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    parser.add_argument("model", help="name with options, or a .py file")
    parser.add_argument("--dataset", default="mini", help="where the photographs are from")
    parser.add_argument("--images", type=int, default=3, help="how many, two or more")
    add_device(parser)


def main(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Run the experiments and print what they found."""
    from sambench.checks.bench import photographs
    from sambench.checks.model import check_model
    from sambench.commands._findings import show

    no_more(rest, "check-model")
    model = load_model(arguments.model, choose_device(arguments.device))
    tried = photographs(load("dataset", arguments.dataset), max(2, arguments.images))
    return show(model.card.name, check_model(model, tried))
