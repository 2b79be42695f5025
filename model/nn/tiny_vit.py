"""MobileSAM's image encoder: TinyViT-5M without its classifier, with SAM's neck.

Wu et al., "TinyViT", 2022; Zhang et al., "Faster Segment Anything" (MobileSAM), 2023. The last
stage keeps the resolution of the third, so that the features are 64 x 64 as SAM's decoder wants.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import Neck, from_windows, merge_heads, to_windows

WIDTHS = (64, 128, 160, 320)
DEPTHS = (2, 2, 6, 2)
HEADS = (2, 4, 5, 10)
WINDOWS = (7, 7, 14, 7)
STRIDES = (2, 2, 1)


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
        x = self.patch_embed(image)  # (B, 64, 256, 256)
        for stage in self.layers:
            x = stage(x)
        out: Tensor = self.neck(x.permute(0, 2, 3, 1))  # (B, 256, 64, 64)
        return out


class ConvNorm(nn.Sequential):
    """Convolution without bias, then batch normalisation with fixed statistics."""

    def __init__(
        self, channels: int, out: int, size: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        pad = size // 2
        self.c = nn.Conv2d(channels, out, size, stride, pad, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out)


class PatchEmbed(nn.Module):
    """Two strided convolutions: (B, 3, H, W) -> (B, width, H / 4, W / 4)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = ConvNorm(3, width // 2, 3, 2), ConvNorm(width // 2, width, 3, 2)
        self.seq = nn.Sequential(first, nn.GELU(), second)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, width, H / 4, W / 4)."""
        out: Tensor = self.seq(image)
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
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.downsample(x)
        return out


class MBConv(nn.Module):
    """Inverted bottleneck: widen, depthwise convolution, narrow, add."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, 4 * width)
        self.conv2 = ConvNorm(4 * width, 4 * width, 3, groups=4 * width)
        self.conv3 = ConvNorm(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        y = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        out: Tensor = F.gelu(x + self.conv3(y))
        return out


class PatchMerging(nn.Module):
    """Step to the next stage's width, and to half the resolution if the stride is 2."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, out)
        self.conv2 = ConvNorm(out, out, 3, stride, groups=out)
        self.conv3 = ConvNorm(out, out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        out: Tensor = self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))
        return out


class Block(nn.Module):
    """Window attention, a depthwise convolution across the windows, and an MLP."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = Attention(width, heads, window)
        self.local_conv = ConvNorm(width, width, 3, groups=width)
        self.mlp = MLP(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        tokens = x.permute(0, 2, 3, 1)
        windows = self.attn(to_windows(tokens, self.window))
        tokens = tokens + from_windows(windows, x.shape[2], x.shape[3])
        tokens = self.local_conv(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        out: Tensor = tokens + self.mlp(tokens)
        return out.permute(0, 3, 1, 2)


class MLP(nn.Module):
    """Normalise, widen, GELU, narrow."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        out: Tensor = self.fc2(F.gelu(self.fc1(self.norm(x))))
        return out


class Attention(nn.Module):
    """Self-attention in windows with one learned bias for each absolute offset."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))

    def forward(self, x: Tensor) -> Tensor:
        """(B, side, side, C) windows -> (B, side, side, C)."""
        side = x.shape[1]
        qkv = torch.unflatten(self.qkv(self.norm(x)).flatten(1, 2), -1, (self.heads, 3, -1))
        q, k, v = qkv.permute(3, 0, 2, 1, 4)  # (B, heads, N, c) each
        bias = self.attention_biases[:, absolute_offsets(side, x.device)]  # (heads, N, N)
        out: Tensor = self.proj(merge_heads(F.scaled_dot_product_attention(q, k, v, bias)))
        return torch.unflatten(out, 1, (side, side))


def absolute_offsets(side: int, device: torch.device) -> Tensor:
    """(N, N) index |dy| * side + |dx| of a pair's bias, for the N = side * side places."""
    steps = torch.arange(side, device=device)
    apart = (steps[:, None] - steps[None, :]).abs()  # (side, side)
    index = apart[:, None, :, None] * side + apart[None, :, None, :]  # (y, x, y', x')
    return index.reshape(side * side, side * side)
