"""The moving parts of a run: images are read ahead, scores are made beside the model.

Reading (threads), embedding and prompting (this thread), scoring (processes) overlap; every queue
is bounded, so memory does not grow with the length of a run. The order in which things finish moves
no number: a record depends on its own image alone.
"""

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from sambench.interfaces import JSON, Prediction, Task

A = TypeVar("A")
B = TypeVar("B")
Scoring = Callable[..., tuple[JSON, float]]
READERS = 2
AHEAD = 4


def ahead(function: Callable[[A], B], items: Iterable[A]) -> Iterator[tuple[A, Future[B]]]:
    """Apply a function in threads, a few items ahead of where the caller is; order is kept."""
    waiting: deque[tuple[A, Future[B]]] = deque()
    with ThreadPoolExecutor(READERS) as pool:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) > AHEAD:
                yield waiting.popleft()
        yield from waiting


def score_image(
    task: Task, prediction: Prediction, truth: Any, stem: Path | None
) -> tuple[JSON, float]:
    """Score one image, saving the prediction if a stem is given; returns record and seconds."""
    start = time.perf_counter()
    if stem is not None:
        stem.parent.mkdir(parents=True, exist_ok=True)
        task.save(prediction, stem)
    return task.score(prediction, truth), time.perf_counter() - start


def score_saved(task: Task, stem: Path, truth: Any) -> tuple[JSON, float]:
    """Score one image from its saved prediction; returns record and seconds."""
    start = time.perf_counter()
    return task.score(task.load(stem), truth), time.perf_counter() - start


class Scorer:
    """Scores predictions in worker processes, or at once when there are none.

    Args:
        workers: number of processes; 0 scores in this one.
        done: called with key, record and seconds, or with key and an exception.
    """

    def __init__(self, workers: int, done: Callable[[Any, JSON | Exception, float], None]) -> None:
        self._workers = workers
        self._done = done
        self._waiting: deque[tuple[Any, tuple[Any, ...], Future[tuple[JSON, float]] | None]] = (
            deque()
        )
        self._pool: Executor | None = None

    def submit(self, key: Any, function: Scoring, *arguments: Any) -> None:
        """Have a prediction scored by a function above; waits only when too many are under way."""
        work = (function, *arguments)
        future = self._start(work) if self._workers else None
        self._waiting.append((key, work, future))
        self._collect(keep=4 * self._workers)

    def finish(self) -> None:
        """Wait for all that is under way."""
        self._collect(keep=0)

    def _start(self, work: tuple[Any, ...]) -> Future[tuple[JSON, float]]:
        if self._pool is None:
            self._pool = self._new_pool()
        try:
            return self._pool.submit(*work)
        except BrokenProcessPool:
            self._pool = self._new_pool()
            return self._pool.submit(*work)

    def _new_pool(self) -> Executor:
        # Forking a process that runs torch's threads can deadlock: start fresh ones.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._workers, mp_context=context, initializer=_leave_interrupts)

    def _collect(self, keep: int) -> None:
        while self._waiting and (len(self._waiting) > keep or _ready(self._waiting[0][2])):
            key, work, future = self._waiting.popleft()
            try:
                record, seconds = self._outcome(work, future)
            except Exception as error:  # noqa: BLE001 (whatever went wrong is recorded with the image)
                self._done(key, error, 0.0)
            else:
                self._done(key, record, seconds)

    def _outcome(
        self, work: tuple[Any, ...], future: Future[tuple[JSON, float]] | None
    ) -> tuple[JSON, float]:
        function: Scoring = work[0]
        arguments = work[1:]
        if future is None:
            return function(*arguments)
        try:
            return future.result()
        except BrokenProcessPool:
            # A worker was killed from outside; what it held is scored here, the rest by new ones.
            self._pool = None
            return function(*arguments)

    def close(self) -> None:
        """Stop the workers, dropping what they have not begun."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C is for the main process, which then stops its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _ready(future: Future[Any] | None) -> bool:
    return future is None or future.done()
