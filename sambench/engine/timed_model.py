"""A model as a run calls it: timed, its answers checked, fewer prompts where memory is short.

When a call runs out of memory, prompts are given to the model half as many at a time from then on,
and the image is done again; so are images that were to be embedded together. A model answers a
prompt by itself, so this moves no number.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sambench.engine.clock import Clock
from sambench.errors import UserError
from sambench.interfaces import Embedding, Masks, Model, Prediction, Prompts, Sample, Task

if TYPE_CHECKING:
    from torch import Tensor

    from sambench.engine.embedding_cache import EmbeddingCache

NOT_FINITE = (
    "the model gave logits or predicted IoUs that are not finite numbers; check its weights, or "
    "give another --precision."
)
log = logging.getLogger(__name__)


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
        self._most: int | None = None  # prompts at a time, once memory has run out
        self._finite: list[Tensor] = []  # of each answer within `only_finite`

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[Embedding]:
        """Embed images, each (H, W, 3) uint8 RGB."""
        with self._measured("embed"):
            return self._model.embed(images)

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
        if self._finite and not all(flag.item() for flag in self._finite):
            raise UserError(NOT_FINITE)

    def halve(self) -> bool:
        """Answer half as many prompts at a time from now on; False if it is one at a time."""
        fewer = self.prompt_batch // 2
        if fewer:
            self._most = self.prompt_batch = fewer
        return bool(fewer)

    @contextlib.contextmanager
    def _measured(self, step: str) -> Iterator[None]:
        if self._stopped.is_set():
            raise KeyboardInterrupt
        with self.clock.measure(step):
            yield

    def _answer(self, predict: Callable[[Prompts], Masks], prompts: Prompts) -> Masks:
        step = self._most or len(prompts)
        with self._measured("decode"):
            parts = [predict(prompts[i : i + step]) for i in range(0, len(prompts), step)]
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
        self, images: Sequence[NDArray[np.uint8]]
    ) -> list[tuple[Embedding, dict[str, float]]]:
        """Each image's embedding, and the seconds it took: an equal part of those of all."""
        self._clock.take()
        found = [self._load(image) for image in images]
        loading = self._clock.take()
        missing = [image for image, (hit, _) in zip(images, found, strict=True) if not hit]
        made = iter(self._model.embed(missing) if missing else [])
        seconds = {"embed": self._clock.take().get("embed", 0.0) / max(1, len(missing))}
        embeddings: list[tuple[Embedding, dict[str, float]]] = []
        for image, (hit, embedding) in zip(images, found, strict=True):
            if hit:
                embeddings.append((embedding, {"load": loading["load"] / len(images)}))
            else:
                embeddings.append((self._keep(image, next(made)), seconds))
        return embeddings

    def predict(
        self, task: Task, embedding: Embedding, sample: Sample
    ) -> tuple[Prediction, dict[str, float]]:
        """A task's prediction for an image, and the seconds of decoding and of the rest.

        Raises:
            UserError: the model gave what is not a finite number.
        """
        while True:
            self._clock.take()
            try:
                with self._clock.measure("post"), self._model.only_finite():
                    prediction = task.predict(self._model, embedding, sample)
                break
            except RuntimeError as error:
                if not out_of_memory(error) or not self._model.halve():
                    raise
            most = self._model.prompt_batch
            log.warning("out of GPU memory: going on with %d prompts at a time", most)
            _free_memory()
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


def is_finite(answer: Masks) -> Tensor:
    """Whether all logits and predicted IoUs are finite, as a tensor () bool where they are."""
    import torch

    # A sum is finite only if all its terms are, and is several times faster than to look at each.
    total = answer.logits.sum(dtype=torch.float32) + answer.iou.sum(dtype=torch.float32)
    return torch.isfinite(total)


def out_of_memory(error: BaseException) -> bool:
    """Whether a GPU's memory ran out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def _free_memory() -> None:
    """Give back what the failed call held, so that the next one finds it."""
    torch = sys.modules["torch"]
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _joined(parts: list[Masks]) -> Masks:
    import torch

    logits, iou = (torch.cat([getattr(part, name) for part in parts]) for name in ("logits", "iou"))
    return Masks(logits, iou, parts[0].size, parts[0].resize)
