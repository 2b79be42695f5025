"""A plug-in with a type of truth of its own: centres of cells, a dataset and a task of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from sambench.interfaces import Dataset, DatasetCard, Finding, Prompts, Task, Truth
from sambench.metrics.statistics import ratios


@dataclass(frozen=True)
class Centres(Truth):
    """Truth of one image: (N, 2) x, y of the centres of N cells."""

    points: np.ndarray

    def problems(self, size: tuple[int, int] | None) -> Iterator[Finding]:
        """Centres outside of the image."""
        if size is not None:
            outside = ((self.points < 0) | (self.points >= [size[1], size[0]])).any(axis=1).sum()
            if outside:
                problem = f"{outside} centres lie outside of the image"
                yield Finding("centres", problem, "Give x, y in pixels.")


class Cells(Dataset):
    """Three images of noise with a cell each.

    Args:
        off: id of an image whose centre lies outside of it.
    """

    truths = (Centres,)
    card = DatasetCard("cells", "Cells", "CC0-1.0", "none")

    def __init__(self, off: str = "") -> None:
        self.off = off

    @cached_property
    def ids(self):
        """Three."""
        return ("0", "1", "2")

    @cached_property
    def fingerprint(self):
        """Nothing is read."""
        return "0" * 64

    def read_image(self, id):
        """Noise."""
        return np.random.default_rng(int(id)).integers(0, 255, (40, 60, 3), dtype=np.uint8)

    def read_truth(self, id, kind):
        """A centre."""
        assert kind is Centres
        return Centres(np.array([[10.0, 45.0 if id == self.off else 30.0]]))


@dataclass(frozen=True)
class Hits(Task):
    """The part of the centres whose own mask covers them."""

    truth: ClassVar[type] = Centres
    metric: ClassVar[str] = "hits"
    needs: ClassVar[frozenset[str]] = frozenset({"points"})
    paper: ClassVar[str] = "none"

    def predict(self, model, embedding, sample):
        """A click at each centre."""
        points = sample.truth.points[:, None]
        prompts = Prompts(points=points, labels=np.ones(points.shape[:2], np.int64))
        return model.predict(embedding, prompts, multimask=False).binary()[:, 0]

    def score(self, prediction, truth):
        """1 for each centre that is covered."""
        x, y = truth.points.astype(int).T
        return {"hit": prediction[np.arange(len(x)), y, x].astype(float).tolist()}

    def estimator(self, records):
        """Mean over all centres."""
        return ratios({"hits": [record["hit"] for record in records]})
