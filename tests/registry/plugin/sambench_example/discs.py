"""A model: a disc around each click."""

from functools import partial

import numpy as np
import torch
from torch.nn.functional import interpolate

from sambench.interfaces import Masks, Model, ModelCard


class Discs(Model):
    """A disc around each click.

    Args:
        radius: in pixels.
    """

    prompts = frozenset({"points"})

    def __init__(self, radius: float = 10.0) -> None:
        self.radius = radius
        self.card = ModelCard("example_discs", licence="CC0-1.0")

    def embed(self, images):
        """Nothing to compute: the size is all it needs."""
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        """Positive within the radius of the first click."""
        height, width = embedding
        points = torch.tensor(np.asarray(prompts.points)[:, 0], dtype=torch.float32)
        x, y = torch.arange(width), torch.arange(height)
        across = (x[None] - points[:, :1]) ** 2
        down = (y[None] - points[:, 1:]) ** 2
        logits = self.radius - (down[:, :, None] + across[:, None]).sqrt()
        iou = torch.full((len(points), 1), 0.5)
        return Masks(logits[:, None], iou, (height, width), partial(_resize, size=(height, width)))


def _resize(logits, size):
    return interpolate(logits[:, None], size, mode="bilinear")[:, 0]
