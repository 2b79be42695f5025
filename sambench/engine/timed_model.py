"""A model as a run calls it: steps are timed, what is no number is refused, memory may run out.

When a call runs out of memory, prompts are given to the model half as many at a time from then on,
and the image is done again; so are images that were to be embedded together. A model answers a
prompt by itself, so this moves no number.
"""

from __future__ import annotations

import copy
import functools
import logging
import sys
from collections.abc import Callable, Sequence
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


class Session:
    """Embeds images and has tasks prompt the model.

    Args:
        model: it is copied, not its weights, so that its `prompt_batch` may be lowered.
        tasks: whose direct methods are timed as decoding.
        device: where the model is, for its clock.
        cache: embeddings of earlier runs.
    """

    def __init__(
        self,
        model: Model,
        tasks: Sequence[Task],
        device: str = "cpu",
        cache: EmbeddingCache | None = None,
    ) -> None:
        self._clock = Clock(device)
        self._cache = cache
        self._limit = 0  # prompts at a time, once memory has run out
        self._finite: list[Tensor] = []  # of each answer for the image at hand
        self._model = copy.copy(model)
        vars(self._model)["predict"] = functools.partial(self._answer, self._model.predict)
        if type(model).predict_above is not Model.predict_above:  # else it is that of predict
            way = functools.partial(self._answer, self._model.predict_above)
            vars(self._model)["predict_above"] = way
        for name in {task.direct for task in tasks if hasattr(model, task.direct or " ")}:
            vars(self._model)[name] = self._timed(getattr(self._model, name))

    def embed(
        self, images: Sequence[NDArray[np.uint8]]
    ) -> list[tuple[Embedding, dict[str, float]]]:
        """Each image's embedding, and the seconds it took: an equal part of those of all."""
        self._clock.take()
        found = [self._load(image) for image in images]
        loading = self._clock.take()
        missing = [image for image, (hit, _) in zip(images, found, strict=True) if not hit]
        with self._clock.measure("embed"):
            made = iter(self._model.embed(missing) if missing else [])
        seconds = {"embed": self._clock.take()["embed"] / max(1, len(missing))}
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
        """A task's prediction for an image, and the seconds of decoding and of the rest."""
        while True:
            self._clock.take()
            self._finite.clear()
            try:
                with self._clock.measure("post"):
                    prediction = task.predict(self._model, embedding, sample)
                    self._require_finite()
                break
            except RuntimeError as error:
                if not self._halved(error):
                    raise
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

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*arguments: Any, **options: Any) -> Any:
            with self._clock.measure("decode"):
                found = method(*arguments, **options)
            if isinstance(found, np.ndarray) and not np.isfinite(found).all():
                raise UserError(NOT_FINITE)
            return found

        return call

    def _answer(
        self,
        predict: Callable[..., Masks],
        embedding: Embedding,
        prompts: Prompts,
        *above: float,
        multimask: bool,
    ) -> Masks:
        """The model's own way to masks, timed, on no more prompts at a time than memory holds."""
        step = self._limit or len(prompts)
        with self._clock.measure("decode"):
            parts = [
                predict(embedding, prompts[start : start + step], *above, multimask=multimask)
                for start in range(0, len(prompts), step)
            ]
            answer = parts[0] if len(parts) == 1 else _joined(parts)
        self._finite.append(is_finite(answer))
        return answer

    def _require_finite(self) -> None:
        """Refuse an image for which the model gave what is no number.

        Raises:
            UserError: it did.
        """
        # Looked at once an image: on a GPU each look waits for all that is under way.
        if self._finite and not all(flag.item() for flag in self._finite):
            raise UserError(NOT_FINITE)

    def _halved(self, error: RuntimeError) -> bool:
        """Whether memory ran out and fewer prompts at a time may help: if so, ask for fewer."""
        fewer = (self._limit or self._model.prompt_batch) // 2
        if not out_of_memory(error) or not fewer:
            return False
        self._limit = fewer
        vars(self._model)["prompt_batch"] = self._limit
        log.warning("out of GPU memory: going on with %d prompts at a time", self._limit)
        return True


def is_finite(answer: Masks) -> Tensor:
    """Whether all logits and predicted IoUs are finite, as a tensor () bool where they are."""
    import torch

    # A sum is finite only if all its terms are, and is several times faster than to look at each.
    total = answer.logits.sum(dtype=torch.float32) + answer.iou.sum(dtype=torch.float32)
    return torch.isfinite(total)


class FiniteModel(Model):
    """A model whose answers are looked at: one that is not finite is refused.

    Args:
        model: that answers.
    """

    def __init__(self, model: Model) -> None:
        self.inner = model
        self.card, self.prompts, self.prompt_batch = model.card, model.prompts, model.prompt_batch

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[Embedding]:
        """See `Model`."""
        return self.inner.embed(images)

    def predict(self, embedding: Embedding, prompts: Prompts, *, multimask: bool) -> Masks:
        """See `Model`.

        Raises:
            UserError: logits or predicted IoUs are not finite.
        """
        return _finite(self.inner.predict(embedding, prompts, multimask=multimask))

    def predict_above(
        self, embedding: Embedding, prompts: Prompts, pred_iou_thresh: float, *, multimask: bool
    ) -> Masks:
        """See `Model` and `predict`."""
        return _finite(
            self.inner.predict_above(embedding, prompts, pred_iou_thresh, multimask=multimask)
        )


def _finite(answer: Masks) -> Masks:
    if not is_finite(answer):
        raise UserError(NOT_FINITE)
    return answer


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
