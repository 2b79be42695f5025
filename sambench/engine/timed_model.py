"""A model as a run calls it: timed, its answers checked, less at a time where memory is short.

When a call runs out of memory, what it held is given back and the call made again, with half as
many prompts, or images to embed, at a time from then on. A single one is tried once more. A model
answers a prompt by itself, so this moves no number.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sambench.engine.clock import Clock, Seconds
from sambench.errors import UserError
from sambench.interfaces import Embedding, Masks, Model, Prediction, Prompts, Sample, Task

if TYPE_CHECKING:
    from torch import Tensor

    from sambench.engine.embedding_cache import EmbeddingCache

NOT_FINITE = (
    "the model gave logits or predicted IoUs that are not finite numbers; check its weights, or "
    "give another --precision."
)
MPS_IS_FULL = "MPS backend out of memory"
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass
class Portion:
    """How much a model is given at a time: all of it, and half as much whenever memory runs out.

    Attributes:
        most: how many at a time; None until memory has run out.
        asked: how many the call under way was given, and after it the most of all calls so far.
        largest: the most that a call was given and answered.
    """

    most: int | None = None
    asked: int = 0
    largest: int = 0

    def each(self, count: int, call: Callable[[slice], T]) -> list[T]:
        """Call for every part of so many things."""
        self.asked = step = max(1, min(count, self.most or count))
        answers = [call(slice(at, at + step)) for at in range(0, max(1, count), step)]
        self.asked = self.largest = max(self.largest, step)
        return answers

    def halve(self, together: int) -> int:
        """Give half as much from now on, and return how much; 0 if it was a single thing.

        Args:
            together: how many the model does at once by itself, however many it is given.
        """
        fewer = min(self.asked or together, together) // 2
        self.most = fewer or self.most
        return fewer


class TimedModel(Model):
    """Another model, whose calls are timed and whose answers are checked.

    Args:
        model: that computes; nothing of it is changed.
        stopped: once it is set, the next call raises KeyboardInterrupt.

    Attributes:
        clock: seconds of the steps "embed" and "decode", on the model's device.
    """

    def __init__(self, model: Model, stopped: Event | None = None) -> None:
        self._model, self._stopped = model, stopped or Event()
        self.card, self.prompts, self.prompt_batch = model.card, model.prompts, model.prompt_batch
        self.device = str(model.device)
        self.clock = Clock(self.device)
        self._prompts, self._images = Portion(), Portion()
        self._finite: list[Tensor] = []  # of each answer within `only_finite`

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[Embedding]:
        """Embed images, each (H, W, 3) uint8 RGB, no more at a time than memory holds."""

        def embed() -> list[Embedding]:
            with self._measured("embed"):
                parts = self._images.each(len(images), lambda part: self._model.embed(images[part]))
            return [embedding for part in parts for embedding in part]

        return self._retried(embed, self._halve_images)

    def within_memory(self, call: Callable[[], T]) -> T:
        """What a call returns that prompts this model, made again where memory runs out."""
        self._prompts.largest = self._prompts.asked = 0
        return self._retried(call, self.halve)

    def predict(self, embedding: Embedding, prompts: Prompts, *, multimask: bool) -> Masks:
        """Answer B prompts on an embedded image, no more at a time than memory holds."""
        return self._answer(
            lambda part: self._model.predict(embedding, part, multimask=multimask), prompts
        )

    def predict_above(
        self, embedding: Embedding, prompts: Prompts, pred_iou_thresh: float, *, multimask: bool
    ) -> Masks:
        """As `predict`, where only masks of a predicted IoU above the threshold are needed."""
        return self._answer(
            lambda part: self._model.predict_above(
                embedding, part, pred_iou_thresh, multimask=multimask
            ),
            prompts,
        )

    def direct(self, method: str) -> Callable[..., Any] | None:
        """The other model's own method for a task, which counts as decoding."""
        own = self._model.direct(method)
        return None if own is None else functools.partial(self._directly, own)

    def pack(self, embedding: Embedding) -> dict[str, Tensor]:
        """An embedding as the other model packs it."""
        return self._model.pack(embedding)

    def unpack(self, packed: Mapping[str, Tensor]) -> Embedding:
        """The embedding that `pack` was given."""
        return self._model.unpack(packed)

    @contextlib.contextmanager
    def only_finite(self) -> Iterator[None]:
        """Check the answers to all prompts of an image, when the last is there.

        They are looked at once: on a GPU each look waits for all that is under way.

        Raises:
            UserError: a logit or a predicted IoU is not a finite number.
        """
        self._finite.clear()
        yield
        if self._finite and not all_true(self._finite):
            raise UserError(NOT_FINITE)

    def halve(self) -> bool:
        """Answer half as many prompts at a time from now on; False if it is one at a time."""
        together = min(self.prompt_batch, self._model.chunk or self.prompt_batch)
        fewer = self._prompts.halve(together)
        if fewer:
            self.prompt_batch = fewer
            log.warning("out of GPU memory: going on with %d prompts at a time", fewer)
        return bool(fewer)

    def _halve_images(self) -> bool:
        fewer = self._images.halve(self._images.asked)
        if fewer:
            log.warning("out of GPU memory: going on with %d images at a time", fewer)
        return bool(fewer)

    def _retried(self, call: Callable[[], T], halve: Callable[[], bool]) -> T:
        again = True
        while True:
            try:
                return call()
            except RuntimeError as error:
                if not again or not out_of_memory(error):
                    raise
            # Here the error is gone, and with it the tensors of the calls that it came through.
            again = halve()
            _free_memory()

    @contextlib.contextmanager
    def _measured(self, step: str) -> Iterator[None]:
        if self._stopped.is_set():
            raise KeyboardInterrupt
        with self.clock.measure(step):
            yield

    def _answer(self, predict: Callable[[Prompts], Masks], prompts: Prompts) -> Masks:
        with self._measured("decode"):
            parts = self._prompts.each(len(prompts), lambda part: predict(prompts[part]))
            answer = parts[0] if len(parts) == 1 else _joined(parts)
        self._finite.append(is_finite(answer))
        return answer

    def _directly(self, own: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        with self._measured("decode"):
            found = own(*arguments, **options)
        if isinstance(found, np.ndarray) and not np.isfinite(found).all():
            raise UserError(NOT_FINITE)
        return found


class Predictor:
    """Embeds images and has tasks prompt a model; says how long each step took.

    Args:
        model: it is not changed.
        cache: embeddings of earlier runs.
        stopped: see `TimedModel`.
    """

    def __init__(
        self, model: Model, cache: EmbeddingCache | None = None, stopped: Event | None = None
    ) -> None:
        self._model, self._cache = TimedModel(model, stopped), cache
        self._clock = self._model.clock

    def embed(
        self, images: Sequence[NDArray[np.uint8]], prepared: Sequence[Any] | None = None
    ) -> list[tuple[Embedding, Seconds]]:
        """Each image's embedding, and the seconds it took: an equal part of those of all.

        Args:
            images: each (H, W, 3) uint8 RGB.
            prepared: what the model's `prepare` made of each; by default it is made now.
        """
        self._clock.later()  # what was measured before is nobody's
        found = [self._load(image) for image in images]
        loading = _parts(self._clock.later(), len(images))
        given = images if prepared is None else prepared
        missing = [image for image, (hit, _) in zip(given, found, strict=True) if not hit]
        made = iter(self._model.embed(missing) if missing else [])
        embedding_all = _parts(self._clock.later(), len(missing))
        embeddings: list[tuple[Embedding, Seconds]] = []
        for image, (hit, embedding) in zip(images, found, strict=True):
            if hit:
                embeddings.append((embedding, loading))
            else:
                embeddings.append((self._keep(image, next(made)), embedding_all))
        return embeddings

    def predict(
        self, task: Task, embedding: Embedding, sample: Sample
    ) -> tuple[Prediction, dict[str, float]]:
        """A task's prediction for an image, and the seconds of decoding and of the rest.

        Raises:
            UserError: the model gave what is not a finite number.
        """

        def predict() -> Prediction:
            self._clock.later()  # what was measured before is nobody's
            with self._clock.measure("post"), self._model.only_finite():
                return task.predict(self._model, embedding, sample)

        prediction = self._model.within_memory(predict)
        seconds = self._clock.take()
        decode = seconds.get("decode", 0.0)
        return prediction, {"decode": decode, "post": max(0.0, seconds["post"] - decode)}

    def _load(self, image: NDArray[np.uint8]) -> tuple[bool, Embedding]:
        if self._cache is None:
            return False, None
        with self._clock.measure("load"):
            return self._cache.embedding(self._model, image)

    def _keep(self, image: NDArray[np.uint8], embedding: Embedding) -> Embedding:
        if self._cache is None:
            return embedding
        packed = self._cache.store(image, self._model.pack(embedding))
        # What is stored is what is used: halved embeddings give the same numbers when they return.
        return self._model.unpack(packed)


def _parts(seconds: Seconds, count: int) -> Seconds:
    """An equal part of some seconds, for each of so many images."""
    return lambda: {step: spent / max(1, count) for step, spent in seconds().items()}


def is_finite(answer: Masks) -> Tensor:
    """Whether all logits and predicted IoUs are finite, as a tensor () bool where they are."""
    import torch

    # A sum is finite only if all its terms are, and is several times faster than to look at each.
    total = answer.logits.sum(dtype=torch.float32) + answer.iou.sum(dtype=torch.float32)
    return torch.isfinite(total)


def all_true(flags: list[Tensor]) -> bool:
    """Whether all of some tensors () bool are true; on a GPU the host waits once."""
    import torch

    return bool(torch.stack(flags).all().item())


def out_of_memory(error: BaseException) -> bool:
    """Whether a GPU's memory ran out."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    # For Apple's GPUs PyTorch raises a plain RuntimeError.
    return isinstance(error, torch.OutOfMemoryError) or str(error).startswith(MPS_IS_FULL)


def _free_memory() -> None:
    """Give back what the failed call held, so that the next one finds it."""
    gc.collect()
    torch = sys.modules["torch"]
    for kind in (torch.cuda, torch.xpu, torch.mps):
        if kind.device_count():
            kind.empty_cache()


def _joined(parts: list[Masks]) -> Masks:
    import torch

    logits, iou = (torch.cat([getattr(part, name) for part in parts]) for name in ("logits", "iou"))
    return Masks(logits, iou, parts[0].size, parts[0].resize)
