"""SAM's image encoder: a ViT whose blocks attend in windows, four of them to the whole image.

Kirillov et al., "Segment Anything", 2023, appendix A; the backbone is ViTDet (Li et al., 2022) with
decomposed relative positions (Li et al., "MViTv2", 2022, section 4.1).
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import MLPBlock, Neck, differences, from_windows, merge_heads, to_windows


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
        out: Tensor = self.neck(x)  # (B, 256, side, side)
        return out


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
        self.window = window
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads, window)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLPBlock(width, 4 * width, nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        windows = self.attn(to_windows(self.norm1(x), self.window))
        x = x + from_windows(windows, x.shape[1], x.shape[2])
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Attention(nn.Module):
    """Self-attention in square windows, biased by how far query and key lie apart."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * window - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * window - 1, width // heads))

    def forward(self, x: Tensor) -> Tensor:
        """(B, side, side, C) windows -> (B, side, side, C)."""
        side = x.shape[1]
        qkv = torch.unflatten(self.qkv(x).flatten(1, 2), -1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, N, c) each
        bias = self.relative_bias(torch.unflatten(q, 2, (side, side)))
        out: Tensor = self.proj(merge_heads(F.scaled_dot_product_attention(q, k, v, bias)))
        return torch.unflatten(out, 1, (side, side))

    def relative_bias(self, q: Tensor) -> Tensor:
        """Bias of each query towards rows and columns: (B, heads, s, s, c) -> (B, heads, N, N)."""
        index = differences(q.shape[2], q.device)
        rows = torch.einsum("bhyxc,ykc->bhyxk", q, self.rel_pos_h[index])
        columns = torch.einsum("bhyxc,xkc->bhyxk", q, self.rel_pos_w[index])
        bias = rows[..., :, None] + columns[..., None, :]  # (B, heads, y, x, row, column)
        return bias.flatten(4, 5).flatten(2, 3)
