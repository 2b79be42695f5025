"""Committed results of a dataset, measured again: are they the same to the printed digit?"""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sambench.commands._options import load_model, run_settings
from sambench.errors import UserError
from sambench.registry import load, split_spec
from sambench.report.numbers import DASH, counted, declared_by, show_value
from sambench.report.reproduction import dataset_of
from sambench.shown import find_metric
from sambench.store.paths import label_of
from sambench.store.run import Run, find_runs

if TYPE_CHECKING:
    from sambench.interfaces import Task
    from sambench.store.result import Result


def repeat(folder: Path, arguments: Namespace) -> int:
    """Measure each result of a dataset again and print both; 1 if a printed digit differs.

    Results of a model that cannot be loaded here, such as one whose files are not, are named and
    left out, unless it is the one asked for.

    Args:
        folder: of the committed results.
        arguments: of ``sambench reproduce``: what is the dataset, model is one of its models, with
            options where it needs some, or "".

    Raises:
        UserError: there are no such results, or none can be measured here.
    """
    runs = [
        run
        for run in find_runs([folder])
        if dataset_of(run.result) == arguments.what and _is_wanted(run.result, arguments.model)
    ]
    if not runs:
        raise UserError(
            f"{folder} has no results on {arguments.what} {arguments.model}".rstrip()
            + "; they are in a checkout of sambench."
        )
    same = left_out = 0
    for run, anew in _measured_again(runs, arguments):
        if isinstance(anew, UserError):
            left_out += 1
            print(f"{_about(run)}: not measured, {anew}", flush=True)
            continue
        lines = list(_differing(run.result, anew))
        same += not lines
        print(f"{_about(run)}: {'; '.join(lines) or 'equal to the printed digit'}", flush=True)
    measured = len(runs) - left_out
    more = f"; {left_out} not measured" if left_out else ""
    print(f"{same} of {measured} results reproduced to the digit{more}.")
    return 0 if same == measured else 1


def _about(run: Run) -> str:
    return f"{run.path.parent.parent.name}, {run.result.dataset}, {run.result.model}"


def _is_wanted(result: Result, model: str) -> bool:
    """Whether a result is of the model that was named: by its label, or with its options."""
    return model in ("", result.model) or (":" in model and split_spec(model)[0] == result.model)


def _measured_again(
    runs: Sequence[Run], arguments: Namespace
) -> Iterator[tuple[Run, Result | UserError]]:
    """Each run with its result of now, or why its model cannot be loaded.

    Tasks of one model share the embeddings of images.
    """
    from sambench.engine.evaluation import run as measure

    dataset = load("dataset", arguments.dataset or arguments.what)
    if label_of(dataset) != runs[0].result.dataset:
        raise UserError(f"{arguments.dataset} is not the {arguments.what} of the results.")
    settings = run_settings(arguments)
    by_model: dict[str, list[Run]] = {}
    for run in runs:
        spec = arguments.model if ":" in arguments.model else _spec(run.result)
        by_model.setdefault(spec, []).append(run)
    for spec, own in by_model.items():
        try:
            model = load_model(spec, arguments.device)
        except UserError as error:
            if len(by_model) == 1:
                raise
            yield from ((run, error) for run in own)
            continue
        tasks: dict[str, Task] = {f"{r.result.task}:{n}": r.task for n, r in enumerate(own)}
        yield from zip(own, measure(tasks, model, dataset, settings), strict=True)


def _spec(result: Result) -> str:
    """The model of a result, with the options that it was run with."""
    card = result.protocol["model"]
    options = ",".join(f"{name}={value}" for name, value in card.get("options", {}).items())
    return f"{card['name']}:{options}" if options else str(card["name"])


def _differing(old: Result, new: Result) -> Iterator[str]:
    """What is not the same to the printed digit, in words."""
    if old.images != new.images:
        yield f"{counted(old.images, old.items)} committed, {new.images} now"
        return
    for name, estimate in old.metrics.items():
        metric, now = find_metric(declared_by(old), name), new.metrics.get(name)
        half = 0.5 * 10.0**-metric.places / metric.factor
        value = math.nan if now is None else now.value
        both_undefined = math.isnan(value) and math.isnan(estimate.value)
        if not both_undefined and not abs(value - estimate.value) <= half:
            now_shown = DASH if now is None else show_value(metric, value)
            yield f"{name} {show_value(metric, estimate.value)} committed, {now_shown} now"
