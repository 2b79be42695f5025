"""A job is one task of a run: its records while it goes on, its result at the end."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from tqdm import tqdm

from sambench.environment import environment, peak_memory
from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset, Model, Task
from sambench.metrics.statistics import RESAMPLES, bootstrap
from sambench.plan import make_plan, protocol, raw_options, slug
from sambench.results import RecordFile, Result, write_json, write_result

MANIFEST = "sambench.json"
"""Beside predictions that a run saved: what made them."""
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

    def prediction_stem(self, id: str) -> Path:
        """Where the prediction for an image is kept, without its ending."""
        return self.stem.with_name(self.stem.name + ".predictions") / quote(id, safe="")

    def needs(self, id: str) -> bool:
        """Whether an image is still to be done."""
        return id not in self.records.done


def result_path(name: str, task: Task, dataset: str, model: Model, settings: Settings) -> Path:
    """Where a result is kept: ``OUTPUT/<task>/<dataset>/<model>.json``."""
    return settings.output / slug(name, task) / dataset / f"{model.card.name}.json"


def open_job(name: str, task: Task, model: Model, dataset: Dataset, settings: Settings) -> Job:
    """Open the records of a task, those of an earlier run included.

    Raises:
        UserError: they are of another plan.
    """
    stem = result_path(name, task, dataset.card.name, model, settings).with_suffix("")
    records = stem.with_name(stem.name + ".records.jsonl")
    if settings.fresh:
        records.unlink(missing_ok=True)
    if settings.save_predictions:
        made = {"task": name, "options": raw_options(task), "model": asdict(model.card)}
        write_json(stem.with_name(stem.name + ".predictions") / MANIFEST, made)
    return Job(name, task, stem, RecordFile(records, make_plan(name, task, model, dataset)))


def progress_bar(jobs: Sequence[Job], ids: Sequence[str], settings: Settings) -> tqdm[Any]:
    """A bar on stderr that begins where an earlier run stopped."""
    done = sum(not any(job.needs(id) for job in jobs) for id in ids)
    return tqdm(total=len(ids), initial=done, unit="image", disable=not settings.progress)


class Recorder:
    """Turns what comes back into records, and gives up when nothing works.

    Args:
        progress: bar that moves on when an image is done for all tasks.
        jobs: the tasks of the run.
    """

    def __init__(self, progress: tqdm[Any], jobs: Sequence[Job]) -> None:
        self._progress = progress
        self._jobs = jobs
        self._failures_in_a_row = 0

    def scored(self, key: Any, outcome: JSON | Exception, seconds: float) -> None:
        """Keep a record; key is the job, the image's id, and the seconds spent before scoring."""
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


def finish(
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
        details=job.task.details(records),
    )
    write_result(job.stem.with_name(job.stem.name + ".json"), result)
    return result


def _timing(records: list[JSON]) -> JSON:
    """Median and 95th percentile seconds of each step."""
    steps = list(records[0]["seconds"])
    taken = {step: [r["seconds"][step] for r in records] for step in steps}
    timing: JSON = {
        step: {"median": float(np.median(values)), "p95": float(np.quantile(values, 0.95))}
        for step, values in taken.items()
    }
    model_seconds = sum(float(np.mean(taken.get(step, 0))) for step in ("embed", "predict"))
    return {**timing, "images_per_second": 1 / model_seconds if model_seconds else None}


def default_workers() -> int:
    """Scoring processes for this machine: all cores but the one that drives the model."""
    return max(1, min(8, (os.cpu_count() or 1) - 1))
