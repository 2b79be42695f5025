"""The loop over images: read, embed once, predict for each task, score."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sambench.engine.lanes import lanes_for, one_thread_each
from sambench.engine.settings import Settings
from sambench.engine.timed_model import Predictor, out_of_memory
from sambench.engine.workers import Score, Scorer, ahead, score_image
from sambench.interfaces import JSON, Dataset, Embedding, Model, Prediction, Sample, Task
from sambench.store.paths import file_stem
from sambench.store.records import Provenance
from sambench.store.sources import digest_pixels
from sambench.store.timing import WARMUP
from sambench.truths import require_sound

log = logging.getLogger(__name__)


class WorkItem(NamedTuple):
    """An image, and which of the tasks need it."""

    id: str
    tasks: tuple[int, ...]


class Sink(Protocol):
    """Takes what the loop gives, in any order."""

    def scored(self, task: int, id: str, line: JSON) -> None:
        """An image was scored for a task; the line is as `store.records` has it, but for the id."""

    def failed(self, task: int, id: str, error: Exception) -> None:
        """It could not be."""


@dataclass(frozen=True)
class Parts:
    """What images are run through.

    Attributes:
        tasks: in the order that a `WorkItem` counts them.
        folders: where each task's predictions are saved; None where they are not.
        model: embeds and predicts.
        dataset: gives images and truth.
    """

    tasks: Sequence[Task]
    folders: Sequence[Path | None]
    model: Model
    dataset: Dataset


class Pending(NamedTuple):
    """An image whose score for a task is being made, and what is known of it by then.

    Attributes:
        task: its place among the tasks of the run.
        id: of the image.
        provenance: what the record is made from.
        seconds: of each step so far.
        tasks: how many share the embedding.
        warmup: the steps that were the first of their process.
    """

    task: int
    id: str
    provenance: Provenance
    seconds: dict[str, float]
    tasks: int = 1
    warmup: tuple[str, ...] = ()

    def line(self, score: Score, *, first: bool) -> JSON:
        """The scored image as `store.records` has it, but for the id.

        Args:
            score: the task's record.
            first: whether it is the first score of its process, which is a warm-up.
        """
        warmup = [*self.warmup, *(["score"] if first else [])]
        stamp = self.provenance.stamp
        return {
            "image": self.provenance.image,
            **({"stamp": stamp} if stamp is not None else {}),
            "record": score.record,
            **({"prediction": score.prediction} if score.prediction else {}),
            "seconds": {**self.seconds, "score": score.seconds},
            **({"tasks": self.tasks} if self.tasks > 1 else {}),
            **({WARMUP: warmup} if warmup else {}),
        }


class Lines:
    """Makes scores into lines of records.

    Args:
        sink: takes them.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._processes: set[int] = set()

    def take(self, pending: Pending, outcome: Score | Exception) -> None:
        """Pass on what came of scoring an image."""
        if isinstance(outcome, Exception):
            self._sink.failed(pending.task, pending.id, outcome)
            return
        line = pending.line(outcome, first=outcome.process not in self._processes)
        self._processes.add(outcome.process)
        self._sink.scored(pending.task, pending.id, line)


@dataclass(frozen=True)
class _Read:
    """An image with the truths that its tasks need, what it is, and how long reading took."""

    item: WorkItem
    sample: Sample
    provenance: Provenance
    truths: dict[type, Any]
    seconds: float


class _Answer(NamedTuple):
    """What came of an image for a task: a prediction to be scored, or why there is none."""

    pending: Pending
    prediction: Prediction = None
    truth: Any = None
    error: Exception | None = None


class Loop:
    """Runs images through a model and its tasks: several at a time, if the model takes that.

    Args:
        parts: what they are run through.
        settings: how.
        sink: where what comes of it goes.
    """

    def __init__(self, parts: Parts, settings: Settings, sink: Sink) -> None:
        self._parts, self._settings, self._sink = parts, settings, sink
        self._cache = settings.cache.open(parts.model) if settings.cache else None
        self._scorer = Scorer(settings.workers, Lines(sink).take)
        self._batch = settings.batch
        self._own = threading.local()  # of each thread: a predictor, whether it has been used
        self._stopped = threading.Event()

    def run(self, todo: Sequence[WorkItem]) -> None:
        """Do some images; when it returns, all of them are done or have failed.

        On Ctrl-C what has been scored, or is being scored, is still kept.
        """
        try:
            for answers in self._answers(todo):
                for answer in answers:
                    self._hand_on(answer)
            self._scorer.finish()
        except KeyboardInterrupt:
            self._stopped.set()
            self._scorer.close(keep=True)
            raise
        finally:
            self._stopped.set()

    def close(self) -> None:
        """Stop the workers."""
        self._scorer.close(keep=False)

    def _answers(self, todo: Sequence[WorkItem]) -> Iterator[Iterable[_Answer]]:
        """What the model makes of each batch of images, in their order."""
        lanes = min(lanes_for(self._parts.model), len(todo))
        if lanes <= 1:
            yield from map(self._answer, self._batches(todo))
            return
        with one_thread_each():
            done = ahead(
                lambda batch: [*self._answer(batch)], self._batches(todo), lanes, 2 * lanes
            )
            for _, future in done:
                yield future.result()

    def _batches(self, todo: Sequence[WorkItem]) -> Iterator[list[_Read]]:
        """Images read ahead, a few at a time; one that cannot be read is recorded as failed."""
        batch: list[_Read] = []
        for item, future in ahead(self._read, todo):
            try:
                batch.append(future.result())
            except Exception as error:  # noqa: BLE001 (whatever is wrong with an image is recorded)
                self._failed(item, error)
            if len(batch) >= self._batch:
                yield batch
                batch = []
        if batch:
            yield batch

    def _read(self, item: WorkItem) -> _Read:
        start = time.perf_counter()
        dataset = self._parts.dataset
        kinds = {self._parts.tasks[task].truth for task in item.tasks}
        stamp = dataset.stamp(item.id)  # before it is read: a change meanwhile shows later
        sample = Sample(item.id, dataset.read_image(item.id), None)
        height, width = sample.image.shape[:2]
        truths: dict[type, Any] = {
            kind: require_sound(dataset.read_truth(item.id, kind), kind, (height, width))
            for kind in kinds
        }
        seconds = time.perf_counter() - start
        provenance = Provenance(digest_pixels(sample.image), stamp)
        return _Read(item, sample, provenance, truths, seconds)

    def _answer(self, batch: list[_Read]) -> Iterator[_Answer]:
        """Embed images together, or one by one if that fails: it may be the fault of one."""
        if not hasattr(self._own, "predictor"):
            model, self._own.warm = self._parts.model, False
            self._own.predictor = Predictor(model, self._cache, self._stopped)
        try:
            made = self._own.predictor.embed([read.sample.image for read in batch])
        except Exception as error:  # noqa: BLE001 (whatever the model raises is recorded)
            if len(batch) > 1:
                log.warning("embedding %d images together failed: %s", len(batch), error)
                if out_of_memory(error):
                    self._batch = len(batch) // 2
                yield from (answer for read in batch for answer in self._answer([read]))
                return
            for number in batch[0].item.tasks:
                yield _Answer(
                    Pending(number, batch[0].item.id, batch[0].provenance, {}), error=error
                )
            return
        for read, (embedding, seconds) in zip(batch, made, strict=True):
            yield from self._predict(read, embedding, {"read": read.seconds, **seconds})

    def _predict(
        self, read: _Read, embedding: Embedding, seconds: dict[str, float]
    ) -> Iterator[_Answer]:
        """Prompt for each task."""
        warmup = () if self._own.warm else ("embed", "decode", "post")
        self._own.warm = True
        id, tasks = read.item
        for number in tasks:
            pending = Pending(number, id, read.provenance, seconds, len(tasks), warmup)
            task = self._parts.tasks[number]
            sample = replace(read.sample, truth=read.truths[task.truth])
            try:
                prediction, spent = self._own.predictor.predict(task, embedding, sample)
            except Exception as error:  # noqa: BLE001 (whatever the model raises is recorded)
                yield _Answer(pending, error=error)
                continue
            yield _Answer(pending._replace(seconds={**seconds, **spent}), prediction, sample.truth)

    def _hand_on(self, answer: _Answer) -> None:
        """To the scorer, or to the sink what went wrong."""
        number, id = answer.pending.task, answer.pending.id
        if answer.error is not None:
            self._sink.failed(number, id, answer.error)
            return
        task, folder = self._parts.tasks[number], self._parts.folders[number]
        stem = folder / file_stem(id) if folder else None
        given = task, answer.prediction, answer.truth, stem
        self._scorer.submit(answer.pending, score_image, *given)

    def _failed(self, item: WorkItem, error: Exception) -> None:
        for task in item.tasks:
            self._sink.failed(task, item.id, error)
