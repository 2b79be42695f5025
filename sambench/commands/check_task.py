"""Try whether a task keeps its contract: plain records, numbers that no order can move.

Options of the task are flags: sambench check-task points --points 3. The exit code is 1 if
something was found.
"""

import argparse

from sambench.commands._options import add_device, choose_device, load_model, load_tasks
from sambench.registry import load


def add(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    parser.add_argument("task", help="name with options, or a .py file")
    parser.add_argument("--model", default="minisam", help="name with options")
    parser.add_argument("--dataset", default="mini", help="name with options")
    parser.add_argument("--images", type=int, default=3, help="how many, two or more")
    add_device(parser)


def main(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Run the task on a few images and print what was found."""
    from sambench.checks.task import check_task
    from sambench.commands._findings import show
    from sambench.engine.evaluation import check_fit

    [(name, task)] = load_tasks([arguments.task], rest).items()
    model = load_model(arguments.model, choose_device(arguments.device))
    dataset = load("dataset", arguments.dataset)
    check_fit(name, task, model, dataset)
    return show(name, check_task(task, model, dataset, max(2, arguments.images)))
