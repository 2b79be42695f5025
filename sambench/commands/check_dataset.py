"""Read a dataset and look for what is wrong: masks, boxes, duplicates, counts, licence.

The exit code is 1 if something was found.
"""

import argparse

from sambench.commands._options import no_more
from sambench.registry import load


def add(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    parser.add_argument("dataset", help="name with options, or a .py file")
    parser.add_argument("--limit", type=int, default=0, help="only the first so many images")


def main(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Read it all and print what was found."""
    from sambench.checks.dataset import check_dataset
    from sambench.commands._findings import show

    no_more(rest, "check-dataset")
    dataset = load("dataset", arguments.dataset)
    return show(dataset.card.name, check_dataset(dataset, arguments.limit))
