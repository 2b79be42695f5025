"""A run while it goes on: its records are open, and what comes back is kept in them."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from sambench.engine.progress import Progress
from sambench.engine.settings import Settings
from sambench.engine.workers import Files
from sambench.errors import UserError
from sambench.interfaces import JSON, Task
from sambench.store.display import items_stated
from sambench.store.kept import Kept, open_kept
from sambench.store.options import unprompted
from sambench.store.paths import RECORDS, beside
from sambench.store.records import RecordFile, check_plan, scan
from sambench.store.result import Result, write_result
from sambench.store.run import Run, placed
from sambench.store.summary import summary

log = logging.getLogger(__name__)
NOTHING_WORKS, NOTHING_WORKS_ANY_MORE = 5, 25
"""Images in a row that fail before a run gives up: from its start, and later."""
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}


@dataclass
class OpenRun:
    """A run whose records this process is writing.

    Attributes:
        on_disk: where it lies.
        task: what is asked.
        header: what the run is, see `plan.describe`.
        records: of this run, or of this shard of it.
        elsewhere: images that other shards have scored.
        kept: predictions beside the records; None where they are none of this run's business.
        unsaved: images that were scored before all predictions were to be kept.
        failed: reason by id of the images that have failed since the records were opened.
        tried: images that had failed before.
    """

    on_disk: Run
    task: Task
    header: JSON
    records: RecordFile
    elsewhere: frozenset[str] = frozenset()
    kept: Kept | None = None
    unsaved: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    tried: frozenset[str] = frozenset()

    def needs(self, id: str) -> bool:
        """Whether an image is still to be done."""
        return id in self.unsaved or (id not in self.records and id not in self.elsewhere)


@contextlib.contextmanager
def opened(
    headers: Sequence[JSON], tasks: Sequence[Task], settings: Settings
) -> Iterator[list[OpenRun]]:
    """Open the records of several tasks; they are closed at the end.

    Raises:
        UserError: see `open_run`.
    """
    runs: list[OpenRun] = []
    try:
        for header, task in zip(headers, tasks, strict=True):
            runs.append(open_run(header, task, settings))
        yield runs
    finally:
        for run in runs:
            run.records.close()


def open_run(header: JSON, task: Task, settings: Settings) -> OpenRun:
    """Open the records of a task, those of an earlier run included.

    Raises:
        UserError: they are of another plan, or being written by another process.
    """
    task = unprompted(task) if "direct" in header["about"] else task
    on_disk = placed(settings.output, header, task)
    part = f".{settings.shard.word}" if settings.shard else ""
    records = RecordFile(beside(on_disk.stem, part + RECORDS), header, fresh=settings.fresh)
    try:
        run = OpenRun(on_disk, task, header, records, tried=frozenset(records.index.failed))
        if settings.fresh:
            on_disk.path.unlink(missing_ok=True)  # its records are gone
        elif settings.shard:
            run.elsewhere = _scored_elsewhere(on_disk, header)
        if settings.predictions:
            keep, fresh = settings.predictions, settings.fresh and not settings.shard
            run.kept = open_kept(on_disk, task, header, records.index, keep, fresh=fresh)
            if keep.which == "all":
                run.unsaved.update(records.index.offsets.keys() - run.kept.files.keys())
    except BaseException:
        records.close()
        raise
    return run


def _scored_elsewhere(on_disk: Run, header: JSON) -> frozenset[str]:
    """Images of the same run that are in other records files: of other shards, however many."""
    found: set[str] = set()
    for path in on_disk.records_files:
        index = scan(path)
        if index.header:
            check_plan(index, header)
            found |= index.offsets.keys()
    return frozenset(found)


def progress_of(runs: Sequence[OpenRun], ids: Sequence[str], settings: Settings) -> Progress:
    """How far a run is, beginning where an earlier one stopped."""
    done = sum(not any(run.needs(id) for run in runs) for id in ids)
    items = items_stated(runs[0].header["about"]["dataset"])
    return Progress(len(ids), done, show=settings.progress, unit=items[:-1])


class Recorder:
    """Keeps what comes back as records, and gives up when nothing works.

    Args:
        progress: moves on when an image is done for all tasks.
        runs: one for each of the tasks.
    """

    def __init__(self, progress: Progress, runs: Sequence[OpenRun]) -> None:
        self._progress = progress
        self._runs = runs
        self._items = items_stated(runs[0].header["about"]["dataset"])
        self._failing: list[set[str]] = [set() for _ in runs]
        self._worked = [False for _ in runs]
        self.count = 0

    def scored(self, task: int, id: str, line: JSON, files: Files) -> None:
        """Keep the record of an image for one of the tasks, with what the engine noted."""
        if (kept := self._runs[task].kept) is not None:
            kept.put(id, files)
        try:
            self._runs[task].records.append(id, line)
        except (TypeError, ValueError) as error:  # the task's record is not JSON
            self.failed(task, id, error)
            return
        self._failing[task].clear()
        self._worked[task] = True
        self._runs[task].failed.pop(id, None)
        self._runs[task].unsaved.discard(id)
        self._advance(id)

    def failed(self, task: int, id: str, error: Exception) -> None:
        """Record that an image could not be scored for one of the tasks.

        Raises:
            UserError: too many in a row could not.
            OSError: it is the disk that fails, not the image.
        """
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise error
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        log.warning("%s %s failed: %s", self._items[:-1], id, reason)
        log.debug("%s %s", self._items[:-1], id, exc_info=error)
        self._runs[task].records.fail(id, reason)
        self._runs[task].failed[id] = reason
        self._count_failure(task, id, reason)
        self._advance(id)

    def _count_failure(self, task: int, id: str, reason: str) -> None:
        if id in self._runs[task].tried:
            return  # it failed before: no sign that anything is wrong now
        self._failing[task].add(id)
        allowed = NOTHING_WORKS_ANY_MORE if self._worked[task] else NOTHING_WORKS
        if len(self._failing[task]) >= allowed:
            raise UserError(f"{allowed} {self._items} in a row failed, the last with: {reason}")

    def _advance(self, id: str) -> None:
        if not any(run.needs(id) and id not in run.failed for run in self._runs):
            self.count += 1
            self._progress.update(failed=any(id in run.failed for run in self._runs))


def note_cost(runs: Sequence[OpenRun], session: JSON) -> None:
    """Note in the records what a session cost."""
    for run in runs:
        run.records.note(session)


def finish(run: OpenRun, ids: tuple[str, ...], settings: Settings) -> Result:
    """Summarize the records, in the dataset's order, into a result on disk.

    Raises:
        UserError: there are none.
    """
    result = summary(run.task, run.records.index, ids, settings.resamples, run.failed)
    write_result(run.on_disk.path, result)
    return replace(result, path=run.on_disk.path)
