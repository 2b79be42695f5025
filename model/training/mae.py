"""A SAM to train from the start: the encoder from MAE's pre-trained ViT, all else random.

He et al., "Masked Autoencoders Are Scalable Vision Learners", 2022, whose ViT has the layers of
SAM's encoder under other names. SAM's relative positions, which MAE's does not have, start at zero,
where they change nothing. MAE's class token, last norm and decoder have no place in SAM.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from sambench.errors import UserError

from ..nn.sam import build_sam
from ..nn.state_file import read_state
from .state import save

ARCHITECTURES = {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}
RENAMED = {"mlp.fc1": "mlp.lin1", "mlp.fc2": "mlp.lin2"}
LEFT_OUT = r"cls_token|mask_token|norm\.|fc_norm\.|head\.|decoder_"
GRID = 64
"""Side of SAM's features, in patches."""
FILE = "initial.safetensors"


def sam_from_mae(path: Path, folder: Path, seed: int = 0) -> Path:
    """Write a SAM checkpoint whose encoder is MAE's; returns the file, ``initial.safetensors``.

    Args:
        path: a checkpoint of MAE: mae_pretrain_vit_base.pth, or _large, or _huge, or .safetensors.
        folder: where to write.
        seed: of the random weights of prompt encoder, neck and decoder.

    Raises:
        UserError: the file is damaged, or no ViT of MAE's that SAM has.
    """
    encoder = encoder_from_mae(read_state(path), path)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        net = build_sam(ARCHITECTURES[encoder["pos_embed"].shape[-1]])
    want = {name: t.shape for name, t in net.image_encoder.state_dict().items() if _of_vit(name)}
    have = {name: tensor.shape for name, tensor in encoder.items()}
    if want != have:
        odd = sorted(n for n in want.keys() | have.keys() if want.get(n) != have.get(n))[0]
        raise UserError(
            f"{path} is not a ViT of MAE's that SAM has: {odd} differs or is missing; give "
            "mae_pretrain_vit_base.pth, _large or _huge."
        )
    net.image_encoder.load_state_dict(encoder, strict=False)
    target = folder / FILE
    save(target, net.state_dict(), {"mae": path.name, "seed": seed})
    return target


def encoder_from_mae(weights: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """MAE's tensors under the names and in the shapes of SAM's encoder.

    Positions (1, 1 + n * n, C) lose the class token's and are resized, bicubic, to the
    (1, 64, 64, C) of an image of 1024 pixels; ViT-H's patches of 14 pixels become 16.

    Raises:
        UserError: it is not a ViT of a known width.
    """
    kept = {_renamed(n): t.float() for n, t in weights.items() if not re.match(LEFT_OUT, n)}
    positions, patches = kept.get("pos_embed"), kept.get("patch_embed.proj.weight")
    if positions is None or patches is None or positions.shape[-1] not in ARCHITECTURES:
        raise UserError(
            f"{path} is not a ViT of MAE's that SAM has; give mae_pretrain_vit_base.pth, _large or "
            "_huge."
        )
    kept["pos_embed"] = resized_positions(positions, GRID)
    if patches.shape[-1] != 16:
        kept["patch_embed.proj.weight"] = F.interpolate(patches, (16, 16), mode="bicubic")
    return kept


def resized_positions(positions: Tensor, side: int) -> Tensor:
    """(1, 1 + n * n, C), the class token first -> (1, side, side, C)."""
    grid = positions[:, 1:]
    known = round(grid.shape[1] ** 0.5)
    square = grid.reshape(1, known, known, -1).permute(0, 3, 1, 2)
    resized = F.interpolate(square, (side, side), mode="bicubic", align_corners=False)
    return resized.permute(0, 2, 3, 1).contiguous()


def _renamed(name: str) -> str:
    for old, new in RENAMED.items():
        name = name.replace(old, new)
    return name


def _of_vit(name: str) -> bool:
    """Whether a parameter of SAM's encoder is one that MAE's ViT has, too."""
    return not name.startswith("neck.") and "rel_pos" not in name
