"""A model of texts: three quarters of the image, its left half and nothing, by what is said."""

import torch

from sambench.interfaces import Masks, Model, ModelCard

SCORES = {
    "left": (0.3, 0.9, 0.1), "right": (0.8, 0.2, 0.1), "both": (0.6, 0.7, 0.1),
    "nothing": (0.2, 0.4, 0.1),
}  # fmt: skip


class Said(Model):
    """Knows four expressions."""

    prompts = frozenset({"texts"})
    prompt_batch = 3

    def __init__(self):
        self.card = ModelCard("said")

    def embed(self, images):
        return [image.shape[:2] for image in images]

    def predict(self, embedding, prompts, *, multimask):
        height, width = embedding
        logits = torch.full((len(prompts), 3, height, width), -1.0)
        logits[:, 0, :, : width * 3 // 4] = 1.0
        logits[:, 1, :, : width // 2] = 1.0
        scores = torch.tensor([SCORES[text] for text in prompts.texts])
        answer = Masks(logits, scores, (height, width), torch.Tensor.clone)
        return answer if multimask else answer.most_confident()
