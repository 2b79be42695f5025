"""SAM with a ViT-L image encoder, official weights."""

from __future__ import annotations

from .nn.known import OFFICIAL
from .sam import Sam


class SamVitL(Sam):
    """The official sam_vit_l_0b3195.pth, downloaded at first use, or a file with its content."""

    requires = "1.2 GB, downloaded at first use"
    name = "sam_vit_l"
    licence = "Apache-2.0"
    neutral = frozenset({"device", "checkpoint"})  # one content alone is taken

    def __init__(
        self,
        checkpoint: str = "sam_vit_l_0b3195.pth",
        device: str = "cpu",
        precision: str = "float32",
        compiled: bool = False,
    ) -> None:
        super().__init__(
            checkpoint,
            "vit_l",
            device,
            precision,
            OFFICIAL["sam_vit_l_0b3195.pth"].sha256,
            compiled,
        )
