"""MobileSAM's image encoder: TinyViT-5M without its classifier, with SAM's neck.

Wu et al., "TinyViT", 2022; Zhang et al., "Faster Segment Anything" (MobileSAM), 2023. The last
stage keeps the resolution of the third, so that the features are 64 x 64 as SAM's decoder wants.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import (
    Neck,
    from_windows,
    gelu_linear,
    linear,
    merge_heads,
    split_heads,
    strips,
    to_windows,
)

WIDTHS = (64, 128, 160, 320)
DEPTHS = (2, 2, 6, 2)
HEADS = (2, 4, 5, 10)
WINDOWS = (7, 7, 14, 7)
STRIDES = (2, 2, 1)
STRIP = 32
"""Rows that a processor takes at a time where a whole layer would be 64 MB."""


class TinyViT(nn.Module):
    """TinyViT image encoder: (B, 3, 1024, 1024) normalised image -> (B, 256, 64, 64) features."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(WIDTHS[0])
        self.layers = nn.ModuleList(Stage(index) for index in range(len(WIDTHS)))
        self.norm_head = nn.LayerNorm(WIDTHS[-1])  # the classifier: in the checkpoint, unused
        self.head = nn.Linear(WIDTHS[-1], 1000)
        self.neck = Neck(WIDTHS[-1])

    def forward(self, image: Tensor) -> Tensor:
        """Encode normalised, padded images."""
        x = self.patch_embed(image)  # (B, 256, 256, 64)
        for stage in self.layers:
            x = stage(x)
        features: Tensor = self.neck(x)  # (B, 64, 64, 256)
        return features.permute(0, 3, 1, 2)


class ConvNorm(nn.Module):
    """Convolution, batch normalisation with fixed statistics, and a GELU if asked for.

    Args:
        channels: channels of the input.
        out: channels of the output.
        size: side of the kernel; 1 is a linear layer.
        stride: step of the kernel.
        groups: `channels` for a depthwise convolution.
        gelu: end with a GELU.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        size: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        gelu: bool = False,
    ) -> None:
        super().__init__()
        self.gelu = gelu
        self.c = nn.Conv2d(channels, out, size, stride, size // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H / stride, W / stride, out)."""
        weight, bias = self.folded()
        if self.c.kernel_size == (1, 1):
            return (gelu_linear if self.gelu else linear)(x, weight.flatten(1), bias)
        x = x.permute(0, 3, 1, 2)
        x = F.conv2d(x, weight, bias, self.c.stride, self.c.padding, groups=self.c.groups)
        return (F.gelu(x) if self.gelu else x).permute(0, 2, 3, 1)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the one convolution that both amount to."""
        mean, variance = self.bn.running_mean, self.bn.running_var
        assert mean is not None
        assert variance is not None
        scale = self.bn.weight * (variance + self.bn.eps).rsqrt()
        return self.c.weight * scale[:, None, None, None], self.bn.bias - mean * scale


class PatchEmbed(nn.Module):
    """Two strided convolutions: each 4 x 4 patch of pixels becomes a token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first = ConvNorm(3, width // 2, 3, 2, gelu=True)
        # The place between, empty, was the GELU's: it keeps the checkpoint's numbers.
        self.seq = nn.Sequential(first, nn.Identity(), ConvNorm(width // 2, width, 3, 2))

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, H / 4, W / 4, width)."""
        out: Tensor = self.seq(image.permute(0, 2, 3, 1).contiguous())
        return out


class Stage(nn.Module):
    """Blocks at one resolution, then the step to the next; the first stage is convolutional."""

    def __init__(self, index: int) -> None:
        super().__init__()
        width, heads, window = WIDTHS[index], HEADS[index], WINDOWS[index]
        self.blocks = nn.ModuleList(
            MBConv(width) if index == 0 else Block(width, heads, window)
            for _ in range(DEPTHS[index])
        )
        self.downsample = (
            PatchMerging(width, WIDTHS[index + 1], STRIDES[index])
            if index < len(STRIDES)
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H / stride, W / stride, C')."""
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.downsample(x)
        return out


class MBConv(nn.Module):
    """Inverted bottleneck: widen, depthwise convolution, narrow, add; a strip of rows at a time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, 4 * width, gelu=True)
        self.conv2 = ConvNorm(4 * width, 4 * width, 3, groups=4 * width, gelu=True)
        self.conv3 = ConvNorm(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        height = x.shape[1]
        strip = STRIP if x.device.type == "cpu" else height
        return torch.cat(
            [self.rows(x, y, min(y + strip, height)) for y in range(0, height, strip)], 1
        )

    def rows(self, x: Tensor, top: int, bottom: int) -> Tensor:
        """Rows top to bottom of the result; the depthwise convolution sees one row more."""
        first, last = max(0, top - 1), min(bottom + 1, x.shape[1])
        hidden = self.conv2(self.conv1(x[:, first:last]))[:, top - first : bottom - first]
        return F.gelu(x[:, top:bottom] + self.conv3(hidden))


class PatchMerging(nn.Module):
    """Step to the next stage's width, and to half the resolution if the stride is 2."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, out, gelu=True)
        self.conv2 = ConvNorm(out, out, 3, stride, groups=out, gelu=True)
        self.conv3 = ConvNorm(out, out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H / stride, W / stride, C')."""
        out: Tensor = self.conv3(self.conv2(self.conv1(x)))
        return out


class Block(nn.Module):
    """Window attention, a depthwise convolution across the windows, and an MLP."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.attn = Attention(width, heads, window)
        self.local_conv = ConvNorm(width, width, 3, groups=width)
        self.mlp = MLP(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        seen = torch.cat([self.attn(strip) for strip in strips(x, self.attn.window)], dim=1)
        x = self.local_conv(x + seen)
        out: Tensor = x + self.mlp(x)
        return out


class MLP(nn.Module):
    """Normalise, widen, GELU, narrow."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        hidden = gelu_linear(self.norm(x), self.fc1.weight, self.fc1.bias)
        return linear(hidden, self.fc2.weight, self.fc2.bias)


class Attention(nn.Module):
    """Self-attention in windows with one learned bias for each absolute offset.

    Places that a window has beyond the image's edge take part, as zeros before the LayerNorm, which
    makes its bias of them.
    """

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        beyond = self.qkv(self.norm.bias)
        qkv = linear(self.norm(x), self.qkv.weight, self.qkv.bias)
        windows = to_windows(qkv, self.window, fill=beyond)  # (B, n, m, side, side, 3 * C)
        windows = split_heads(windows.flatten(3, 4).flatten(0, 2), self.heads)
        q, k, v = windows.chunk(3, dim=-1)  # (B * n * m, heads, N, c) each
        bias = self.attention_biases[:, absolute_offsets(self.window, x.device)]  # (heads, N, N)
        seen = merge_heads(F.scaled_dot_product_attention(q, k, v, bias[None]))
        seen = from_windows(seen, self.window, x.shape[1], x.shape[2])
        return linear(seen, self.proj.weight, self.proj.bias)


def absolute_offsets(side: int, device: torch.device) -> Tensor:
    """(N, N) index |dy| * side + |dx| of a pair's bias, for the N = side * side places."""
    steps = torch.arange(side, device=device)
    apart = (steps[:, None] - steps[None, :]).abs()  # (side, side)
    index = apart[:, None, :, None] * side + apart[None, :, None, :]  # (y, x, y', x')
    return index.reshape(side * side, side * side)
