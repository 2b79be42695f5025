"""AdamW with layer-wise decay, and the learning rate of each step.

Kirillov et al., "Segment Anything", 2023, appendix A; the layers are numbered as ViTDet does (Li et
al., "Exploring Plain Vision Transformer Backbones for Object Detection", 2022).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.optim import AdamW

from ..nn.sam import SamNet

BETAS = (0.9, 0.999)
DROPS = (2 / 3, 86_666 / 90_000)
"""Parts of all steps after which the learning rate falls to a tenth."""
UNUSED = ("image_encoder.norm_head.", "image_encoder.head.")
"""TinyViT's classifier: in the checkpoints of its architecture, but no part of SAM."""


def trainable(net: SamNet, *, whole: bool) -> dict[str, nn.Parameter]:
    """The parameters that training moves, by name: all that take part, or all but the encoder's."""
    kept = ("",) if whole else ("prompt_encoder.", "mask_decoder.")
    return {
        name: parameter
        for name, parameter in net.named_parameters()
        if name.startswith(kept) and not name.startswith(UNUSED)
    }


def blocks(encoder: nn.Module) -> list[str]:
    """Names of the image encoder's blocks, from the image to the features."""
    names = (name for name, _ in encoder.named_modules())
    return [name for name in names if re.fullmatch(r"(layers\.\d+\.)?blocks\.\d+", name)]


def depths(encoder: nn.Module) -> dict[str, int]:
    """Layer of each parameter of an encoder of n blocks: 0 before them, 1 to n, n + 1 the neck.

    What lies between two stages counts to the block before it.
    """
    names, layer, found = blocks(encoder), 0, {}
    for name, _ in encoder.named_parameters():
        inside = [i for i, block in enumerate(names, 1) if name.startswith(block + ".")]
        layer = inside[0] if inside else layer
        found[name] = len(names) + 1 if name.startswith("neck.") else layer
    return found


def make_optimizer(
    net: SamNet,
    parameters: Mapping[str, nn.Parameter],
    *,
    lr: float,
    weight_decay: float,
    layer_decay: float,
) -> AdamW:
    """AdamW over parameters by name; each group knows its share of the learning rate as "scale".

    The encoder's layer l of n + 2 learns at layer_decay^(n + 1 - l) of the rate. Weights that
    multiply decay; biases, norms, embeddings and positions, which the paper does not mention, do
    not.
    """
    layers = depths(net.image_encoder)
    last = max(layers.values(), default=0)
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in parameters.items():
        layer = layers.get(name.removeprefix("image_encoder."), last)
        scale = layer_decay ** (last - layer)
        decay = weight_decay if decays(name, parameter) else 0.0
        group = groups.setdefault(
            (scale, decay), {"params": [], "scale": scale, "weight_decay": decay, "lr": lr * scale}
        )
        group["params"].append(parameter)
    return AdamW(list(groups.values()), lr=lr, betas=BETAS, fused=False, foreach=False)


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether weight decay applies: to matrices and kernels, not to what is added or scales."""
    added = ("embed", "token", "rel_pos", "attention_biases")
    is_table = any(word in part for part in name.split(".")[-2:] for word in added)
    return parameter.ndim > 1 and (not is_table or "patch_embed" in name)


def rate(step: int, steps: int, warmup: int) -> float:
    """Part of the learning rate at a step from 0: linear warm-up, then a tenth twice.

    At step s of the warm-up's w steps it is (s + 1) / w; it falls when two thirds, and 86,666 of
    90,000, of all steps are done.
    """
    warm = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return warm * 0.1 ** sum(step >= part * steps for part in DROPS)


def set_rate(optimizer: AdamW, lr: float) -> None:
    """Give each group its share of the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"]
