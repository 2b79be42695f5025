"""SAM and MobileSAM as the package ultralytics computes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sambench.files import sha256
from sambench.interfaces import ModelCard

from ._framed import Framed, Inputs, decode_as_sam, fill, require
from ._given import choose_device
from .nn.sam import PIXEL_MEAN, PIXEL_STD

Arch = Literal["vit_b", "vit_l", "vit_h", "mobile"]
_BUILDERS = {
    "vit_b": "build_sam_vit_b",
    "vit_l": "build_sam_vit_l",
    "vit_h": "build_sam_vit_h",
    "mobile": "build_mobile_sam",
}


class Ultralytics(Framed):
    """SAM with Ultralytics' own preparation of images, which differs from SAM's.

    Args:
        checkpoint: weights, such as sam_b.pt or mobile_sam.pt.
        arch: vit_b, vit_l, vit_h or mobile.
        device: cpu, cuda, cuda:1 and so on.
        precision: float32 is exact; tf32, bfloat16 and float16 are faster on a GPU and move masks.

    Raises:
        UserError: the package is not installed, or the checkpoint cannot be used.
    """

    requires = "pip install 'sambench[ultralytics]'; a checkpoint of SAM or MobileSAM"

    def __init__(
        self,
        checkpoint: Path,
        arch: Arch = "vit_b",
        device: str = "cpu",
        precision: str = "float32",
    ) -> None:
        build = require("ultralytics.models.sam.build", "ultralytics")
        self.device, self.precision = choose_device(device, precision), precision
        net = getattr(build, _BUILDERS[arch])()
        self.net = fill(net, checkpoint).to(self.device)
        self.frame = Letterbox()
        self.card = ModelCard(
            name=f"ultralytics_{'mobile_sam' if arch == 'mobile' else f'sam_{arch}'}",
            weights_sha256=sha256(checkpoint),
            preprocessing=self.frame.words,
            precision=precision,
            parameters=sum(parameter.numel() for parameter in self.net.parameters()),
            licence="AGPL-3.0 for the package",
            citation="Jocher et al., Ultralytics, github.com/ultralytics/ultralytics",
            family="SAM",
        )

    def encode(self, pixels: Tensor) -> Any:
        """Network input (1, 3, side, side) float32 -> features of the image."""
        return self.net.image_encoder(pixels)

    def decode(self, features: Any, inputs: Inputs, *, multimask: bool) -> tuple[Tensor, Tensor]:
        """Decode B prompts: low-resolution logits (B, C, h, w) and predicted IoU (B, C)."""
        return decode_as_sam(self.net, features, inputs, multimask=multimask)


@dataclass(frozen=True)
class Letterbox:
    """Ultralytics' frame: OpenCV's resize without antialiasing, grey padding, masks cut early."""

    side: int = 1024

    @property
    def words(self) -> str:
        """The preprocessing in words, for the model card."""
        return (
            f"longest side resized to {self.side} pixels (OpenCV, bilinear, no antialiasing), "
            "padded with grey 114 right and below, then normalised; masks are cut at low "
            "resolution and enlarged once (Ultralytics)"
        )

    def pixels(self, image: NDArray[np.uint8]) -> Tensor:
        """Image (H, W, 3) uint8 RGB -> network input (3, side, side) float32."""
        augment = require("ultralytics.data.augment", "ultralytics")
        box = augment.LetterBox((self.side, self.side), auto=False, center=False)
        square = torch.from_numpy(np.array(box(image=image))).permute(2, 0, 1).float()
        mean, std = torch.tensor(PIXEL_MEAN), torch.tensor(PIXEL_STD)
        return (square - mean[:, None, None]) / std[:, None, None]

    def points(self, points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
        """Points (..., 2) x, y in pixels of the image of size (H, W) -> in pixels of the frame."""
        scaled: NDArray[np.float64] = points * (self.side / max(size))
        return scaled

    def resize(self, low: tuple[int, int], size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
        """Return what maps logits (n, *low) of the frame to logits (n, H, W) of the image."""
        scale_masks = require("ultralytics.utils.ops", "ultralytics").scale_masks
        gain = self.side / max(size)
        ratio = [
            round(length * gain) * inner / self.side / length
            for length, inner in zip(size, low, strict=True)
        ]

        def full(logits: Tensor) -> Tensor:
            masks: Tensor = scale_masks(logits[None].float(), size, (ratio, (0, 0)), padding=False)[
                0
            ]
            return masks

        return full
