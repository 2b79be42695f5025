"""Checkpoints: found or fetched, identified by content, loaded strictly; no code of theirs runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

from sambench.errors import UserError

from .known import locate, require_content
from .sam import BUILDERS, PIXEL_MEAN, PIXEL_STD, SamNet, build_sam
from .state_file import difference, matched, read_state, shared_prefix

# What a checkpoint is, told by the shape of its first layer; None where the name alone tells.
_ARCHITECTURES = {
    "vit_t": ("image_encoder.patch_embed.seq.0.c.weight", None),
    "vit_b": ("image_encoder.patch_embed.proj.weight", (768, 3, 16, 16)),
    "vit_l": ("image_encoder.patch_embed.proj.weight", (1024, 3, 16, 16)),
    "vit_h": ("image_encoder.patch_embed.proj.weight", (1280, 3, 16, 16)),
}
_RELATIVES = {
    "mask_decoder.hf_token.": "HQ-SAM, which model sam_hq reads",
    "image_encoder.trunk.": "SAM 2, which model sam2 reads",
    "sam_mask_decoder.": "SAM 2, which model sam2 reads",
    "memory_attention.": "SAM 2, which model sam2 reads",
    "detector.": "SAM 3, which model hf reads as the transformers library stores it",
    "vision_encoder.": "a SAM of the transformers library, whose folder model hf reads",
    "shared_image_embedding.": "a SAM of the transformers library, whose folder model hf reads",
}
"""Names of tensors begin so in checkpoints of others."""
_ADAPTER = r"(^|\.)(lora_|w_[ab]_\d|hada_w|adapter\.)"


def load_sam(
    checkpoint: str | Path, arch: str = "auto", expected: str = ""
) -> tuple[SamNet, str, str]:
    """Load a checkpoint, an official name or a file, into the network that it was made for.

    Args:
        checkpoint: a file (.pth, .pt or .safetensors) or the name of an official checkpoint, which
            is downloaded once.
        arch: vit_b, vit_l, vit_h, vit_t, or auto to tell from the checkpoint.
        expected: the SHA-256 that the file must have; empty takes any.

    Returns:
        The network in evaluation mode, its architecture and the file's SHA-256.

    Raises:
        UserError: names the file, what it looks like and the remedy.
    """
    path = locate(checkpoint)
    digest = require_content(path, expected)
    return *load_file(path, arch), digest


def load_file(path: Path, arch: str) -> tuple[SamNet, str]:
    """Load a file as `load_sam` does, whatever its content.

    Raises:
        UserError: names the file, what it looks like and the remedy.
    """
    state = _bare(read_state(path))
    found, relative = architecture(state), _relative(state)
    if relative:
        raise UserError(f"{path} looks like {relative}.")
    if found is None or arch not in ("auto", found):
        wanted = "a SAM checkpoint" if arch == "auto" else f"a checkpoint of SAM {arch}"
        raise UserError(
            f"{path} looks like {looks_like(state)}; it is not {wanted} "
            f"(known are {', '.join(BUILDERS)}): give the right file, model or architecture."
        )
    return build(state, found, path), found


def architecture(state: Mapping[str, Tensor]) -> str | None:
    """Which SAM these tensors are: vit_t, vit_b, vit_l, vit_h, or None."""
    if _relative(state) or not any(name.startswith("mask_decoder.") for name in state):
        return None
    for arch, (name, shape) in _ARCHITECTURES.items():
        if name in state and shape in (None, tuple(state[name].shape)):
            return arch
    return None


def looks_like(state: Mapping[str, Tensor]) -> str:
    """Say in words what these tensors seem to be."""
    known = architecture(state)
    if known:
        return f"SAM {known}"
    parts = sorted({name.split(".")[0] for name in state})
    return f"{len(state)} tensors under {', '.join(parts[:4]) or 'no name'}"


def _relative(state: Mapping[str, Tensor]) -> str | None:
    if any(re.search(_ADAPTER, name) for name in state):
        return "an adapter such as LoRA; merge it into the weights of its base model and save those"
    for sign, words in _RELATIVES.items():
        if any(name.startswith(sign) for name in state):
            return words
    return None


def _bare(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The tensors without a prefix that training put before all names, if that tells what it is."""
    prefix = shared_prefix(state)
    bare = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return bare if architecture(bare) or _relative(bare) else state


def build(state: Mapping[str, Tensor], arch: str, path: Path) -> SamNet:
    """Put the tensors into a network of that architecture, all of them and no others.

    Raises:
        UserError: names, by example, what is missing, left over or of another shape.
    """
    with torch.device("meta"), _Unfilled():  # every tensor comes from the checkpoint
        net = build_sam(arch)
    want = net.state_dict()
    have = matched(_without_pixel_statistics(state, path), want)
    wrong = difference(want, have)
    if wrong:
        raise UserError(f"{path} looks like SAM {arch}, but {wrong}; give a whole checkpoint.")
    net.load_state_dict(have, strict=True, assign=True)
    return net.float().requires_grad_(requires_grad=False).eval()


class _Unfilled(TorchFunctionMode):
    """Layers made in here draw no random values.

    On `meta` there is nothing to fill, and PyTorch would import all of its compiler to do so.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func in (Tensor.normal_, init.normal_, init.uniform_, init.kaiming_uniform_):
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def _without_pixel_statistics(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Some files hold how images are normalised, too; this network does it in one way only.

    Raises:
        UserError: the file was made for another one.
    """
    rest = dict(state)
    for name, ours in (("pixel_mean", PIXEL_MEAN), ("pixel_std", PIXEL_STD)):
        theirs = rest.pop(name, torch.tensor(ours)).flatten().tolist()
        if len(theirs) != len(ours) or not np.allclose(theirs, ours, rtol=1e-3):
            values = ", ".join(f"{value:g}" for value in theirs)
            raise UserError(
                f"{path} was made for images normalised with {name} {values}, SAM has "
                f"{', '.join(map(str, ours))}; only that is computed here."
            )
    return rest
