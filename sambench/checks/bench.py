"""Photographs with known objects, and the bench on which a model is tried with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset, Embedding, Masks, Model, Prompts
from sambench.masks.clicks import first_click
from sambench.truths import Instances

OBJECTS = 4
"""Prompts of each image."""


@dataclass(frozen=True)
class Photograph:
    """A photograph with B of its objects: masks (B, H, W) bool and boxes (B, 4)."""

    image: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    boxes: NDArray[np.float64]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.image.shape[0], self.image.shape[1]

    def clicks(self) -> NDArray[np.float64]:
        """(B, 2) x, y: the innermost pixel of each object."""
        found = (first_click(mask) for mask in self.masks)
        return np.array([[click.x, click.y] for click in found if click], np.float64)

    def prompts(self, kind: str) -> Prompts:
        """One prompt for each object, by its box or by a click."""
        if kind == "boxes":
            return Prompts(boxes=self.boxes.copy())
        points = self.clicks()[:, None]
        return Prompts(points=points, labels=np.ones(points.shape[:2], np.int64))


def photographs(dataset: Dataset, count: int = 3) -> list[Photograph]:
    """The first images of a dataset that show several objects, cut to be wide, tall and small.

    Raises:
        UserError: fewer than two images do.
    """
    found: list[Photograph] = []
    for id in dataset.ids:
        truth: Instances = dataset.read_truth(id, Instances)
        image = dataset.read_image(id)
        height, width = image.shape[:2]
        cuts = [(height * 3 // 4, width), (height, width * 3 // 4), (height // 2, width // 2)]
        rows, columns = cuts[len(found) % 3]
        photo = _photograph(image[:rows, :columns], truth.masks()[:, :rows, :columns])
        found += [photo] if len(photo.masks) > 1 else []
        if len(found) == count:
            return found
    if len(found) < 2:
        raise UserError(f"dataset {dataset.card.name} shows too few objects; choose another.")
    return found


def _photograph(image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> Photograph:
    """The largest objects that do not fill the image."""
    share = masks.mean(axis=(1, 2)) if len(masks) else np.zeros(0)
    order = [i for i in np.argsort(-share) if 0.001 < share[i] < 0.5][:OBJECTS]
    kept = masks[order]
    ends = [(np.flatnonzero(m.any(axis=0)), np.flatnonzero(m.any(axis=1))) for m in kept]
    boxes = [(x[0], y[0], x[-1] + 1, y[-1] + 1) for x, y in ends]
    return Photograph(np.ascontiguousarray(image), kept, np.array(boxes, np.float64).reshape(-1, 4))


class _Noting:
    """A model that notes on each error what it was asked for.

    Args:
        model: that is asked.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._images: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[Embedding]:
        sizes = [f"{image.shape[1]} x {image.shape[0]}" for image in images]
        with _noted(f"embed of {len(images)} images, {', '.join(sizes)} pixels"):
            found = self._model.embed(images)
        self._images |= {id(one): size for one, size in zip(found, sizes, strict=False)}
        return found

    def predict(self, embedding: Embedding, prompts: Prompts, *, multimask: bool) -> Masks:
        with _noted(self._asked("predict", embedding, prompts, multimask)):
            return self._model.predict(embedding, prompts, multimask=multimask)

    def predict_above(
        self, embedding: Embedding, prompts: Prompts, pred_iou_thresh: float, *, multimask: bool
    ) -> Masks:
        with _noted(self._asked("predict_above", embedding, prompts, multimask)):
            return self._model.predict_above(
                embedding, prompts, pred_iou_thresh, multimask=multimask
            )

    def _asked(self, method: str, embedding: Embedding, prompts: Prompts, multimask: bool) -> str:
        kinds = [k for k in ("points", "boxes", "masks") if getattr(prompts, k) is not None]
        size = self._images.get(id(embedding), "?")
        return (
            f"{method} of {len(prompts)} {' and '.join(kinds)} on the image of {size} pixels, "
            f"multimask={multimask}"
        )


@contextmanager
def _noted(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(what)
        raise


class Bench:
    """A model on the bench: what several experiments need, and what was measured."""

    def __init__(self, model: Model, photographs: Sequence[Photograph]) -> None:
        self.model = cast(Model, _Noting(model))
        self.photographs = photographs
        self.facts: JSON = {}
        self.kinds = sorted(model.prompts & {"points", "boxes"})
        self._embeddings: dict[int, Embedding] = {}

    def fresh(self, photo: Photograph) -> Embedding:
        """Embed one photograph."""
        [embedding] = self.model.embed([photo.image])
        return embedding

    def embed(self, photo: Photograph) -> Embedding:
        """The embedding of one photograph, computed once."""
        if id(photo) not in self._embeddings:
            self._embeddings[id(photo)] = self.fresh(photo)
        return self._embeddings[id(photo)]

    def ask(self, embedding: Embedding, photo: Photograph, kind: str) -> Masks:
        """Ask for all objects of a photograph."""
        return self.model.predict(embedding, photo.prompts(kind), multimask=True)

    def answer(self, photo: Photograph, kind: str, *, multimask: bool = True) -> Masks:
        """Ask for all objects of a photograph that may have been embedded before."""
        return self.model.predict(self.embed(photo), photo.prompts(kind), multimask=multimask)
