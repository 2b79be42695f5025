"""A model that writes down what it is asked, and answers with the left and the upper half."""

import json
from pathlib import Path

import torch

from sambench.interfaces import Masks, Model, ModelCard


class Asked(Model):
    """Keeps a line of JSON for each call.

    Args:
        log: file for these lines.
        device: where it is told to run; written down too.
    """

    prompts = frozenset({"points", "boxes"})

    def __init__(self, log: str, device: str = "cpu") -> None:
        self.log, self.device = Path(log), device
        self.card = ModelCard("asked")

    def embed(self, images):
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        def plain(part):
            return None if part is None else part.tolist()

        line = {
            "points": plain(prompts.points), "labels": plain(prompts.labels),
            "boxes": plain(prompts.boxes), "multimask": multimask, "device": self.device,
        }  # fmt: skip
        with self.log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        height, width = embedding
        halves = torch.full((2, height, width), -3.0)
        halves[0, :, : width // 2] = halves[1, : height // 2] = 3.0
        kept = halves if multimask else halves[1:]
        iou = torch.tensor([0.875, 0.9375] if multimask else [0.5]).repeat(len(prompts), 1)
        return Masks(kept.repeat(len(prompts), 1, 1, 1), iou, embedding, lambda logits: logits)
