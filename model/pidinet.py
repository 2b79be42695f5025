"""PiDiNet (Su et al., ICCV 2021): edges by pixel difference convolutions, official weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from sambench.data.download import cache_dir, download
from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import ModelCard

from ._baseline import PromptFree, Seen
from ._given import check_image, choose_device
from .nn.pidinet import DIFFERENCES, LEAST_SIDE, PLAIN, Kind
from .nn.pidinet import PiDiNet as Network
from .nn.state_file import difference, matched, read_state

Variant = Literal[
    "pidinet", "l", "small", "small-l", "tiny", "tiny-l", "baseline", "nyud", "multicue"
]
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_FILES = (
    "https://github.com/hellozhuo/pidinet/raw/36f6506df68e46260d4424446ceb9da3aa267598/"
    "trained_models/"
)


@dataclass(frozen=True)
class Published:
    """A network that its authors publish.

    Attributes:
        file: name of its checkpoint.
        sha256: of the checkpoint.
        channels, side, kinds: see the network.
        trained: on what.
    """

    file: str
    sha256: str
    channels: int = 60
    side: int = 24
    kinds: tuple[Kind, ...] = DIFFERENCES
    trained: str = "BSDS500 and PASCAL VOC"

    @property
    def url(self) -> str:
        """Where the checkpoint is fetched from."""
        return _FILES + self.file

    def network(self) -> Network:
        """The network with random weights."""
        return Network(self.channels, self.side, self.kinds)


PUBLISHED: dict[Variant, Published] = {
    "pidinet": Published(
        "table5_pidinet.pth", "80860ac267258b5f27486e0ef152a211d0b08120f62aeb185a050acc30da486c"
    ),
    "l": Published(
        "table5_pidinet-l.pth",
        "14ee1cc0d20f787e25bd4105a74cf14fd4dba28aec75ba77dfb7ba1bc5e6bd12",
        side=0,
    ),
    "small": Published(
        "table5_pidinet-small.pth",
        "55740e3a0e6c4c3f82a921902851a86be6ad5a144db29add4ab57e1a22007f76",
        channels=30,
        side=12,
    ),
    "small-l": Published(
        "table5_pidinet-small-l.pth",
        "3063a52926f5bf7f02c09bfe3c7b20c2408f8cdfe64ef44a3eccb7510e317cf8",
        channels=30,
        side=0,
    ),
    "tiny": Published(
        "table5_pidinet-tiny.pth",
        "e32b23fff6c1cb9bd4385a1d615023346fc2e3f2f3a8db7f78cc4ce95a14730c",
        channels=20,
        side=8,
    ),
    "tiny-l": Published(
        "table5_pidinet-tiny-l.pth",
        "21b5a975737017676f240dcb7158f6874340f5541ce06ccdb900d8b353a9ab93",
        channels=20,
        side=0,
    ),
    "baseline": Published(
        "table5_baseline.pth",
        "aa103197722645487c7d670c0866e8a5537ab4501e610012bebec06dc559883a",
        kinds=PLAIN,
    ),
    "nyud": Published(
        "table6_pidinet.pth",
        "8ae827da53ca6807e44f83f4dacf214ed0839e149c3969c485908684c4522f3e",
        trained="the photographs of NYUD",
    ),
    "multicue": Published(
        "table7_pidinet.pth",
        "d065884ade7f69e0c90a2e376c502d742a935a932518f15b0eb087dbf22b455c",
        trained="Multicue, boundaries, first split",
    ),
}


class PiDiNet(PromptFree):
    """The authors' networks, one content alone for each; the weights are for research only.

    Args:
        variant: pidinet, or by size and without (-l) the modules beside its stages: l, small,
            small-l, tiny, tiny-l; baseline has plain convolutions; nyud and multicue were trained
            on other data.
        checkpoint: the variant's file, such as table5_pidinet.pth; "" has it downloaded once.
        device: cpu, cuda, cuda:1 and so on.

    Raises:
        UserError: the checkpoint is missing or another, or the device cannot be used.
    """

    name = "pidinet"
    citation = "Su et al., Pixel Difference Networks for Efficient Edge Detection, ICCV 2021"
    requires = "at most 3 MB, downloaded at first use"
    neutral = frozenset({"device", "checkpoint"})  # one content alone is taken

    def __init__(
        self, variant: Variant = "pidinet", checkpoint: str = "", device: str = "cpu"
    ) -> None:
        known = PUBLISHED[variant]
        self.device = choose_device(device, "float32")
        self.net = load(known, Path(checkpoint).expanduser() if checkpoint else _fetched(known))
        self.net.to(self.device)
        self.card = ModelCard(
            name=self.name,
            weights_sha256=known.sha256,
            preprocessing="RGB in its own size, normalised by mean 0.485, 0.456, 0.406 and "
            f"deviation 0.229, 0.224, 0.225; trained on {known.trained}",
            precision="float32",
            parameters=sum(parameter.numel() for parameter in known.network().parameters()),
            licence="MIT, headed: for research purpose, ask for commercial use",
            citation=self.citation,
            family="PiDiNet",
        )

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[Seen]:
        """Check images, each (H, W, 3) uint8 RGB; they are seen by `boundaries`.

        Raises:
            UserError: something else than an image, or one of fewer than 8 pixels on a side.
        """
        for image in images:
            check_image(image)
            if min(image.shape[:2]) < LEAST_SIDE:
                raise UserError(
                    f"pidinet halves an image three times, so its sides need {LEAST_SIDE} pixels; "
                    f"this one is {image.shape[1]} x {image.shape[0]}."
                )
        return super().embed(images)

    @torch.inference_mode()
    def boundaries(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probability of an edge at each pixel, (H, W) in 0 to 1."""
        pixels = torch.from_numpy(np.array(image)).to(self.device).permute(2, 0, 1)[None] / 255
        mean, deviation = (pixels.new_tensor(v).reshape(3, 1, 1) for v in (MEAN, DEVIATION))
        edges: NDArray[np.float32] = (
            self.net((pixels - mean) / deviation).sigmoid()[0, 0].cpu().numpy()
        )
        return edges


def load(known: Published, path: Path) -> Network:
    """The published network with its weights, in evaluation, its convolutions folded.

    Raises:
        UserError: the file is missing, or has another content.
    """
    if not path.is_file():
        raise UserError(
            f"checkpoint {path} does not exist; give {known.file}, or leave checkpoint= out to "
            "have it downloaded."
        )
    digest = sha256(path)
    if digest != known.sha256:
        same = [variant for variant, other in PUBLISHED.items() if other.sha256 == digest]
        remedy = f"give variant={same[0]}" if same else f"give the authors' {known.file}"
        raise UserError(f"{path} has SHA-256 {digest}, not {known.sha256}; {remedy}.")
    net = known.network()
    want = net.state_dict()
    have = matched(read_state(path), want)
    wrong = difference(want, have)
    if wrong:
        raise UserError(f"{path} is not that PiDiNet: {wrong}; give the authors' {known.file}.")
    net.load_state_dict(have, strict=True)
    return net.requires_grad_(requires_grad=False).eval().folded()


def _fetched(known: Published) -> Path:
    """The file of a checkpoint, downloaded to the cache if it is not there."""
    return download(known.url, cache_dir() / "checkpoints" / known.file, known.sha256)
