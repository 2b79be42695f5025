"""A run from its parts: tasks, a model, a dataset.

`evaluate` is the call for one task; `run` does several tasks on one dataset with one model, so that
they share the embedding; `carry_out` makes only the records, all or those of a shard.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, get_origin

from sambench.data.fitting import alternatives
from sambench.engine.compiling import compiling_announced
from sambench.engine.embedding_cache import CacheOptions
from sambench.engine.environment import Session, forget_peak
from sambench.engine.loop import Loop, Parts, Sink, WorkItem
from sambench.engine.models import load_model
from sambench.engine.recorder import (
    OpenRun,
    Recorder,
    finish,
    note_cost,
    opened,
    progress_of,
)
from sambench.engine.settings import Settings
from sambench.engine.sharding import Shard
from sambench.errors import UserError, nearest
from sambench.interfaces import JSON, Dataset, Model, Task
from sambench.metrics.statistics import RESAMPLES
from sambench.registry import (
    find,
    load,
    option_names,
    option_types,
    resolve,
    spec_of,
    split_spec,
)
from sambench.store.code import has_source
from sambench.store.display import counted, items_stated
from sambench.store.kept import parse_keep
from sambench.store.options import changed_options
from sambench.store.plan import describe, is_direct
from sambench.store.result import Result
from sambench.store.sources import Sources, drop_changed, images_of
from sambench.video.clips import items_of
from sambench.video.interfaces import VideoModel

log = logging.getLogger(__name__)
Tasks = Mapping[str, Task]
"""Tasks by name; where one occurs more than once, by name with options: ``points:points=3``."""
Work = Callable[[Sequence[WorkItem], Sink], None]
"""Does images and tells the sink what came of each."""


def evaluate(
    task: str | Task,
    *,
    model: str | Model,
    dataset: str | Dataset,
    device: str = "auto",
    output: str | Path = "runs",
    limit: int = 0,
    only: Sequence[str] = (),
    workers: int = 0,
    batch: int = 0,
    resamples: int = RESAMPLES,
    fresh: bool | None = None,
    predictions: str = "drawn",
    progress: bool = True,
    shard: Shard | None = None,
    cache: CacheOptions | None = None,
    **options: Any,
) -> Result:
    """Score one model on one task and dataset.

    What an instance was made with, or of a class in a notebook what it computes, is not known, and
    the weights of a model may have changed since the last call. So all images are scored again
    unless ``fresh=False`` is given.

    Args:
        task: name with options, such as "points:points=3", or an instance.
        model: name with options, or an instance.
        dataset: name with options, or an instance.
        device: of a model given by name: cpu, cuda, cuda:1, ...; auto is a GPU if there is one
            that the model can use.
        output: folder for records and results.
        limit: only so many images, from the first; 0 is all.
        only: ids of the images to score; empty is all.
        workers: processes that score beside the model; 0 scores in between.
        batch: images embedded at a time; 0 is as many as the model likes.
        resamples: how many sets of images the intervals may look at; 0: no intervals.
        fresh: discard the records of an earlier run; None is whether an instance was given.
        predictions: which are kept beside the records: "drawn", of images that a site may draw;
            "all"; "none"; or how much room drawn ones may take, such as "500MB".
        progress: show on stderr how far the run is.
        shard: do only this part of the images, in a records file of its own.
        cache: keep embeddings on disk.
        options: of the task, such as ``points_per_side=4``, and ``preset``, the name of a set of
            them.

    Raises:
        UserError: bad input, in one sentence; of an unknown argument it names the nearest.
    """
    known = not isinstance(model, Model) and _is_known(task) and _is_known(dataset)
    settings = Settings(
        output=Path(output), limit=limit, only=tuple(only), workers=workers, batch=batch,
        resamples=resamples, fresh=not known if fresh is None else fresh,
        predictions=parse_keep(predictions), progress=progress, shard=shard, cache=cache,
    )  # fmt: skip
    _check_cache(model, cache)
    made = _with_options(task, options)
    return run(made, _placed(model, device), _made("dataset", dataset), settings)[0]


def _placed(given: str | Model, device: str) -> Model:
    """A model on a device; an object is where it is."""
    if isinstance(given, str):
        model: Model = load_model(given, device)
        return model
    if device not in {"auto", str(given.device)}:
        raise UserError(
            f"this {given.card.name} is on {given.device}; leave out device, or give the model by "
            "its name."
        )
    return given


def _check_cache(model: str | Model, cache: CacheOptions | None) -> None:
    """Refuse to keep the embeddings of weights that are not known."""
    if isinstance(model, Model) and cache:
        raise UserError(
            "cached embeddings are distinguished by the model's card, which does not follow the "
            "weights of a model object; leave out cache, or give the model by its name."
        )


def _made(kind: str, given: Any) -> Any:
    return load(kind, given) if isinstance(given, str) else given


def _with_options(given: str | Task, options: Mapping[str, Any]) -> Tasks:
    """A task, made or made again with options, by its name.

    Raises:
        UserError: it has no such option, or not such a value.
    """
    if isinstance(given, str):
        name, cls = split_spec(given)[0], find("task", split_spec(given)[0])
    else:
        name, cls = type(given).__name__.lower(), type(given)
    taken = option_names(cls)
    unknown = [key for key in options if key not in taken]
    if unknown:
        known = taken | inspect.signature(evaluate).parameters.keys() - {"options"}
        said = f"neither evaluate nor task {name} takes {unknown[0]!r}"
        raise UserError(f"{said}; {nearest(unknown[0], known)}")
    if isinstance(given, str):
        return {name: load("task", given, **options)}
    changed: Any = given  # every task is a dataclass
    return {name: replace(changed, **resolve(cls, name, options)) if options else given}


def _is_known(given: str | Task | Dataset) -> bool:
    """Whether all that a task or a dataset computes with is known."""
    if isinstance(given, str):
        return True
    return has_source(given) and (isinstance(given, Task) or spec_of(given) is not None)


def run(tasks: Tasks, model: Model, dataset: Dataset, settings: Settings) -> list[Result]:
    """Score one model on several tasks of one dataset, embedding each image once.

    Continues where an earlier run of the same plan stopped.

    Args:
        tasks: see `Tasks`; the results are in their order.
        model: its card is part of every result.
        dataset: its truth must be of the type that each task needs.
        settings: how the run is carried out.

    Raises:
        UserError: the parts do not fit together, or records of another plan are in the way.
    """
    return results(carry_out(tasks, model, dataset, settings), settings.ids(dataset), settings)


class Engine(Protocol):
    """Where a run is carried out."""

    @property
    def place(self) -> str:
        """On what, in words."""

    def check(self, name: str, task: Task, dataset: Dataset) -> None:
        """Refuse what does not fit, as far as that is known before the run."""

    def carry_out(self, tasks: Tasks, dataset: Dataset, settings: Settings) -> list[OpenRun]:
        """Bring the records of a run to completeness."""


@dataclass(frozen=True)
class Local:
    """The engine of this machine: one model in this process, scores in others."""

    model: Model

    @property
    def place(self) -> str:
        """The model's device."""
        return str(self.model.device)

    def check(self, name: str, task: Task, dataset: Dataset) -> None:
        """Refuse a task that model or dataset do not fit, before anything is predicted."""
        check_fit(name, task, self.model, dataset)

    def carry_out(self, tasks: Tasks, dataset: Dataset, settings: Settings) -> list[OpenRun]:
        """Bring the records of a run to completeness with the model of this process."""
        return carry_out(tasks, self.model, dataset, settings)


def results(runs: Sequence[OpenRun], ids: tuple[str, ...], settings: Settings) -> list[Result]:
    """The result of each run; one without any record is refused last, so that no other is lost.

    Raises:
        UserError: a run has no record.
    """
    done = [finish(run, ids, settings) for run in runs if run.records.index.offsets]
    for run in runs:
        if not run.records.index.offsets:
            item = items_stated(run.header["about"]["dataset"]).removesuffix("s")
            raise UserError(f"no {item} could be scored; see {run.records.path}.")
    return done


def carry_out(tasks: Tasks, model: Model, dataset: Dataset, settings: Settings) -> list[OpenRun]:
    """Bring the records of a run, or of a shard of it, to completeness; no result is made.

    Raises:
        UserError: see `run`.
    """
    ids = settings.ids(dataset)
    if settings.cache:
        model = settings.cache.stated(model)
    headers = headers_of(tasks, model, dataset)
    check_images(tasks.values(), dataset, ids)
    with opened(headers, list(tasks.values()), settings) as runs:
        parts = Parts([run.task for run in runs], model, dataset)

        session = Session(str(model.device))

        def work(todo: Sequence[WorkItem], sink: Sink) -> None:
            forget_peak(session.device)
            loop = Loop(parts, settings.settled(len(todo)), sink)
            try:
                loop.run(todo)
            finally:
                loop.close()
                session.worker_peak = loop.worker_peak

        complete(runs, ids, settings, images_of(dataset), work, session.cost)
    return runs


def headers_of(tasks: Tasks, model: Model, dataset: Dataset) -> list[JSON]:
    """What each task of a run is; nothing is opened.

    Raises:
        UserError: a task does not fit.
    """
    named = {label: (split_spec(label)[0], task) for label, task in tasks.items()}
    for name, task in named.values():
        check_fit(name, task, model, dataset)
        unused = changed_options(task).keys() & task.prompting if is_direct(task, model) else ()
        if unused:
            log.warning(
                "%s: model %s takes no prompts for it; %s of no account", name, model.card.name,
                f"{', '.join(sorted(unused))} {'is' if len(unused) == 1 else 'are'}",
            )  # fmt: skip
    return [describe(name, task, model, dataset) for name, task in named.values()]


def complete(
    runs: Sequence[OpenRun],
    ids: tuple[str, ...],
    settings: Settings,
    sources: Sources,
    work: Work,
    cost: Callable[[], JSON],
) -> None:
    """Have all that is missing or has changed done, what failed before last; note what it cost.

    Args:
        runs: one for each task.
        ids: the images of all shards.
        settings: how the run is carried out.
        sources: tell which images have changed.
        work: does images.
        cost: gives, after the work or what there was of it, its peak memory and where it was done.
    """
    mine = settings.shard.take(ids) if settings.shard else ids
    for run in runs:
        _drop_changed(run, mine, sources)
    wanted = {id: tuple(n for n, run in enumerate(runs) if run.needs(id)) for id in mine}
    todo = [WorkItem(id, needed) for id, needed in wanted.items() if needed]
    todo.sort(key=lambda item: any(item.id in run.tried for run in runs))
    if not todo:
        return
    start = time.perf_counter()
    with (
        compiling_announced(show=settings.progress),
        progress_of(runs, mine, settings) as progress,
    ):
        recorder = Recorder(progress, runs)
        try:
            work(todo, recorder)
        finally:
            for run in runs:
                if run.kept is not None:
                    run.kept.prune()
            if recorder.count:
                seconds = time.perf_counter() - start
                note_cost(runs, {"wall": seconds, **cost()})


def _drop_changed(run: OpenRun, ids: Sequence[str], sources: Sources) -> None:
    """Drop records of images that have changed since, and say so."""
    known = sum(id in run.records for id in ids)
    moved = run.records.index.header.get("place", "") not in {"", run.header["place"]}
    changed = drop_changed(run.records, ids, sources, moved=moved)
    if changed:
        log.warning(
            "%s: %d of %d %s changed since they were scored (first %s) and are scored again",
            run.records.path, len(changed), known, sources.what, changed[0],
        )  # fmt: skip


def check_fit(name: str, task: Task, model: Model, dataset: Dataset) -> None:
    """Check that a dataset has the truth and a model the prompts that a task needs.

    Raises:
        UserError: they do not.
    """
    check_truth(name, task, dataset)
    lacking = task.needs - model.prompts
    if lacking and model.direct(task.direct) is None:
        raise UserError(
            f"task {name} prompts with {', '.join(sorted(lacking))}, which model "
            f"{model.card.name} does not take; {_way_out(task, model)}choose another model."
        )


def _way_out(task: Any, model: Model) -> str:
    """What to give for the model's prompts to do: an option of the task, or what follows by it."""
    if task.needs & VideoModel.prompts and not isinstance(model, VideoModel):
        return "give --model propagate:model=NAME, which follows objects by boxes, or "
    for option, kind in option_types(type(task)).items():
        values = get_args(kind) if get_origin(kind) is Literal else (False,) if kind is bool else ()
        for value in values:
            with contextlib.suppress(UserError):  # it does not go with the others
                if replace(task, **{option: value}).needs <= model.prompts:
                    return f"give --{option.replace('_', '-')} {str(value).lower()} or "
    return ""


def check_truth(name: str, task: Task, dataset: Dataset) -> None:
    """Check that a dataset has the truth that a task needs, and that the task's options fit it.

    Raises:
        UserError: they do not.
    """
    if task.truth not in dataset.truths:
        has = " and ".join(truth.__name__ for truth in dataset.truths)
        raise UserError(
            f"task {name} needs {task.truth.__name__}, dataset {dataset.card.name} has {has}; "
            f"{alternatives(task.truth, dataset)}."
        )
    task.check(dataset)


def check_images(tasks: Iterable[Task], dataset: Dataset, ids: Sequence[str]) -> None:
    """Check that the images of a run give its tasks something to score.

    Raises:
        UserError: nothing is annotated in any of them, or a task refuses them.
    """
    if dataset.annotated(ids) == (0, 0):
        raise UserError(
            f"nothing is annotated in the {counted(len(ids), items_of(dataset))} asked for of "
            f"dataset {dataset.card.name}, so there is nothing to score; give its annotations."
        )
    for task in tasks:
        task.check_images(dataset, ids)
