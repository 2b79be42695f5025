"""The loop over images: read, embed once, predict for each task, score."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from sambench.engine.clips import check_frames
from sambench.engine.clock import Seconds
from sambench.engine.lanes import cores, lanes_for, one_thread_each
from sambench.engine.settings import Settings
from sambench.engine.timed_video import latencies_of, predictor_of
from sambench.engine.workers import AHEAD, READERS, Files, Score, Scorer, ahead, score_image
from sambench.interfaces import JSON, Dataset, Embedding, Model, Prediction, Sample, Task
from sambench.store.kept import saves
from sambench.store.paths import file_stem
from sambench.store.records import Provenance
from sambench.store.sources import digest_item, read_item, size_of
from sambench.store.timing import WARMUP
from sambench.truths import require_sound
from sambench.video.clips import Clip
from sambench.video.tracks import Tracks

log = logging.getLogger(__name__)


class WorkItem(NamedTuple):
    """An image, and which of the tasks need it."""

    id: str
    tasks: tuple[int, ...]


class Sink(Protocol):
    """Takes what the loop gives, in any order."""

    def scored(self, task: int, id: str, line: JSON, files: Files) -> None:
        """An image was scored for a task.

        Args:
            task: its place among the tasks of the run.
            id: of the image.
            line: as `store.records` has it, but for the id.
            files: of the prediction, if it was saved.
        """

    def failed(self, task: int, id: str, error: Exception) -> None:
        """It could not be."""


@dataclass(frozen=True)
class Parts:
    """What images are run through.

    Attributes:
        tasks: in the order that a `WorkItem` counts them.
        model: embeds and predicts.
        dataset: gives images and truth.
    """

    tasks: Sequence[Task]
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
        frames: seconds of each frame over which a clip was followed; none of an image.
    """

    task: int
    id: str
    provenance: Provenance
    seconds: dict[str, float]
    tasks: int = 1
    warmup: tuple[str, ...] = ()
    frames: tuple[float, ...] = ()

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
            **({"prediction": score.digest} if score.digest else {}),
            "seconds": {**self.seconds, "score": score.seconds},
            **({"frames": list(self.frames)} if self.frames else {}),
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
        self._sink.scored(pending.task, pending.id, line, outcome.files)


@dataclass(frozen=True)
class _Read:
    """An image with the truths that its tasks need, what it is, and how long reading took."""

    item: WorkItem
    sample: Sample
    provenance: Provenance
    truths: dict[type, Any]
    seconds: float
    prepared: Any


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
        self._scorer = Scorer(settings.workers or 0, Lines(sink).take)
        self._batch = settings.batch or parts.model.image_batch
        self._own = threading.local()  # of each thread: a predictor, whether it has been used
        self._stopped = threading.Event()

    def run(self, todo: Sequence[WorkItem]) -> None:
        """Do some images; when it returns, all of them are done or have failed.

        On Ctrl-C what has been scored, or is being scored, is still kept.
        """
        self._stopped.clear()
        for task in self._parts.tasks:
            task.ready()
        self._parts.model.ready()
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

    @property
    def worker_peak(self) -> int:
        """Bytes of memory of the largest scoring process so far; 0 without any."""
        return self._scorer.peak

    def close(self) -> None:
        """Stop the workers."""
        self._scorer.close(keep=False)

    def _answers(self, todo: Sequence[WorkItem]) -> Iterator[Iterable[_Answer]]:
        """What the model makes of each batch of images, in their order."""
        lanes = max(1, min(lanes_for(self._parts.model), len(todo)))
        batches = self._batches(todo, self._batch * lanes)
        if lanes == 1:
            yield from map(self._answer, batches)
            return
        with one_thread_each():
            done = ahead(lambda batch: [*self._answer(batch)], batches, lanes, 2 * lanes)
            for _, future in done:
                yield future.result()

    def _batches(self, todo: Sequence[WorkItem], together: int) -> Iterator[list[_Read]]:
        """Images read ahead, a few at a time; one that cannot be read is recorded as failed.

        Args:
            todo: the images.
            together: how many are embedded at a time; so many more are read ahead.
        """
        batch: list[_Read] = []
        readers = min(READERS * together, max(READERS, cores() // 2))
        for item, future in ahead(self._read, todo, readers, AHEAD + together - 1):
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
        sample = Sample(item.id, read_item(dataset, item.id), None)
        truths: dict[type, Any] = {
            kind: require_sound(dataset.read_truth(item.id, kind), kind, size_of(sample.image))
            for kind in kinds
        }
        if isinstance(sample.image, Clip) and isinstance(tracks := truths.get(Tracks), Tracks):
            check_frames(sample.image, tracks)
        prepared = self._parts.model.prepare(sample.image)
        seconds = time.perf_counter() - start
        provenance = Provenance(digest_item(sample.image), stamp)
        return _Read(item, sample, provenance, truths, seconds, prepared)

    def _answer(self, batch: list[_Read]) -> Iterator[_Answer]:
        """Embed images together, or one by one if that fails: it may be the fault of one."""
        if not hasattr(self._own, "predictor"):
            model, self._own.warm = self._parts.model, False
            self._own.predictor = predictor_of(model, self._cache, self._stopped)
        images = [read.sample.image for read in batch]
        try:
            made = self._own.predictor.embed(images, [read.prepared for read in batch])
        except Exception as error:  # noqa: BLE001 (whatever the model raises is recorded)
            if len(batch) == 1:
                id, tasks = batch[0].item
                for number in tasks:
                    yield _Answer(Pending(number, id, batch[0].provenance, {}), error=error)
                return
            log.warning("embedding %d images together failed: %s", len(batch), error)
            made = None
        if made is None:  # here the error is gone, and with it what the failed call held
            for read in batch:
                yield from self._answer([read])
            return
        for read, (embedding, seconds) in zip(batch, made, strict=True):
            yield from self._predict(read, embedding, seconds)

    def _predict(self, read: _Read, embedding: Embedding, seconds: Seconds) -> Iterator[_Answer]:
        """Prompt for each task."""
        warmup = () if self._own.warm else ("embed", "decode", "post")
        self._own.warm = True
        id, tasks = read.item
        for number in tasks:
            pending = Pending(number, id, read.provenance, {}, len(tasks), warmup)
            task = self._parts.tasks[number]
            sample = replace(read.sample, truth=read.truths[task.truth])
            try:
                prediction, spent = self._own.predictor.predict(task, embedding, sample)
            except Exception as error:  # noqa: BLE001 (whatever the model raises is recorded)
                yield _Answer(pending, error=error)
                continue
            spent = {"read": read.seconds, **seconds(), **spent}
            pending = pending._replace(seconds=spent, frames=latencies_of(self._own.predictor))
            yield _Answer(pending, prediction, sample.truth)

    def _hand_on(self, answer: _Answer) -> None:
        """To the scorer, or to the sink what went wrong."""
        number, id = answer.pending.task, answer.pending.id
        if answer.error is not None:
            self._sink.failed(number, id, answer.error)
            return
        task = self._parts.tasks[number]
        name = file_stem(id) if saves(task, self._settings.predictions) else ""
        self._scorer.submit(
            answer.pending, score_image, task, answer.prediction, answer.truth, name
        )

    def _failed(self, item: WorkItem, error: Exception) -> None:
        for task in item.tasks:
            self._sink.failed(task, item.id, error)
