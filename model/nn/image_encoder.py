"""SAM's image encoder: a ViT whose blocks attend in windows, four of them to the whole image.

Kirillov et al., "Segment Anything", 2023, appendix A; the backbone is ViTDet (Li et al., 2022) with
decomposed relative positions (Li et al., "MViTv2", 2022, section 4.1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import MLPBlock, Neck, from_windows, linear, merge_heads, strips, to_windows

BIAS_BYTES = (2**24, 2**30)
"""How large a piece of the attention's bias may be: on a processor, on a GPU."""
GLOBAL = 32
"""From this side on, a window's bias is large enough to cost a GPU more than wider heads do."""


class ImageEncoder(nn.Module):
    """ViT image encoder: (B, 3, S, S) normalised image -> (B, 256, S / 16, S / 16) features.

    Args:
        width: channels of a token.
        depth: number of blocks.
        heads: attention heads of a block.
        global_blocks: indices of the blocks that attend to the whole image.
        window: side of the other blocks' windows, in tokens.
        image_size: side S of the input, in pixels.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        global_blocks: Collection[int],
        window: int = 14,
        image_size: int = 1024,
    ) -> None:
        super().__init__()
        side = image_size // 16
        self.patch_embed = PatchEmbed(width)
        self.pos_embed = nn.Parameter(torch.zeros(1, side, side, width))
        self.blocks = nn.ModuleList(
            Block(width, heads, side if i in global_blocks else window) for i in range(depth)
        )
        self.neck = Neck(width)

    def forward(self, image: Tensor) -> Tensor:
        """Encode normalised, padded images."""
        x = self.patch_embed(image) + self.pos_embed  # (B, side, side, width)
        for block in self.blocks:
            x = block(x)
        features: Tensor = self.neck(x)  # (B, side, side, 256)
        return features.permute(0, 3, 1, 2)


class PatchEmbed(nn.Module):
    """Each 16 x 16 patch of pixels becomes a token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=16, stride=16)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, S / 16, S / 16, width)."""
        patches: Tensor = self.proj(image)
        return patches.permute(0, 2, 3, 1)


class Block(nn.Module):
    """Transformer block that attends in windows; one window of the image's side is global."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads, window)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLPBlock(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        return torch.cat([self.rows(strip) for strip in strips(x, self.attn.window)], dim=1)

    def rows(self, x: Tensor) -> Tensor:
        """The block on a strip of windows, which know nothing of the other strips."""
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Attention(nn.Module):
    """Self-attention in square windows, biased by how far query and key lie apart.

    Places that a window has beyond the image's edge take part, as zeros before the projection:
    their queries, keys and values are its bias.
    """

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * window - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * window - 1, width // heads))

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        qkv = linear(x, self.qkv.weight, self.qkv.bias)
        windows = to_windows(qkv, self.window, fill=self.qkv.bias)  # (B, n, m, side, side, 3 * C)
        windows = torch.unflatten(windows, -1, (3, self.heads, -1)).permute(5, 0, 1, 2, 6, 3, 4, 7)
        q, k, v = windows.flatten(5, 6).flatten(1, 4)  # (B * n * m * heads, N, c) each
        seen = torch.unflatten(self.attend(q, k, v), 0, (-1, self.heads))
        seen = from_windows(merge_heads(seen), self.window, x.shape[1], x.shape[2])
        return linear(seen, self.proj.weight, self.proj.bias)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention within each of I windows and heads, all (I, N, c); bounded in memory."""
        on_gpu = q.device.type != "cpu"
        if on_gpu and self.window >= GLOBAL and q.element_size() == 2:
            return self.attend_widened(q, k, v)
        rows, columns = self.relative(q)
        out, memory = torch.empty_like(q), rows.new_empty(0)
        # A gradient needs every bias; a compiler and a GPU's allocator find the place again
        # themselves; else one place does for all.
        keep = on_gpu or torch.is_grad_enabled() or torch.compiler.is_compiling()
        for some, part in pieces(len(q), self.window, BIAS_BYTES[on_gpu]):
            row, column = rows[some, part, :, None], columns[some, part, None, :]
            bias = torch.add(row, column, out=None if keep else memory.resize_(0))
            given = (q[None, some, part], k[None, some], v[None, some], bias[None].flatten(-2))
            out[some, part] = F.scaled_dot_product_attention(*given)[0]
        return out

    def attend_widened(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """As `attend`, for a GPU: the bias becomes part of the scalar product, so it has no memory.

        A query is followed by what it adds to the scores of each row and column, a key by ones
        where its own row and column are: q . k gains just these two terms. In this way the fused
        kernels for half precision, which take no bias, do it, up to 256 channels wide; values must
        be as wide. In float32 arithmetic is dearer than memory, and the bias stays.
        """
        width, rows_and_columns = q.shape[-1], torch.cat(self.relative(q), dim=-1)
        one = torch.eye(self.window, dtype=k.dtype, device=k.device)
        row = one[:, None].expand(-1, self.window, -1).flatten(0, 1)  # (N, side)
        ones = torch.cat([row, one.repeat(self.window, 1)], dim=-1).expand(len(k), -1, -1)
        # The kernel scales the whole product.
        q = torch.cat([q, rows_and_columns * width**0.5], dim=-1)
        k = torch.cat([k, ones], dim=-1)
        aligned = -q.shape[-1] % 8
        q, k = F.pad(q, (0, aligned)), F.pad(k, (0, aligned))
        v = F.pad(v, (0, q.shape[-1] - width))
        given = (q[:, None], k[:, None], v[:, None])
        seen = F.scaled_dot_product_attention(*given, scale=width**-0.5)
        return seen[:, 0, :, :width]

    def relative(self, q: Tensor) -> tuple[Tensor, Tensor]:
        """What a query (I, N, c) adds to the scores of each row and column: (I, N, side) both."""
        grid = torch.unflatten(q, 1, (self.window, self.window))
        index = differences(self.window, q.device)
        rows = torch.einsum("iyxc,ykc->iyxk", grid, self.rel_pos_h[index])
        columns = torch.einsum("iyxc,xkc->iyxk", grid, self.rel_pos_w[index])
        return rows.flatten(1, 2), columns.flatten(1, 2)


def pieces(items: int, side: int, limit: int) -> Iterator[tuple[slice, slice]]:
    """Slices of items and of their side * side queries, so that scores stay below limit bytes."""
    row = 4 * side * side * side  # bytes of the scores of one row of queries
    some = max(1, limit // (row * side))
    rows = side if some > 1 else max(1, min(side, limit // row))
    for item in range(0, items, some):
        for y in range(0, side, rows):
            yield slice(item, item + some), slice(y * side, (y + rows) * side)


def differences(size: int, device: torch.device) -> Tensor:
    """(size, size) index i - j + size - 1 into a table of relative positions."""
    steps = torch.arange(size, device=device)
    return steps[:, None] - steps[None, :] + size - 1
