"""HQ-SAM (Ke et al., 2023) as the package segment-anything-hq computes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from sambench.files import sha256
from sambench.interfaces import ModelCard

from ._framed import Framed, Inputs, decode_as_sam, fill, require
from ._frames import Padded
from ._given import choose_device

Arch = Literal["vit_b", "vit_l", "vit_h", "vit_tiny"]


class SamHq(Framed):
    """The authors' own package.

    Asked for several masks it gives one: the most confident of SAM's three plus its own correction.

    Args:
        checkpoint: a .pth file, such as sam_hq_vit_h.pth.
        arch: vit_b, vit_l, vit_h or vit_tiny.
        device: cpu, cuda, cuda:1 and so on.
        precision: float32 is exact; tf32, bfloat16 and float16 are faster on a GPU and move masks.
        hq_only: its own mask alone, not added to SAM's.

    Raises:
        UserError: the package is not installed, or the checkpoint cannot be used.
    """

    requires = "pip install 'sambench[sam-hq]'; a checkpoint of its authors"

    def __init__(
        self,
        checkpoint: Path,
        arch: Arch = "vit_h",
        device: str = "cpu",
        precision: str = "float32",
        hq_only: bool = False,
    ) -> None:
        package = require("segment_anything_hq", "sam-hq")
        self.device, self.precision = choose_device(device, precision), precision
        net = package.sam_model_registry[arch]()
        self.net = fill(net, checkpoint).to(self.device)
        self.frame, self.hq_only = Padded(self.net.image_encoder.img_size), hq_only
        self.card = ModelCard(
            name=f"sam_hq_{arch}" + ("_hq_only" if hq_only else ""),
            weights_sha256=sha256(checkpoint),
            preprocessing=self.frame.words,
            precision=precision,
            parameters=sum(parameter.numel() for parameter in self.net.parameters()),
            licence="Apache-2.0",
            citation="Ke et al., Segment Anything in High Quality, NeurIPS 2023",
            family="SAM",
        )

    def encode(self, pixels: Tensor) -> Any:
        """Network input (1, 3, side, side) float32 -> features of the image."""
        return self.net.image_encoder(pixels)  # features, and those of its early blocks

    def decode(self, features: Any, inputs: Inputs, *, multimask: bool) -> tuple[Tensor, Tensor]:
        """Decode B prompts: low-resolution logits (B, C, h, w) and predicted IoU (B, C)."""
        embedding, early = features
        own = {"hq_token_only": self.hq_only, "interm_embeddings": early}
        return decode_as_sam(self.net, embedding, inputs, multimask=multimask, **own)
