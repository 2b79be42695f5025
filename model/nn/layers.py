"""Layers that several parts of SAM share. Tensors are channels-last unless a comment says else."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NARROW = 128
"""Up to so many channels oneDNN's linear layer is ahead; with AVX-512 it always is."""


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


def products(x: Tensor, y: Tensor) -> Tensor:
    """Scalar products of all rows of x (P, M, C) with those of y (P, N, C) -> (P, M, N)."""
    if _onednn(x):
        return torch.stack([linear(one, other) for one, other in zip(x, y, strict=True)])
    return torch.bmm(x, y.mT)


def _onednn(x: Tensor) -> bool:
    """Whether oneDNN's linear layer takes this: a private operator, only used where it is sure."""
    if torch.compiler.is_compiling():  # the compiler makes its own choice
        return False
    plain = x.device.type == "cpu" and x.dtype == torch.float32
    plain = plain and (x.shape[-1] <= NARROW or _avx512())
    return (
        plain and _works() and not torch.is_autocast_enabled("cpu") and not torch.is_grad_enabled()
    )


@cache
def _avx512() -> bool:
    """Whether the processor has it."""
    return torch.backends.cpu.get_cpu_capability() == "AVX512"


@cache
def _works() -> bool:
    """Whether this PyTorch was built with it."""
    one = torch.ones(1, 1)
    try:
        torch.ops.mkldnn._linear_pointwise(one, one, None, "gelu", [], "none")
    except (AttributeError, RuntimeError):
        return False
    return True


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm over the channels of (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the name that torch gives it)
        """Normalise each place: (B, C, H, W) -> the same shape."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Pointwise(nn.Module):
    """A 1 x 1 convolution without bias: a linear layer whose weight has two more axes."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out, channels, 1, 1).normal_(std=channels**-0.5))

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, out)."""
        return linear(x, self.weight.flatten(1))


class Convolution(nn.Conv2d):
    """A convolution of channels-last images, (B, H, W, C) -> (B, H', W', out)."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the name that torch gives it)
        """Convolve; the permuted view is what PyTorch calls channels_last, and costs nothing."""
        return super().forward(input.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class MLPBlock(nn.Module):
    """Two linear layers with a GELU between, as in a transformer block."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(channels, hidden)
        self.lin2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        hidden = gelu_linear(x, self.lin1.weight, self.lin1.bias)
        return linear(hidden, self.lin2.weight, self.lin2.bias)


class Neck(nn.Sequential):
    """Two convolutions that bring features (B, H, W, C) to the decoder's channels."""

    def __init__(self, channels: int, out: int = 256) -> None:
        super().__init__(
            Pointwise(channels, out),
            nn.LayerNorm(out, eps=1e-6),
            Convolution(out, out, 3, padding=1, bias=False),
            nn.LayerNorm(out, eps=1e-6),
        )


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, C) -> (B, heads, N, C / heads)."""
    return torch.unflatten(x, -1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, heads, N, c) -> (B, N, heads * c)."""
    return x.transpose(1, 2).flatten(2)


def strips(x: Tensor, rows: int) -> tuple[Tensor, ...]:
    """Cut (B, H, W, C) into strips of rows for a processor's caches; a GPU takes it whole."""
    return torch.split(x, rows if x.device.type == "cpu" else x.shape[1], dim=1)


def to_windows(x: Tensor, size: int, fill: Tensor) -> Tensor:
    """Cut (B, H, W, C) into windows, a view (B, n, m, size, size, C); outside is fill (C,)."""
    batch, height, width, channels = x.shape
    rows, columns = -(-height // size), -(-width // size)
    if (rows * size, columns * size) != (height, width):
        padded = x.new_empty(batch, rows * size, columns * size, channels)
        padded[:, :height, :width] = x
        padded[:, height:] = fill
        padded[:, :height, width:] = fill
        x = padded
    return x.view(batch, rows, size, columns, size, channels).transpose(2, 3)


def from_windows(windows: Tensor, size: int, height: int, width: int) -> Tensor:
    """Put windows (B * n * m, size * size, C) back together: (B, H, W, C)."""
    rows, columns = -(-height // size), -(-width // size)
    x = windows.view(-1, rows, columns, size, size, windows.shape[-1]).transpose(2, 3)
    return x.reshape(-1, rows * size, columns * size, windows.shape[-1])[:, :height, :width]
