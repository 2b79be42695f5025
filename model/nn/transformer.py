"""SAM's two-way transformer: prompt tokens and image attend to each other.

Kirillov et al., "Segment Anything", 2023, appendix A, "Lightweight mask decoder".
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .layers import MLPBlock, merge_heads, split_heads


class TwoWayTransformer(nn.Module):
    """Two blocks of attention both ways, then a last look of the tokens at the image."""

    def __init__(
        self, depth: int = 2, channels: int = 256, heads: int = 8, hidden: int = 2048
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(channels, heads, hidden, first=index == 0) for index in range(depth)
        )
        self.final_attn_token_to_image = Attention(channels, heads, channels // 2)
        self.norm_final_attn = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor, image: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        """Let tokens and image inform each other.

        Args:
            tokens: (P, T, C) output tokens and prompt tokens; they are their own position.
            image: (P, N, C) image features, or (1, N, C) shared by all prompts.
            position: (N, C) encoding of the places of the image.

        Returns:
            Tokens (P, T, C) and image (P, N, C).
        """
        queries, keys = tokens, image
        for layer in self.layers:
            queries, keys = layer(queries, keys, tokens, position)
        seen = self.final_attn_token_to_image(queries + tokens, keys + position, keys)
        return self.norm_final_attn(queries + seen), keys


class TwoWayBlock(nn.Module):
    """Self-attention of the tokens, tokens to image, MLP on the tokens, image to tokens."""

    def __init__(self, channels: int, heads: int, hidden: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention(channels, heads, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attn_token_to_image = Attention(channels, heads, channels // 2)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = MLPBlock(channels, hidden, nn.ReLU())
        self.norm3 = nn.LayerNorm(channels)
        self.cross_attn_image_to_token = Attention(channels, heads, channels // 2)
        self.norm4 = nn.LayerNorm(channels)

    def forward(
        self, queries: Tensor, keys: Tensor, tokens: Tensor, position: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Queries (P, T, C), keys (P, N, C); where they meet, tokens and position are added."""
        if self.first:  # the queries still are the tokens: no position to add, nothing to keep
            queries = self.norm1(self.self_attn(queries, queries, queries))
        else:
            query = queries + tokens
            queries = self.norm1(queries + self.self_attn(query, query, queries))
        seen = self.cross_attn_token_to_image(queries + tokens, keys + position, keys)
        queries = self.norm2(queries + seen)
        queries = self.norm3(queries + self.mlp(queries))
        told = self.cross_attn_image_to_token(keys + position, queries + tokens, queries)
        return queries, self.norm4(keys + told)


class Attention(nn.Module):
    """Multi-head attention whose inner width may be smaller than its input's."""

    def __init__(self, channels: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(channels, inner)
        self.k_proj = nn.Linear(channels, inner)
        self.v_proj = nn.Linear(channels, inner)
        self.out_proj = nn.Linear(inner, channels)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(P, M, C), (P, N, C), (P, N, C) -> (P, M, C); a batch of 1 serves all prompts."""
        q = split_heads(self.q_proj(query), self.heads)
        k = split_heads(self.k_proj(key), self.heads)
        v = split_heads(self.v_proj(value), self.heads)
        out: Tensor = self.out_proj(merge_heads(F.scaled_dot_product_attention(q, k, v)))
        return out
