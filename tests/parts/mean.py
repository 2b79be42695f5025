"""A model that knows an image's mean colour: fast, and without torch."""

import os
import time
from pathlib import Path

from sambench.interfaces import Model, ModelCard


class Mean(Model):
    """Embeds an image as its mean colour, slowly if asked to.

    Args:
        seconds: an image takes.
        weights: stands for the checkpoint.
        pids: folder in which each process that embeds leaves its number.
        together: images that can be embedded at a time; more raise.
        blind: add noise that depends on the image.
    """

    prompts = frozenset({"points"})
    neutral = frozenset({"device", "seconds", "pids", "together", "weights"})

    def __init__(
        self,
        seconds: float = 0.0,
        weights: str = "one",
        pids: str = "",
        together: int = 99,
        blind: float = 0.0,
    ) -> None:
        self.card = ModelCard(name="mean", weights_sha256=weights)
        self.seconds, self.pids, self.together = seconds, pids, together
        self.blind = blind

    def embed(self, images):
        if len(images) > self.together:
            raise RuntimeError("too many images")
        if self.pids:
            Path(self.pids, str(os.getpid())).touch()
        time.sleep(self.seconds * len(images))
        return [image.mean(axis=(0, 1)) + self.blind * image[0, 0, 0] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        raise AssertionError("the tasks of these tests ask for nothing")
