"""How bright the model thinks an image is; its scores can die in several ways."""

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from sambench.interfaces import Metric, Task
from sambench.metrics.statistics import ratios
from sambench.truths import Instances


@dataclass(frozen=True)
class Brightness(Task):
    """Mean colour over a number.

    Attributes:
        channel: of the colour.
        kills: image whose score kills its process.
        until: file that, once there, keeps it from doing so; the first victim makes it.
        divisor: of the score.
    """

    channel: int = 0
    kills: str = ""
    until: str = ""
    divisor: float = 255.0

    truth: ClassVar[type] = Instances
    metrics = (
        Metric("brightness", "mean of a colour over a number"),
        Metric("objects", "objects of an image, mean", "count", None),
    )
    needs = frozenset({"points"})
    paper: ClassVar[str] = "none"
    scoring: ClassVar[frozenset[str]] = frozenset({"divisor"})

    def predict(self, model, embedding, sample):
        return {"id": sample.id, "colour": float(embedding[self.channel])}

    def score(self, prediction, truth):
        if prediction["id"] == self.kills and not (self.until and Path(self.until).exists()):
            if self.until:
                Path(self.until).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"value": prediction["colour"] / self.divisor, "objects": len(truth)}

    def estimator(self, records):
        means = ratios({"brightness": [[r["value"]] for r in records]})
        objects = np.array([r["objects"] for r in records], dtype=float)
        return lambda counts: {**means(counts), "objects": float(objects @ counts / counts.sum())}

    def save(self, prediction, stem):
        path = stem.with_name(stem.name + ".json")
        path.write_text(json.dumps(prediction))
        return path

    def load(self, stem):
        return json.loads(stem.with_name(stem.name + ".json").read_text())
