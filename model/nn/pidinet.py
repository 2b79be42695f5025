"""PiDiNet: an edge detector of pixel difference convolutions.

Z. Su, W. Liu, Z. Yu, D. Hu, Q. Liao, Q. Tian, M. Pietikäinen and L. Liu, "Pixel difference networks
for efficient edge detection", ICCV 2021 (arXiv 2108.07009): section 3.1 for the convolutions, 3.3
for the network. Modules are called as in the authors' checkpoints.

A pixel difference convolution weighs differences of pixels in place of pixels. Which pixels, its
kind says (`differences`): neighbours less the centre (cd), neighbours less the next one clockwise
(ad), the outer less the inner ring (rd), or plain ones (cv). It is linear, so that it equals a
plain convolution with another kernel (`kernel`), and that is how it is computed fast.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad

Kind = Literal["cd", "ad", "rd", "cv"]
Offset = tuple[int, int]
DIFFERENCES: tuple[Kind, ...] = ("cd", "ad", "rd", "cv")
"""Kinds of a stage's four convolutions; of the first stage, that of the stem comes first."""
PLAIN: tuple[Kind, ...] = ("cv",) * 4
SQUARE: tuple[Offset, ...] = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1))
CLOCKWISE: tuple[Offset, ...] = (
    (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1),
)  # fmt: skip
STAGES = (3, 4, 4, 4)
"""Blocks of each stage; all but the first halve the image."""
DILATIONS = (5, 7, 9, 11)
ATTENTION_CHANNELS = 4
LEAST_SIDE = 8
"""Pixels; three times halved, a shorter side is gone."""


@cache
def differences(kind: Kind) -> tuple[tuple[int, Offset, Offset | None], ...]:
    """What a kind of convolution weighs: place of the weight in 3x3, pixel, pixel to subtract."""
    ring = tuple(offset for offset in SQUARE if offset != (0, 0))
    if kind == "rd":  # the first of its nine weights is not used
        return tuple((k, (2 * y, 2 * x), (y, x)) for k, (y, x) in enumerate(ring, start=1))
    if kind == "ad":
        after = dict(zip(CLOCKWISE, (*CLOCKWISE[1:], CLOCKWISE[0]), strict=True))
        return tuple((SQUARE.index(pixel), pixel, after[pixel]) for pixel in ring)
    if kind == "cd":
        return tuple((SQUARE.index(pixel), pixel, (0, 0)) for pixel in ring)
    return tuple((k, pixel, None) for k, pixel in enumerate(SQUARE))


def radius(kind: Kind) -> int:
    """How far a kind of convolution reaches, in pixels."""
    return 2 if kind == "rd" else 1


def kernel(kind: Kind, weight: Tensor) -> Tensor:
    """The kernel of the plain convolution that equals one of differences.

    Args:
        kind: of the differences.
        weight: (out, in, 3, 3).

    Returns:
        (out, in, 3, 3), of the outer ring (out, in, 5, 5).
    """
    reach = radius(kind)
    found = weight.new_zeros(*weight.shape[:2], 2 * reach + 1, 2 * reach + 1)
    flat = weight.flatten(2)
    for place, (y, x), less in differences(kind):
        found[..., reach + y, reach + x] += flat[..., place]
        if less is not None:
            found[..., reach + less[0], reach + less[1]] -= flat[..., place]
    return found


class DifferenceConv(nn.Module):
    """A convolution of pixel differences as the paper defines it; zeros surround the image.

    Args:
        kind: of the differences.
        inputs, outputs: channels.
        groups: of channels.
    """

    def __init__(self, kind: Kind, inputs: int, outputs: int, groups: int = 1) -> None:
        super().__init__()
        self.kind, self.groups = kind, groups
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, 3, 3))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, images: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        reach, (height, width) = radius(self.kind), images.shape[2:]
        framed, weights = pad(images, (reach,) * 4), self.weight.flatten(2)

        def shifted(offset: Offset) -> Tensor:
            y, x = reach + offset[0], reach + offset[1]
            return framed[..., y : y + height, x : x + width]

        parts = []
        for place, pixel, less in differences(self.kind):
            apart = shifted(pixel) - shifted(less) if less is not None else shifted(pixel)
            parts.append(conv2d(apart, weights[..., place, None, None], groups=self.groups))
        return torch.stack(parts).sum(dim=0)

    def plain(self) -> nn.Conv2d:
        """The plain convolution that gives the same."""
        weight, reach = kernel(self.kind, self.weight.detach()), radius(self.kind)
        conv = nn.Conv2d(
            weight.shape[1] * self.groups, weight.shape[0], weight.shape[2],
            padding=reach, groups=self.groups, bias=False,
        )  # fmt: skip
        conv.weight = nn.Parameter(weight, requires_grad=False)
        return conv


class Block(nn.Module):
    """A depthwise convolution of differences and a pointwise one, beside a shortcut."""

    def __init__(self, kind: Kind, inputs: int, outputs: int, *, halve: bool) -> None:
        super().__init__()
        self.conv1: nn.Module = DifferenceConv(kind, inputs, inputs, groups=inputs)
        self.conv2 = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.pool = nn.MaxPool2d(2) if halve else nn.Identity()
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if halve else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W), or half of H and W."""
        features = self.pool(features)
        found: Tensor = self.conv2(self.conv1(features).relu()) + self.shortcut(features)
        return found


class Dilated(nn.Module):
    """The compact dilation convolution module: the sum of four dilated convolutions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 1)
        for number, apart in enumerate(DILATIONS, start=1):
            conv = nn.Conv2d(outputs, outputs, 3, padding=apart, dilation=apart, bias=False)
            self.add_module(f"conv2_{number}", conv)

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        few = self.conv1(features.relu())
        wide = [self.get_submodule(f"conv2_{n}")(few) for n in range(1, len(DILATIONS) + 1)]
        return torch.stack(wide).sum(dim=0)


class Attention(nn.Module):
    """The compact spatial attention module: one factor in 0 to 1 for each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, ATTENTION_CHANNELS, 1)
        self.conv2 = nn.Conv2d(ATTENTION_CHANNELS, 1, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        factors: Tensor = self.conv2(self.conv1(features.relu())).sigmoid()
        return features * factors


class Reduced(nn.Module):
    """One channel of many."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 1, H, W)."""
        found: Tensor = self.conv(features)
        return found


class PiDiNet(nn.Module):
    """The network: four stages, a map of edges from each, and their weighted sum.

    Args:
        channels: of the first stage: 60, of the small network 30, of the tiny one 20.
        side: channels of the modules beside each stage, 24, 12 or 8; 0 leaves both modules out
            (the L of a model's name).
        kinds: of the convolutions of each stage; `PLAIN` is the paper's baseline.
    """

    def __init__(self, channels: int, side: int, kinds: tuple[Kind, ...] = DIFFERENCES) -> None:
        super().__init__()
        self.init_block: nn.Module = DifferenceConv(kinds[0], 3, channels)
        widths = [channels, 2 * channels, 4 * channels, 4 * channels]
        before = channels
        for stage, (blocks, width) in enumerate(zip(STAGES, widths, strict=True), start=1):
            for number, kind in enumerate(kinds[-blocks:], start=1):
                first = stage > 1 and number == 1
                block = Block(kind, before, width, halve=first)
                self.add_module(f"block{stage}_{number}", block)
                before = width
        if side:
            self.dilations = nn.ModuleList(Dilated(width, side) for width in widths)
            self.attentions = nn.ModuleList(Attention(side) for _ in widths)
        self.side = side
        self.conv_reduces = nn.ModuleList(Reduced(side or width) for width in widths)
        self.classifier = nn.Conv2d(len(STAGES), 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> logits of edges (B, 1, H, W)."""
        features, maps = self.init_block(images), []
        for stage, blocks in enumerate(STAGES):
            for number in range(1, blocks + 1):
                features = self.get_submodule(f"block{stage + 1}_{number}")(features)
            seen = features
            if self.side:
                seen = self.attentions[stage](self.dilations[stage](features))
            small = self.conv_reduces[stage](seen)
            maps.append(interpolate(small, images.shape[2:], mode="bilinear", align_corners=False))
        logits: Tensor = self.classifier(torch.cat(maps, dim=1))
        return logits

    def folded(self) -> PiDiNet:
        """Replace convolutions of differences by plain ones that give the same; returns itself."""
        if isinstance(self.init_block, DifferenceConv):
            self.init_block = self.init_block.plain()
        for module in self.modules():
            if isinstance(module, Block) and isinstance(module.conv1, DifferenceConv):
                module.conv1 = module.conv1.plain()
        return self
