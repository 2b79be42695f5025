"""List, fetch and check datasets.

sambench data list          what is here, what can be fetched, what needs manual steps
sambench data fetch NAME    download, check and unpack a dataset
sambench data check NAME    read everything once, summarise it, and list what is
                            missing or damaged; --sheet FILE draws ten of the images with truth;
                            if nobody has seen its reader read real files, what to look at
"""

import argparse
import sys
from pathlib import Path

from sambench.commands._arguments import Parser
from sambench.errors import UserError
from sambench.interfaces import Dataset
from sambench.registry import entries, find, load
from sambench.video import ClipDataset


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("action", choices=["list", "fetch", "check"])
    parser.add_argument("name", nargs="?", default="", help="dataset with options")
    parser.add_argument(
        "--root", default="", help="folder to fetch into; default: $SAMBENCH_DATA/NAME, or a cache"
    )
    parser.add_argument("--sheet", type=Path, help="PNG file of ten images with their truth")


def main(arguments: argparse.Namespace) -> int:
    """Carry out the action; 1 if a check found problems."""
    if arguments.sheet and arguments.action != "check":
        raise UserError("--sheet is only for sambench data check NAME; leave it out.")
    if arguments.action == "list":
        return _list(arguments.name)
    if not arguments.name:
        raise UserError(f"sambench data {arguments.action} needs the name of a dataset.")
    if arguments.action == "fetch":
        return _fetch(arguments.name, arguments.root)
    return _check(arguments.name, arguments.sheet)


def _list(name: str) -> int:
    from sambench.data.sources import status

    for each in [name] if name else [entry.name for entry in entries("dataset")]:
        cls = find("dataset", each)
        assert issubclass(cls, Dataset)
        print(f"{each:<18}{status(cls):<24}{cls.card.title}")
        for label, value in _facts(cls).items():
            if value:
                print(f"{'':18}{label}: {value}")
    return 0


def _facts(cls: type[Dataset]) -> dict[str, str]:
    """What is shown of a dataset; "" where it is not known."""
    from sambench.data.sources import download_size, sources

    card, size = cls.card, download_size(cls)
    command = f"sambench data fetch {card.name}" if sources(cls) else ""
    return {
        "licence": card.licence,
        "layout": "; seen: ".join(filter(None, (card.layout, card.seen))),
        "homepage": card.homepage,
        "to fetch it": f"{command} ({size})" if command and size else command,
        "by hand" if command else "to get it": card.steps,
    }


def _fetch(name: str, root: str) -> int:
    from sambench.data.sources import fetch

    cls = find("dataset", name)
    assert issubclass(cls, Dataset)
    print(f"{cls.card.title}; licence: {cls.card.licence}", file=sys.stderr)
    print(fetch(cls, root))
    return 0


def _check(spec: str, sheet: Path | None) -> int:
    from sambench.checks.dataset import problems_of
    from sambench.checks.first_look import first_look
    from sambench.checks.understood import Understood

    dataset = load("dataset", spec)
    understood = Understood(dataset)
    problems = problems_of(dataset, understood.add)
    for line in understood.lines():
        print(line)
    for problem in problems:
        print(problem)
    for line in first_look(dataset):
        print(line)
    if sheet:
        _draw(dataset, understood.chosen(), sheet)
    what = "clips" if isinstance(dataset, ClipDataset) else "images"
    print(f"{dataset.card.name}: {len(dataset)} {what}, {len(problems)} problems", file=sys.stderr)
    return 1 if problems else 0


def _draw(dataset: Dataset, ids: list[str], sheet: Path) -> None:
    from sambench.report.contact_sheet import contact_sheet
    from sambench.report.pages.overlay import write_png

    write_png(contact_sheet(dataset, ids), sheet)
    print(sheet)
