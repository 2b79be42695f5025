"""SAM with a ViT-H image encoder, official weights."""

from __future__ import annotations

from .nn.known import OFFICIAL
from .sam import Sam


class SamVitH(Sam):
    """The official sam_vit_h_4b8939.pth, downloaded at first use, or a file with its content."""

    requires = "2.6 GB, downloaded at first use"
    name = "sam_vit_h"
    licence = "Apache-2.0"
    neutral = frozenset({"device", "checkpoint"})  # one content alone is taken

    def __init__(
        self,
        checkpoint: str = "sam_vit_h_4b8939.pth",
        device: str = "cpu",
        precision: str = "float32",
        compiled: bool = False,
    ) -> None:
        super().__init__(
            checkpoint,
            "vit_h",
            device,
            precision,
            OFFICIAL["sam_vit_h_4b8939.pth"].sha256,
            compiled,
        )
