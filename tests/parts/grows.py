"""A task whose scores take memory."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sambench.interfaces import Metric, Task
from sambench.metrics.statistics import ratios
from sambench.truths import Instances


@dataclass(frozen=True)
class Grows(Task):
    """A score in so many bytes.

    Attributes:
        size: in bytes.
    """

    size: int = 8

    truth: ClassVar[type] = Instances
    metrics = (Metric("sum", "of as many ones as there is room for"),)
    paper: ClassVar[str] = "none"

    def predict(self, model, embedding, sample):
        raise AssertionError

    def score(self, prediction, truth):
        return {"sum": int(np.ones(self.size // 8).sum())}

    def estimator(self, records):
        return ratios({"sum": [[record["sum"]] for record in records]})
