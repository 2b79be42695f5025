"""A model of clips as a run calls it: as in `timed_model`, and with the seconds of each frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.engine.timed_model import NOT_FINITE, Predictor, TimedModel
from sambench.errors import UserError
from sambench.interfaces import Embedding, Model, Prediction, Sample, Task
from sambench.video.clips import Clip
from sambench.video.interfaces import Answers, FramePrompt, State, VideoModel


class TimedVideo(TimedModel, VideoModel):
    """Another model of clips, whose calls are timed and whose answers are checked.

    Args:
        model: that computes; nothing of it is changed.
        stopped: once it is set, the next frame raises KeyboardInterrupt.

    Attributes:
        latencies: seconds until each frame that was followed had its masks in the host's memory.
    """

    def __init__(self, model: VideoModel, stopped: Event | None = None) -> None:
        super().__init__(model, stopped)
        self._video = model
        self.latencies: list[float] = []

    def start(self, clip: Clip) -> State:
        """Begin with a clip."""
        with self._measured("embed"):
            return self._video.start(clip)

    def add(self, state: State, frame: int, id: int, prompt: FramePrompt) -> NDArray[Any]:
        """Tell of an object on a frame."""
        with self._measured("decode"):
            return checked(self._video.add(state, frame, id, prompt))

    def propagate(
        self, state: State, start: int, *, reverse: bool = False
    ) -> Iterator[tuple[int, Answers]]:
        """Follow all objects; the seconds in which the caller is at a frame do not count."""
        frames = self._video.propagate(state, start, reverse=reverse)
        while True:
            began = time.perf_counter()
            with self._measured("decode"):
                found = next(frames, None)
            if found is None:
                return
            self.latencies.append(time.perf_counter() - began)
            for answer in found[1].values():
                checked(answer)
            yield found

    def forget(self, state: State) -> None:
        """Forget all objects."""
        self._video.forget(state)


class VideoPredictor(Predictor):
    """Starts clips and has tasks prompt a model of clips; says how long each step took.

    Args:
        model: it is not changed.
        stopped: see `TimedVideo`.
    """

    def __init__(self, model: VideoModel, stopped: Event | None = None) -> None:
        super().__init__(model, None, stopped)
        self._model = self._timed = TimedVideo(model, stopped)
        self._clock = self._timed.clock

    def predict(
        self, task: Task, embedding: Embedding, sample: Sample
    ) -> tuple[Prediction, dict[str, float]]:
        """A task's prediction for a clip, and the seconds; then its state is forgotten."""
        self._timed.latencies.clear()
        try:
            return super().predict(task, embedding, sample)
        finally:
            self._timed.forget(embedding)

    @property
    def latencies(self) -> tuple[float, ...]:
        """Seconds of each frame over which the last clip was followed, to a microsecond."""
        return tuple(round(each, 6) for each in self._timed.latencies)


def checked(answer: NDArray[Any]) -> NDArray[Any]:
    """An answer itself, whose logits are finite numbers.

    Raises:
        UserError: one is not.
    """
    if answer.dtype.kind == "f" and not np.isfinite(answer).all():
        raise UserError(NOT_FINITE)
    return answer


def predictor_of(model: Model, cache: Any, stopped: Event) -> Predictor:
    """What predicts with a model: of clips, or of images.

    Args:
        model: it is not changed.
        cache: embeddings of earlier runs, which only those of images have.
        stopped: see `TimedVideo`.
    """
    if isinstance(model, VideoModel):
        return VideoPredictor(model, stopped)
    return Predictor(model, cache, stopped)


def latencies_of(predictor: Predictor) -> tuple[float, ...]:
    """Seconds of each frame of the last clip; none of an image."""
    return predictor.latencies if isinstance(predictor, VideoPredictor) else ()
