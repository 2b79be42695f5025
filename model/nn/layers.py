"""Layers that several parts of SAM share. Tensors are channels-last unless a comment says else."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(..., C) -> (..., out), through oneDNN where that is faster than PyTorch's own choice."""
    if _onednn(x):
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return out
    return F.linear(x, weight, bias)


def gelu_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """GELU of a linear layer, (..., C) -> (..., out), in one pass where oneDNN can."""
    if _onednn(x):
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "gelu", [], "none")
        return out
    return F.gelu(F.linear(x, weight, bias))


def _onednn(x: Tensor) -> bool:
    """Whether oneDNN's linear layer takes this: a private operator, only used where it is sure."""
    plain = x.device.type == "cpu" and x.dtype == torch.float32
    return plain and _FUSED and not torch.is_autocast_enabled("cpu") and not torch.is_grad_enabled()


_FUSED = hasattr(torch.ops.mkldnn, "_linear_pointwise")  # absent where PyTorch has no oneDNN


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm over the channels of (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the name that torch gives it)
        """Normalise each position: (B, C, H, W) -> the same shape."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class MLPBlock(nn.Module):
    """Two linear layers with a nonlinearity between, as in a transformer block."""

    def __init__(self, channels: int, hidden: int, activation: nn.Module) -> None:
        super().__init__()
        self.lin1 = nn.Linear(channels, hidden)
        self.lin2 = nn.Linear(hidden, channels)
        self.act = activation

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        out: Tensor = self.lin2(self.act(self.lin1(x)))
        return out


class Neck(nn.Sequential):
    """Two convolutions that bring an encoder's features to the decoder's channels."""

    def __init__(self, channels: int, out: int = 256) -> None:
        super().__init__(
            nn.Conv2d(channels, out, 1, bias=False),
            LayerNorm2d(out),
            nn.Conv2d(out, out, 3, padding=1, bias=False),
            LayerNorm2d(out),
        )

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the name that torch gives it)
        """(B, H, W, C) -> (B, out, H, W)."""
        x = input.permute(0, 3, 1, 2)
        for layer in self:
            x = layer(x)
        return x


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, C) -> (B, heads, N, C / heads)."""
    return torch.unflatten(x, -1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, heads, N, c) -> (B, N, heads * c)."""
    return x.transpose(1, 2).flatten(2)


def to_windows(x: Tensor, size: int) -> Tensor:
    """Cut (B, H, W, C) into windows, (B * n, size, size, C), padding with zeros where needed."""
    batch, height, width, channels = x.shape
    rows, columns = -(-height // size), -(-width // size)
    x = F.pad(x, (0, 0, 0, columns * size - width, 0, rows * size - height))
    x = x.view(batch, rows, size, columns, size, channels)
    return x.transpose(2, 3).reshape(-1, size, size, channels)


def from_windows(windows: Tensor, height: int, width: int) -> Tensor:
    """Undo `to_windows`: (B * n, size, size, C) -> (B, H, W, C)."""
    size, channels = windows.shape[1], windows.shape[3]
    rows, columns = -(-height // size), -(-width // size)
    x = windows.view(-1, rows, columns, size, size, channels).transpose(2, 3)
    return x.reshape(-1, rows * size, columns * size, channels)[:, :height, :width]


def differences(size: int, device: torch.device) -> Tensor:
    """(size, size) index i - j + size - 1 into a table of relative positions."""
    steps = torch.arange(size, device=device)
    return steps[:, None] - steps[None, :] + size - 1
