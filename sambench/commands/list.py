"""Show models, tasks, datasets and suites: what can be typed after --model, --task, --dataset."""

import argparse

from sambench.commands._arguments import Parser
from sambench.data.suites import SUITES
from sambench.registry import Entry, entries

KINDS = ("model", "task", "dataset")


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("kind", nargs="?", choices=[f"{kind}s" for kind in KINDS])


def main(arguments: argparse.Namespace) -> int:
    """Print one line per plug-in; one that cannot be used says why."""
    for kind in KINDS:
        if arguments.kind in (None, f"{kind}s"):
            print(f"{kind}s")
            for entry in entries(kind):
                print(_line(entry))
    if arguments.kind in (None, "datasets"):
        for name, members in SUITES.items():
            print(f"suite {name}: {', '.join(members)}")
    return 0


def _line(entry: Entry) -> str:
    origin = "" if entry.origin == "built-in" else f" [{entry.origin}]"
    return (
        f"  {entry.name:<18}{f'UNUSABLE: {entry.error}' if entry.error else entry.summary}{origin}"
    )
