"""Conformance of plug-ins: what a check says, and the photographs that models are tried on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.findings import Finding
from sambench.interfaces import JSON, Dataset, Embedding, Masks, Model, Prompts
from sambench.masks.clicks import first_click
from sambench.truths import Instances

OBJECTS = 4
"""Prompts of each image."""


@dataclass(frozen=True)
class Report:
    """All findings, the experiments that were done, and what was measured on the way."""

    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    facts: JSON


@dataclass(frozen=True)
class Scene:
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


def scenes(dataset: Dataset, count: int = 3) -> list[Scene]:
    """The first images of a dataset that show several objects, cut to be wide, tall and small.

    Raises:
        UserError: fewer than two images do.
    """
    found: list[Scene] = []
    for id in dataset.ids:
        truth: Instances = dataset.read_truth(id, Instances)
        image = dataset.read_image(id)
        height, width = image.shape[:2]
        cuts = [(height * 3 // 4, width), (height, width * 3 // 4), (height // 2, width // 2)]
        rows, columns = cuts[len(found) % 3]
        scene = _scene(image[:rows, :columns], truth.masks()[:, :rows, :columns])
        found += [scene] if len(scene.masks) > 1 else []
        if len(found) == count:
            return found
    if len(found) < 2:
        raise UserError(f"dataset {dataset.card.name} shows too few objects; choose another.")
    return found


def _scene(image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> Scene:
    """The largest objects that do not fill the image."""
    share = masks.mean(axis=(1, 2)) if len(masks) else np.zeros(0)
    order = [i for i in np.argsort(-share) if 0.001 < share[i] < 0.5][:OBJECTS]
    kept = masks[order]
    ends = [(np.flatnonzero(m.any(axis=0)), np.flatnonzero(m.any(axis=1))) for m in kept]
    boxes = [(x[0], y[0], x[-1] + 1, y[-1] + 1) for x, y in ends]
    return Scene(np.ascontiguousarray(image), kept, np.array(boxes, np.float64).reshape(-1, 4))


class Bench:
    """A model on the bench: what several experiments need, and what was measured."""

    def __init__(self, model: Model, photographs: list[Scene]) -> None:
        self.model = model
        self.scenes = photographs
        self.facts: JSON = {}
        self.kinds = sorted(model.prompts & {"points", "boxes"})
        self._embeddings: dict[int, Embedding] = {}

    def fresh(self, scene: Scene) -> Embedding:
        """Embed one photograph."""
        [embedding] = self.model.embed([scene.image])
        return embedding

    def embed(self, scene: Scene) -> Embedding:
        """The embedding of one photograph, computed once."""
        if id(scene) not in self._embeddings:
            self._embeddings[id(scene)] = self.fresh(scene)
        return self._embeddings[id(scene)]

    def ask(self, embedding: Embedding, scene: Scene, kind: str) -> Masks:
        """Ask for all objects of a photograph."""
        return self.model.predict(embedding, scene.prompts(kind), multimask=True)

    def answer(self, scene: Scene, kind: str, *, multimask: bool = True) -> Masks:
        """Ask for all objects of a photograph that may have been embedded before."""
        return self.model.predict(self.embed(scene), scene.prompts(kind), multimask=multimask)
