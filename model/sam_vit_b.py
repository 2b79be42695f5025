"""SAM with a ViT-B image encoder, official weights."""

from __future__ import annotations

from .nn.known import OFFICIAL
from .sam import Sam


class SamVitB(Sam):
    """The official sam_vit_b_01ec64.pth, downloaded at first use, or a file with its content."""

    requires = "375 MB, downloaded at first use"
    name = "sam_vit_b"
    licence = "Apache-2.0"
    neutral = frozenset({"device", "checkpoint"})  # one content alone is taken

    def __init__(
        self,
        checkpoint: str = "sam_vit_b_01ec64.pth",
        device: str = "cpu",
        precision: str = "float32",
        compiled: bool = False,
    ) -> None:
        super().__init__(
            checkpoint,
            "vit_b",
            device,
            precision,
            OFFICIAL["sam_vit_b_01ec64.pth"].sha256,
            compiled,
        )
