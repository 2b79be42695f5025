"""The moving parts of a run: images are read ahead, scores are made beside the model.

Reading (threads), embedding and prompting (this thread), scoring (processes) overlap; every queue
is bounded, so memory does not grow with the length of a run. The order in which things finish moves
no number: a record depends on its own image alone.
"""

import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sambench.engine.environment import peak_rss
from sambench.engine.lanes import one_thread_inherited
from sambench.errors import UserError
from sambench.interfaces import JSON, Prediction, Task
from sambench.registry import import_files, imported_files
from sambench.store.sources import digest_files

A = TypeVar("A")
B = TypeVar("B")
READERS = 2
AHEAD = 4
ATTEMPTS = 3
"""How often a score may kill its process before its image counts as failed."""


def ahead(
    function: Callable[[A], B], items: Iterable[A], threads: int = READERS, most: int = AHEAD
) -> Iterator[tuple[A, Future[B]]]:
    """Apply a function in threads, a few items ahead of where the caller is; order is kept.

    Args:
        function: of an item.
        items: in this order.
        threads: how many items are worked on at a time.
        most: how many items are begun before the caller has them.
    """
    waiting: deque[tuple[A, Future[B]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(function, item)))
                if len(waiting) > most:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for _, future in waiting:
                future.cancel()


Files = dict[str, bytes]
"""The files of an image's prediction, by their names, in which slashes part folders."""


class Score(NamedTuple):
    """What came of scoring an image.

    Attributes:
        record: of the task.
        seconds: that it took.
        process: in which it was made.
        memory: peak of the process so far, in bytes.
        files: of the prediction, if that was saved.
        digest: of these files.
    """

    record: JSON
    seconds: float
    process: int
    memory: int = 0
    files: Files = {}  # noqa: RUF012 (nobody writes to it)
    digest: str = ""


Scoring = Callable[..., Score]


def score_image(task: Task, prediction: Prediction, truth: Any, name: str = "") -> Score:
    """Score one image; the prediction is saved, too, if the name of its files is given."""
    start = time.perf_counter()
    record = task.score(prediction, truth)
    seconds = time.perf_counter() - start
    files, digest = _saved(task, prediction, name) if name else ({}, "")
    return Score(record, seconds, os.getpid(), peak_rss(), files, digest)


def _saved(task: Task, prediction: Prediction, name: str) -> tuple[Files, str]:
    """The files that a task writes of a prediction, and their digest.

    They go to whoever keeps the records, which may be on another machine.

    Raises:
        UserError: the task cannot.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            task.save(prediction, Path(folder) / name)
        except (OSError, UserError):  # the disk's, or one that names its own remedy
            raise
        except Exception as error:
            raise UserError(
                f"its prediction cannot be saved ({type(error).__name__}: {error}); mend "
                f"{type(task).__name__}.save, or give --predictions none."
            ) from error
        paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        names = [path.relative_to(folder).as_posix() for path in paths]
        contents = [path.read_bytes() for path in paths]
        return dict(zip(names, contents, strict=True)), digest_files(paths)


def score_saved(task: Task, stem: Path, truth: Any) -> Score:
    """Score one image from its saved prediction."""
    start = time.perf_counter()
    record = task.score(task.load(stem), truth)
    return Score(record, time.perf_counter() - start, os.getpid(), peak_rss())


@dataclass(frozen=True)
class _Call:
    """A score to be made: what for, by which function, of what."""

    key: Any
    function: Scoring
    arguments: tuple[Any, ...]


class Scorer:
    """Scores predictions in worker processes, or at once when there are none.

    A worker that dies takes its pool with it. What was under way then is scored again, one image
    at a time in a process of its own, so that an image that kills its process is known.

    Args:
        workers: number of processes; 0 scores in this one.
        done: called with key and `Score`, or with key and an exception.

    Attributes:
        peak: bytes of memory of the largest worker so far; 0 without workers.
    """

    def __init__(self, workers: int, done: Callable[[Any, Score | Exception], None]) -> None:
        self._workers = workers
        self._taker = done
        self.peak = 0
        self._waiting: dict[Future[Score], _Call] = {}
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, key: Any, function: Scoring, *arguments: Any) -> None:
        """Have a prediction scored by a function above; waits only when too many are under way."""
        call = _Call(key, function, arguments)
        if self._workers:
            self._start(call)
            self._collect(keep=4 * self._workers)
        else:
            self._done(key, _caught(lambda: function(*arguments)))

    def finish(self) -> None:
        """Wait for all that is under way."""
        self._collect(keep=0)

    def close(self, *, keep: bool) -> None:
        """Stop the workers.

        Args:
            keep: still count what they are at or have done; what they have not begun is dropped.
        """
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if keep:
            for future, call in self._waiting.items():
                outcome = None if future.cancelled() else _caught(future.result)
                # A signal to all processes of a job ends the workers, too: others do that work.
                if outcome is not None and not isinstance(outcome, BrokenProcessPool):
                    self._done(call.key, outcome)

    def _done(self, key: Any, outcome: Score | Exception) -> None:
        if self._workers and isinstance(outcome, Score):
            self.peak = max(self.peak, outcome.memory)
        self._taker(key, outcome)

    def _start(self, call: _Call) -> None:
        if self._pool is None:
            self._pool = _new_pool(self._workers)
        try:
            with _interrupts_blocked(), one_thread_inherited():  # the processes begin here
                future = self._pool.submit(call.function, *call.arguments)
        except BrokenProcessPool:
            self._rescue([call])
        else:
            self._waiting[future] = call

    def _collect(self, keep: int) -> None:
        """Hand on what is done, in any order, until at most this many are under way."""
        while self._waiting:
            excess = len(self._waiting) > keep
            done = wait(self._waiting, None if excess else 0, FIRST_COMPLETED).done
            if not done:
                return
            for future in done:
                self._hand_on(future)

    def _hand_on(self, future: "Future[Score]") -> None:
        call = self._waiting.pop(future, None)
        if call is None:  # rescued with another one
            return
        try:
            outcome = _caught(future.result)
        except CancelledError:
            return
        if isinstance(outcome, BrokenProcessPool):
            self._rescue([call])
        else:
            self._done(call.key, outcome)

    def _rescue(self, calls: list[_Call]) -> None:
        """Score again what was under way when a process died, the given call among it."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)  # every future of it now has a result or an error
        self._pool = None
        waiting, self._waiting = self._waiting, {}
        for future, call in waiting.items():
            if future.exception() is None:
                self._done(call.key, future.result())
            else:
                calls.append(call)
        for call in calls:
            self._done(call.key, _alone(call))


def _alone(call: _Call) -> Score | Exception:
    """Score in a process of its own, more than once if it is killed."""
    for _ in range(ATTEMPTS):
        with _new_pool(1) as pool:
            with _interrupts_blocked(), one_thread_inherited():
                future = pool.submit(call.function, *call.arguments)
            outcome = _caught(future.result)
        if not isinstance(outcome, BrokenProcessPool):
            return outcome
    return UserError(
        f"scoring it killed its process {ATTEMPTS} times, likely for lack of memory; "
        "give more memory or fewer --workers, and in a script of your own write "
        "`if __name__ == '__main__':` before what it runs, as Python's new processes need it."
    )


def _caught(make: Callable[[], Score]) -> Score | Exception:
    try:
        return make()
    except CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever went wrong is recorded with the image)
        return error


def _new_pool(workers: int) -> ProcessPoolExecutor:
    # Forking a process that runs torch's threads can deadlock: start fresh ones.
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(imported_files(),),
    )


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Processes started in here never see Ctrl-C: it is for this one, which stops them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(files: Sequence[Path]) -> None:
    """Prepare a worker: know the plug-ins given by path, and end with the process that began it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import_files(files)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
