"""Score predictions from files, without a model: that a run kept or made elsewhere.

For masks a COCO results file of all images, or a folder with one per image, named by its id. For
edges a folder of maps named by image: PNG, NPY or MAT. Maps made elsewhere are scored as they are
(--suppression structured thins them); the value that stands for 1 is inferred from all of them, or
given as --scale. Saved ones keep the options they were made with; scoring options may change.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sambench.commands._arguments import Parser, given_options
from sambench.commands._options import add_all, add_run_options, options_of, run_settings
from sambench.errors import UserError
from sambench.interfaces import Task
from sambench.registry import find, load, plain, split_spec


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("--task", required=True, help="name with options")
    parser.add_argument("--dataset", required=True, help="name with options")
    parser.add_argument(
        "--predictions",
        type=Path,
        required=True,
        help="folder with one file per image, or one COCO results file",
    )
    parser.add_argument("--name", default="", help="model name to file the result under")
    add_run_options(parser)
    add_all(parser)


def tasks(arguments: argparse.Namespace) -> list[str]:
    """The task whose options are arguments."""
    return [arguments.task] if arguments.task else []


def main(arguments: argparse.Namespace) -> int:
    """Score; 1 if any image failed, or nothing was measured."""
    from sambench.engine.rescoring import rescore, saved_model
    from sambench.report.table import result_table

    model = saved_model(arguments.predictions, arguments.name)
    name, task = _task(arguments.task, arguments.predictions, given_options(arguments))
    dataset = load("dataset", arguments.dataset)
    settings = run_settings(arguments)
    result = rescore(name, task, arguments.predictions, model, dataset, settings)
    if arguments.json:
        print(json.dumps(result.to_json(), indent=2))
    else:
        print(result_table(result, task.paper, all_metrics=arguments.all))
    return 0 if result.complete and result.defined else 1


def _task(spec: str, folder: Path, options: Mapping[str, Any]) -> tuple[str, Task]:
    """The task with the options that the predictions were made with."""
    from sambench.store.manifests import read_manifest

    name, given = split_spec(spec)
    made = read_manifest(folder)
    if made and made["task"] != plain(name):
        raise UserError(f"{folder} holds predictions for task {made['task']}, not {name}.")
    cls: Any = find("task", name)
    kept = made["options"] if made else cls.foreign
    task: Task = load("task", name, **{**kept, **given, **options_of(cls, options)})
    return name, task
