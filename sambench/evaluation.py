"""The loop: each image is embedded once, prompted for each task, scored, recorded.

`evaluate` is the call for one task; `run` does several tasks on one dataset with one model, so that
they share the embedding.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sambench.environment import synchronize
from sambench.errors import UserError
from sambench.interfaces import Dataset, Model, Sample, Task
from sambench.jobs import Job, Recorder, Settings, finish, open_job, progress_bar
from sambench.pipeline import Scorer, ahead, score_image
from sambench.registry import load
from sambench.results import Result


def evaluate(
    task: str | Task, *, model: str | Model, dataset: str | Dataset, **settings: Any
) -> Result:
    """Score one model on one task and dataset.

    Args:
        task: name with options, such as "points:points=3", or an instance.
        model: name with options, or an instance.
        dataset: name with options, or an instance.
        settings: fields of `Settings`.

    Raises:
        UserError: bad input, in one sentence.
    """
    loaded = load("task", task) if isinstance(task, str) else task
    name = task.partition(":")[0] if isinstance(task, str) else type(task).__name__.lower()
    return run(
        {name: loaded},
        load("model", model) if isinstance(model, str) else model,
        load("dataset", dataset) if isinstance(dataset, str) else dataset,
        Settings(**settings),
    )[0]


def run(tasks: dict[str, Task], model: Model, dataset: Dataset, settings: Settings) -> list[Result]:
    """Score one model on several tasks of one dataset, embedding each image once.

    Continues where an earlier run of the same plan stopped.

    Raises:
        UserError: the parts do not fit together, or records of another plan are in the way.
    """
    for name, task in tasks.items():
        check_fit(name, task, model, dataset)
    ids = dataset.ids[: settings.limit or None]
    if not ids:
        raise UserError(f"dataset {dataset.card.name} has no images; check its options.")
    jobs = [open_job(name, task, model, dataset, settings) for name, task in tasks.items()]
    start = time.perf_counter()
    try:
        _process(jobs, model, dataset, ids, settings)
    finally:
        for job in jobs:
            job.records.close()
    seconds = time.perf_counter() - start
    return [finish(job, model, dataset, ids, settings, seconds) for job in jobs]


def check_fit(name: str, task: Task, model: Model, dataset: Dataset) -> None:
    """Check that a dataset has the truth and a model the prompts that a task needs.

    Raises:
        UserError: they do not.
    """
    if task.truth not in dataset.truths:
        has = " and ".join(truth.__name__ for truth in dataset.truths)
        raise UserError(
            f"task {name} needs {task.truth.__name__}, dataset {dataset.card.name} has {has}; "
            "choose another dataset."
        )
    lacking = task.needs - model.prompts
    if lacking and not (task.direct and hasattr(model, task.direct)):
        raise UserError(
            f"task {name} prompts with {', '.join(sorted(lacking))}, which model "
            f"{model.card.name} does not take; choose another model."
        )
    task.check(dataset)


def _process(
    jobs: list[Job], model: Model, dataset: Dataset, ids: tuple[str, ...], settings: Settings
) -> None:
    """Bring the records of all jobs to completeness."""
    todo = [id for id in ids if any(job.needs(id) for job in jobs)]
    progress = progress_bar(jobs, ids, settings)
    recorder = Recorder(progress, jobs)
    scorer = Scorer(settings.workers, recorder.scored)
    try:
        for samples in _batches(dataset, jobs, todo, settings.batch, recorder):
            _batch(samples, jobs, model, settings, scorer, recorder)
        scorer.finish()
    finally:
        scorer.close()
        progress.close()


@dataclass(frozen=True)
class _Read:
    """An image with the truths that its tasks need, and how long reading took."""

    sample: Sample
    truths: dict[type, Any]
    seconds: float


def _batches(
    dataset: Dataset, jobs: list[Job], todo: list[str], size: int, recorder: Recorder
) -> Iterator[list[_Read]]:
    """Images read ahead, a few at a time; one that cannot be read is recorded as failed."""
    kinds = {job.task.truth for job in jobs}

    def read(id: str) -> _Read:
        start = time.perf_counter()
        sample = Sample(id, dataset.read_image(id), None)
        truths: dict[type, Any] = {kind: dataset.read_truth(id, kind) for kind in kinds}
        return _Read(sample, truths, time.perf_counter() - start)

    batch: list[_Read] = []
    for id, future in ahead(read, todo):
        try:
            batch.append(future.result())
        except Exception as error:  # noqa: BLE001 (whatever is wrong with an image is recorded)
            recorder.failed(id, error)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _batch(
    batch: list[_Read],
    jobs: list[Job],
    model: Model,
    settings: Settings,
    scorer: Scorer,
    recorder: Recorder,
) -> None:
    """Embed a few images, prompt for each task, hand over to the scorer."""
    start = time.perf_counter()
    try:
        embeddings = model.embed([item.sample.image for item in batch])
        synchronize(settings.device)
    except Exception as error:  # noqa: BLE001 (whatever the model raises is recorded)
        for item in batch:
            recorder.failed(item.sample.id, error)
        return
    embedding_seconds = (time.perf_counter() - start) / len(batch)
    for item, embedding in zip(batch, embeddings, strict=True):
        id = item.sample.id
        times = {"read": item.seconds, "embed": embedding_seconds}
        for job in (job for job in jobs if job.needs(id)):
            truth = item.truths[job.task.truth]
            began = time.perf_counter()
            try:
                prediction = job.task.predict(model, embedding, replace(item.sample, truth=truth))
                synchronize(settings.device)
            except Exception as error:  # noqa: BLE001 (whatever the model raises is recorded)
                recorder.failed(id, error, job)
                continue
            spent = {**times, "predict": time.perf_counter() - began}
            stem = job.prediction_stem(id) if settings.save_predictions else None
            scorer.submit((job, id, spent), score_image, job.task, prediction, truth, stem)
