"""A job is one task of a run: its records while it goes on, its result at the end."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sambench.data.text_lists import read_lines
from sambench.engine.embedding_cache import CacheOptions
from sambench.engine.progress import Progress
from sambench.engine.sharding import Shard
from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset, Task
from sambench.metrics.statistics import RESAMPLES, bootstrap
from sambench.shown import as_details
from sambench.store.paths import (
    MANIFEST,
    RECORDS,
    beside,
    file_stem,
    predictions_folder,
    record_files,
    stem_of,
)
from sambench.store.plan import protocol
from sambench.store.records import Index, RecordFile, check_plan, scan
from sambench.store.result import Result, read_json, write_json, write_result
from sambench.store.timing import summarize

log = logging.getLogger(__name__)
NOTHING_WORKS, NOTHING_WORKS_ANY_MORE = 5, 25
"""Images in a row that fail before a run gives up: from its start, and later."""
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}


@dataclass(frozen=True)
class Settings:
    """How a run is carried out; nothing here moves a number.

    Attributes:
        output: folder for records and results.
        limit: only so many images, from the first; 0 is all.
        only: ids of the images to score; empty is all.
        workers: processes that score beside the model; 0 scores in between.
        batch: images embedded at a time.
        resamples: bootstrap resamples for the intervals.
        fresh: discard the records of an earlier run.
        save_predictions: keep every prediction beside the records.
        device: for measuring memory and time.
        progress: show on stderr how far the run is.
        shard: do only this part of the images, in a records file of its own.
        cache: keep embeddings on disk.
    """

    output: Path = Path("runs")
    limit: int = 0
    only: tuple[str, ...] = ()
    workers: int = 0
    batch: int = 1
    resamples: int = RESAMPLES
    fresh: bool = False
    save_predictions: bool = False
    device: str = "cpu"
    progress: bool = True
    shard: Shard | None = None
    cache: CacheOptions | None = None

    def ids(self, dataset: Dataset) -> tuple[str, ...]:
        """The images that all shards together are to score, in the dataset's order.

        Raises:
            UserError: there are none, two have the same id, or one asked for is not there.
        """
        if not dataset.ids:
            raise UserError(f"dataset {dataset.card.name} has no images; check its options.")
        if len(set(dataset.ids)) != len(dataset.ids):
            raise UserError(f"dataset {dataset.card.name} gives two images the same id.")
        ids = chosen(dataset, self.only) if self.only else dataset.ids
        return ids[: self.limit or None]


def read_ids(path: Path) -> tuple[str, ...]:
    """Ids of images, one a line; empty lines do not count, and an id given twice counts once.

    Raises:
        UserError: there is no such file, or no id in it.
    """
    ids = tuple(dict.fromkeys(read_lines(path)))
    if not ids:
        raise UserError(f"{path} holds no ids; write one a line.")
    return ids


def chosen(dataset: Dataset, only: Sequence[str]) -> tuple[str, ...]:
    """Those images of a dataset that are asked for, in the dataset's order.

    Raises:
        UserError: names one that the dataset does not have.
    """
    known, wanted = set(dataset.ids), set(only)
    unknown = [id for id in only if id not in known]
    if unknown:
        raise UserError(
            f"{len(unknown)} of {len(only)} ids are not in dataset {dataset.card.name}, first "
            f"{unknown[0]}; give ids of this dataset, such as {dataset.ids[0]}, one a line."
        )
    return tuple(id for id in dataset.ids if id in wanted)


@dataclass
class Job:
    """One task of a run with its records.

    Attributes:
        task: what is asked.
        stem: path of the result, without its ending.
        header: what the run is, see `plan.describe`.
        records: of this run, or of this shard of it.
        elsewhere: images that other shards have scored.
        unsaved: images that were scored before predictions were to be saved.
        failed: reason by id of the images that failed in this session.
        tried: images that had failed in an earlier one.
    """

    task: Task
    stem: Path
    header: JSON
    records: RecordFile
    elsewhere: frozenset[str] = frozenset()
    unsaved: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    tried: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The task's name."""
        return str(self.header["about"]["task"])

    def needs(self, id: str) -> bool:
        """Whether an image is still to be done."""
        return id in self.unsaved or (id not in self.records and id not in self.elsewhere)


def open_job(header: JSON, task: Task, settings: Settings) -> Job:
    """Open the records of a task, those of an earlier run included.

    Raises:
        UserError: they are of another plan, or being written by another process.
    """
    stem = stem_in(settings.output, header, task)
    part = f".{settings.shard.word}" if settings.shard else ""
    records = RecordFile(beside(stem, part + RECORDS), header, fresh=settings.fresh)
    try:
        job = Job(task, stem, header, records, tried=frozenset(records.index.failed))
        if settings.fresh:
            beside(stem, ".json").unlink(missing_ok=True)  # its records are gone
        elif settings.shard:
            job.elsewhere = _scored_elsewhere(stem, header)
        if settings.save_predictions:
            _prepare_predictions(job, fresh=settings.fresh and not settings.shard)
    except BaseException:
        records.close()
        raise
    return job


def stem_in(output: Path, header: JSON, task: Task) -> Path:
    """Path of a run's result below a folder, without its ending."""
    about = header["about"]
    return stem_of(about["task"], task, about["dataset"]["label"], about["label"], output)


def _scored_elsewhere(stem: Path, header: JSON) -> frozenset[str]:
    """Images of the same run that are in other records files: of other shards, however many."""
    found: set[str] = set()
    for path in record_files(stem):
        index = scan(path)
        if index.header:
            check_plan(index, header)
            found |= index.offsets.keys()
    return frozenset(found)


def _prepare_predictions(job: Job, *, fresh: bool) -> None:
    """Make the folder of predictions, and find out which are missing.

    Raises:
        UserError: it holds those of another run.
    """
    folder = predictions_folder(job.stem)
    made = {**job.header["about"], "predictions": job.header["plan"]["predictions"]}
    if fresh and folder.is_dir():
        shutil.rmtree(folder)
    path = folder / MANIFEST
    if not path.is_file():
        write_json(path, made)
    elif read_json(path).get("predictions") != made["predictions"]:
        raise UserError(f"{folder} holds predictions of another run; remove it.")
    kept = {file.stem for file in folder.iterdir()}
    job.unsaved.update(id for id in job.records.index.offsets if file_stem(id) not in kept)


def progress_of(jobs: Sequence[Job], ids: Sequence[str], settings: Settings) -> Progress:
    """How far a run is, beginning where an earlier one stopped."""
    done = sum(not any(job.needs(id) for job in jobs) for id in ids)
    return Progress(len(ids), done, show=settings.progress)


class Recorder:
    """Keeps what comes back as records, and gives up when nothing works.

    Args:
        progress: moves on when an image is done for all tasks.
        jobs: the tasks of the run.
    """

    def __init__(self, progress: Progress, jobs: Sequence[Job]) -> None:
        self._progress = progress
        self._jobs = jobs
        self._failing: list[set[str]] = [set() for _ in jobs]
        self._worked = [False for _ in jobs]
        self.count = 0

    def scored(self, job: int, id: str, line: JSON) -> None:
        """Keep the record of an image for one of the tasks, with what the engine noted."""
        try:
            self._jobs[job].records.append(id, line)
        except (TypeError, ValueError) as error:  # the task made something that is no JSON
            self.failed(job, id, error)
            return
        self._failing[job].clear()
        self._worked[job] = True
        self._jobs[job].failed.pop(id, None)
        self._jobs[job].unsaved.discard(id)
        self._advance(id)

    def failed(self, job: int, id: str, error: Exception) -> None:
        """Record that an image could not be scored for one of the tasks.

        Raises:
            UserError: too many in a row could not.
            OSError: it is the disk that fails, not the image.
        """
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise error
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        log.warning("image %s failed: %s", id, reason)
        log.debug("image %s", id, exc_info=error)
        self._jobs[job].records.fail(id, reason)
        self._jobs[job].failed[id] = reason
        self._count_failure(job, id, reason)
        self._advance(id)

    def _count_failure(self, job: int, id: str, reason: str) -> None:
        if id in self._jobs[job].tried:
            return  # it failed before: no sign that anything is wrong now
        self._failing[job].add(id)
        allowed = NOTHING_WORKS_ANY_MORE if self._worked[job] else NOTHING_WORKS
        if len(self._failing[job]) >= allowed:
            raise UserError(f"{allowed} images in a row failed, the last with: {reason}")

    def _advance(self, id: str) -> None:
        if not any(job.needs(id) and id not in job.failed for job in self._jobs):
            self.count += 1
            self._progress.update(failed=any(id in job.failed for job in self._jobs))


def end_session(jobs: Sequence[Job], session: JSON) -> None:
    """Note in the records what a session cost."""
    for job in jobs:
        job.records.note(session)


def finish(job: Job, ids: tuple[str, ...], settings: Settings) -> Result:
    """Summarize the records, in the dataset's order, into a result on disk.

    Raises:
        UserError: there are none.
    """
    result = summary(job.task, job.records.index, ids, settings.resamples, job.failed)
    write_result(beside(job.stem, ".json"), result)
    return result


def summary(
    task: Task, index: Index, ids: tuple[str, ...], resamples: int, failed: dict[str, str]
) -> Result:
    """The result that records give.

    Args:
        task: gives the estimator.
        index: the records.
        ids: the images asked for.
        resamples: bootstrap resamples for the intervals.
        failed: reasons that are not in the records.

    Raises:
        UserError: there is no record of these images.
    """
    lines = index.lines(id for id in ids if id in index.offsets)
    if not lines:
        raise UserError(f"no image could be scored; see {index.path}.")
    records = [line["record"] for line in lines]
    reasons = {**index.failed, **failed}
    about = index.header["about"]
    metrics = bootstrap(task.estimator(records), len(records), resamples=resamples)
    return Result(
        task=about["task"],
        model=about["label"],
        dataset=about["dataset"]["label"],
        metric=task.metric,
        images=len(records),
        metrics=metrics,
        declared=tuple(metric for metric in task.metrics if metric.name in metrics),
        protocol=protocol(index.header, ids),
        failed={id: reasons.get(id, "not scored") for id in ids if id not in index.offsets},
        timing={**summarize(lines), **_cost(index.sessions)},
        environment=_machines(index.sessions),
        note=about["note"],
        details=as_details(task.curves(records)),
    )


def _cost(sessions: Sequence[JSON]) -> JSON:
    """Peak memory and seconds of all sessions."""
    kinds = dict.fromkeys(kind for session in sessions for kind in session["memory"])
    peak = {kind: max(s["memory"].get(kind, 0) for s in sessions) for kind in kinds}
    return {"memory": peak, "wall": sum(session["wall"] for session in sessions)}


def _machines(sessions: Sequence[JSON]) -> JSON:
    """Where a run was carried out last, and the other places if it was more than one."""
    found: list[JSON] = []
    for session in reversed(sessions):
        if session["environment"] not in found:
            found.append(session["environment"])
    others = {"others": found[1:]} if found[1:] else {}
    return {**found[0], **others} if found else {}


def default_workers() -> int:
    """Scoring processes for this machine: all cores but the one that drives the model."""
    return max(1, min(8, (os.cpu_count() or 1) - 1))
