"""The loop: each image is embedded once, prompted for each task, scored, recorded.

`evaluate` is the call for one task; `run` does several tasks on one dataset with one model, so that
they share the embedding.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from tqdm import tqdm

from sambench.environment import environment, peak_memory, synchronize
from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset, Model, Sample, Task
from sambench.metrics.statistics import RESAMPLES, bootstrap
from sambench.pipeline import Scorer, ahead
from sambench.plan import make_plan, protocol, slug
from sambench.registry import load
from sambench.results import RecordFile, Result, write_result

log = logging.getLogger(__name__)
GIVE_UP_AFTER = 5


@dataclass(frozen=True)
class Settings:
    """How a run is carried out; nothing here moves a number.

    Attributes:
        output: folder for records and results.
        limit: only so many images, from the first; 0 is all.
        workers: processes that score beside the model; 0 scores in between.
        batch: images embedded at a time.
        resamples: bootstrap resamples for the intervals.
        fresh: discard the records of an earlier run.
        save_predictions: keep every prediction beside the records.
        device: for measuring memory and time.
        progress: show a progress bar on stderr.
    """

    output: Path = Path("runs")
    limit: int = 0
    workers: int = 0
    batch: int = 1
    resamples: int = RESAMPLES
    fresh: bool = False
    save_predictions: bool = False
    device: str = "cpu"
    progress: bool = True


@dataclass
class Job:
    """One task of a run with its records."""

    name: str
    task: Task
    stem: Path
    records: RecordFile
    failed: dict[str, str] = field(default_factory=dict)

    def needs(self, id: str) -> bool:
        """Whether an image is still to be done."""
        return id not in self.records.done


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
    jobs = [_job(name, task, model, dataset, settings) for name, task in tasks.items()]
    start = time.perf_counter()
    try:
        _process(jobs, model, dataset, ids, settings)
    finally:
        for job in jobs:
            job.records.close()
    seconds = time.perf_counter() - start
    return [_finish(job, model, dataset, ids, settings, seconds) for job in jobs]


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
    if lacking and not hasattr(model, name):
        raise UserError(
            f"task {name} prompts with {', '.join(sorted(lacking))}, which model "
            f"{model.card.name} does not take; choose another model."
        )


def _job(name: str, task: Task, model: Model, dataset: Dataset, settings: Settings) -> Job:
    folder = settings.output / slug(name, task) / dataset.card.name
    stem = folder / model.card.name
    records = stem.with_name(stem.name + ".records.jsonl")
    if settings.fresh:
        records.unlink(missing_ok=True)
    return Job(name, task, stem, RecordFile(records, make_plan(name, task, model, dataset)))


def _process(
    jobs: list[Job], model: Model, dataset: Dataset, ids: tuple[str, ...], settings: Settings
) -> None:
    """Bring the records of all jobs to completeness."""
    todo = [id for id in ids if any(job.needs(id) for job in jobs)]
    progress = tqdm(
        total=len(ids), initial=len(ids) - len(todo), unit="image", disable=not settings.progress
    )
    recorder = _Recorder(progress, jobs)
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
    dataset: Dataset, jobs: list[Job], todo: list[str], size: int, recorder: _Recorder
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
    recorder: _Recorder,
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
            stem = _prediction_stem(job, id) if settings.save_predictions else None
            scorer.submit((job, id, spent), job.task, prediction, truth, stem)


def _prediction_stem(job: Job, id: str) -> Path:
    return job.stem.with_name(job.stem.name + ".predictions") / quote(id, safe="")


class _Recorder:
    """Turns what comes back into records, and gives up when nothing works."""

    def __init__(self, progress: tqdm[Any], jobs: Sequence[Job]) -> None:
        self._progress = progress
        self._jobs = jobs
        self._failures_in_a_row = 0

    def scored(self, key: Any, outcome: JSON | Exception, seconds: float) -> None:
        job, id, times = key
        if isinstance(outcome, Exception):
            self.failed(id, outcome, job)
            return
        self._failures_in_a_row = 0
        job.records.append({"id": id, **outcome, "seconds": {**times, "score": seconds}})
        job.failed.pop(id, None)
        self._advance(id)

    def failed(self, id: str, error: Exception, job: Job | None = None) -> None:
        """Record that an image could not be scored, for one task or for all that need it."""
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        log.warning("image %s failed: %s", id, reason)
        log.debug("image %s", id, exc_info=error)
        for each in [job] if job else [j for j in self._jobs if j.needs(id)]:
            each.records.fail(id, reason)
            each.failed[id] = reason
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= GIVE_UP_AFTER:
            raise UserError(f"{GIVE_UP_AFTER} images in a row failed, the last with: {reason}")
        self._advance(id)

    def _advance(self, id: str) -> None:
        if not any(job.needs(id) and id not in job.failed for job in self._jobs):
            self._progress.update()


def _finish(
    job: Job,
    model: Model,
    dataset: Dataset,
    ids: tuple[str, ...],
    settings: Settings,
    seconds: float,
) -> Result:
    """Summarize the records, in the dataset's order, into a result on disk."""
    records = [job.records.done[id] for id in ids if id in job.records.done]
    if not records:
        raise UserError(f"no image could be scored; see {job.records.path}.")
    estimator = job.task.estimator(records)
    result = Result(
        task=job.name,
        model=model.card.name,
        dataset=dataset.card.name,
        metric=job.task.metric,
        images=len(records),
        metrics=bootstrap(estimator, len(records), resamples=settings.resamples),
        protocol=protocol(job.task, model, dataset, ids),
        failed=job.failed,
        timing={**_timing(records), "memory": peak_memory(settings.device), "wall": seconds},
        environment=environment(settings.device),
        note=dataset.card.note,
    )
    write_result(job.stem.with_name(job.stem.name + ".json"), result)
    return result


def _timing(records: list[JSON]) -> JSON:
    """Median and 95th percentile seconds of each step."""
    steps = ("read", "embed", "predict", "score")
    taken = {step: [r["seconds"][step] for r in records] for step in steps}
    timing: JSON = {
        step: {"median": float(np.median(values)), "p95": float(np.quantile(values, 0.95))}
        for step, values in taken.items()
    }
    model_seconds = float(np.mean(taken["embed"]) + np.mean(taken["predict"]))
    return {**timing, "images_per_second": 1 / model_seconds if model_seconds else None}


def default_workers() -> int:
    """Scoring processes for this machine: all cores but the one that drives the model."""
    return max(1, min(8, (os.cpu_count() or 1) - 1))
