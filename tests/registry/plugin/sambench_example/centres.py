"""A task: is the clicked pixel in its own mask?"""

from dataclasses import dataclass

import numpy as np

from sambench.interfaces import Metric, Prompts, Task
from sambench.masks.clicks import first_click
from sambench.metrics.statistics import ratios
from sambench.truths import Instances


@dataclass(frozen=True)
class Centres(Task):
    """How often the mask of a click holds the click itself."""

    truth = Instances
    metrics = (Metric("hits", "objects whose mask holds the click", "percent"),)
    needs = frozenset({"points"})
    paper = "sambench run --task example_centres"

    def predict(self, model, embedding, sample):
        """Click on every object."""
        clicks = [first_click(mask) for mask in sample.truth.masks()]
        points = np.array([[[click.x, click.y]] for click in clicks], np.float64)
        prompts = Prompts(points=points, labels=np.ones((len(points), 1), np.int64))
        masks = model.predict(embedding, prompts, multimask=False).binary()[:, 0]
        return [bool(m[c.y, c.x]) for m, c in zip(masks, clicks, strict=True)]

    def score(self, prediction, truth):
        """One value an object."""
        return {"hits": [float(hit) for hit in prediction]}

    def estimator(self, records):
        """Share of the objects."""
        return ratios({"hits": [record["hits"] for record in records]})
