"""FastSAM (Zhao et al., 2023) as the package ultralytics computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import Masks, Model, ModelCard, Prompts

from ._framed import require
from ._given import check_image, check_prompts, choose_device
from .nn.state_file import check_finite, not_weights

SETTINGS = {"imgsz": 1024, "conf": 0.4, "iou": 0.9, "retina_masks": True, "verbose": False}


@dataclass(frozen=True)
class FastSamEmbedding:
    """Everything that FastSAM found in an image of size (H, W)."""

    results: Any
    size: tuple[int, int]


class FastSam(Model):
    """All objects are found first; a prompt only chooses among them.

    A box takes the mask of highest IoU with it; points take the union of all masks with a
    foreground point and without a background point. There is one mask for a prompt, and its
    predicted quality is the detection's confidence. Ultralytics unpickles the checkpoint, which can
    run any code: use only those that you trust.

    Args:
        checkpoint: FastSAM-s.pt or FastSAM-x.pt.
        device: cpu, cuda, cuda:1 and so on.

    Raises:
        UserError: the package is not installed, or there is no such file.
    """

    requires = "pip install 'sambench[ultralytics]'; FastSAM-s.pt or FastSAM-x.pt"
    prompts = frozenset({"points", "boxes"})

    def __init__(self, checkpoint: Path, device: str = "cpu") -> None:
        package = require("ultralytics", "ultralytics")
        self.device = choose_device(device, "float32")
        if not checkpoint.is_file():
            raise UserError(f"checkpoint {checkpoint} does not exist; give FastSAM-s.pt or -x.pt.")
        words = not_weights(checkpoint)
        if words:
            raise UserError(f"{checkpoint} is {words}.")
        try:
            self.net = package.FastSAM(checkpoint)
        except Exception as error:  # whatever it unpickles may raise anything
            lines = str(error).strip().splitlines() or [""]
            raise UserError(
                f"{checkpoint} cannot be loaded by Ultralytics ({type(error).__name__} "
                f"{lines[0][:120]}); give FastSAM-s.pt or FastSAM-x.pt."
            ) from error
        check_finite(self.net.model.state_dict(), str(checkpoint))
        words = ", ".join(f"{key} {value}" for key, value in SETTINGS.items() if key != "verbose")
        self.card = ModelCard(
            name=checkpoint.stem,
            weights_sha256=sha256(checkpoint),
            preprocessing=f"Ultralytics' own ({words})",
            parameters=sum(parameter.numel() for parameter in self.net.model.parameters()),
            licence="AGPL-3.0",
            citation="Zhao et al., Fast Segment Anything, arXiv 2306.12156, 2023",
            family="FastSAM",
        )

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[FastSamEmbedding]:
        """Find everything in each image."""
        return [self._find(image) for image in images]

    def _find(self, image: NDArray[np.uint8]) -> FastSamEmbedding:
        check_image(image)
        bgr = np.ascontiguousarray(image[..., ::-1])
        [results] = self.net.predict(bgr, device=self.device, **SETTINGS)
        return FastSamEmbedding(results, (image.shape[0], image.shape[1]))

    def predict(self, embedding: FastSamEmbedding, prompts: Prompts, *, multimask: bool) -> Masks:
        """One of the masks of everything per prompt: a single candidate, also with multimask."""
        del multimask
        check_prompts(self, prompts)
        chosen = [self._choose(embedding, prompts[i : i + 1]) for i in range(len(prompts))]
        masks = torch.stack([mask for mask, _ in chosen])[:, None]
        iou = torch.tensor([[score] for _, score in chosen])
        return Masks(masks.float() * 2 - 1, iou, embedding.size, lambda logits: logits)

    def _choose(self, found: FastSamEmbedding, prompt: Prompts) -> tuple[torch.Tensor, float]:
        """The mask (H, W) bool of one prompt, and its confidence."""
        given: dict[str, Any] = {}
        if prompt.boxes is not None:
            given["bboxes"] = np.asarray(prompt.boxes)
        if prompt.points is not None:
            real = np.asarray(prompt.labels)[0] >= 0
            given["points"] = np.asarray(prompt.points)[0][real]
            given["labels"] = np.asarray(prompt.labels)[0][real]
        [kept] = self.net.predictor.prompt([found.results], **given)
        if not len(kept):
            return torch.zeros(found.size, dtype=torch.bool), 0.0
        return kept.masks.data.bool().any(dim=0).cpu(), float(kept.boxes.conf.max())
