"""SAM as the package segment-anything computes it, from an official checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from sambench.files import sha256
from sambench.interfaces import ModelCard

from ._framed import Framed, Inputs, decode_as_sam, fill, require
from ._frames import Padded
from ._given import choose_device

Arch = Literal["vit_b", "vit_l", "vit_h"]


class SegmentAnything(Framed):
    """The authors' own package; the built-in model sam computes the same, faster.

    Args:
        checkpoint: a .pth file, such as sam_vit_h_4b8939.pth.
        arch: vit_b, vit_l or vit_h.
        device: cpu, cuda, cuda:1 and so on.
        precision: float32 is exact; tf32, bfloat16 and float16 are faster on a GPU and move masks.

    Raises:
        UserError: the package is not installed, or the checkpoint cannot be used.
    """

    requires = "pip install 'sambench[segment-anything]'; an official checkpoint"

    def __init__(
        self,
        checkpoint: Path,
        arch: Arch = "vit_h",
        device: str = "cpu",
        precision: str = "float32",
    ) -> None:
        package = require("segment_anything", "segment-anything")
        self.device, self.precision = choose_device(device, precision), precision
        net = package.sam_model_registry[arch]()
        self.net = fill(net, checkpoint).to(self.device)
        self.frame = Padded(self.net.image_encoder.img_size)
        self.card = ModelCard(
            name=f"segment_anything_{arch}",
            weights_sha256=sha256(checkpoint),
            preprocessing=self.frame.words,
            precision=precision,
            parameters=sum(parameter.numel() for parameter in self.net.parameters()),
            licence="Apache-2.0",
            citation="Kirillov et al., Segment Anything, ICCV 2023",
            family="SAM",
        )

    def encode(self, pixels: Tensor) -> Any:
        """Network input (1, 3, side, side) float32 -> features of the image."""
        return self.net.image_encoder(pixels)

    def decode(self, features: Any, inputs: Inputs, *, multimask: bool) -> tuple[Tensor, Tensor]:
        """Decode B prompts: low-resolution logits (B, C, h, w) and predicted IoU (B, C)."""
        return decode_as_sam(self.net, features, inputs, multimask=multimask)
