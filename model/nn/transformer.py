"""SAM's two-way transformer: prompt tokens and image attend to each other.

Kirillov et al., "Segment Anything", 2023, appendix A, "Lightweight mask decoder".

The image has N = 4096 places of C = 256 channels; a prompt has only T = 7 tokens or so. Where it
costs less, the tokens are projected and not the image: with a token t, an image place x and its
position p,

    (Wq t) . (Wk (x + p)) = (Wk' Wq t) . x + (Wq t) . (Wk p)

whose last factor is the same for all prompts. In the first block x, too, is the same for all
prompts, unless a prompt has a mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import merge_heads, products, split_heads

ABSORBED_TOKENS = 16
"""Up to so many tokens it costs less to project the tokens than the image."""


@dataclass(frozen=True)
class Places:
    """What one attention needs of the image's N places, the same for all prompts.

    Attributes:
        key: (h, c, N) projection of the positions, and of the image if that is shared.
        value: (h, N, c) projection of the image if that is shared by all prompts, else None.
    """

    key: Tensor
    value: Tensor | None


class TwoWayTransformer(nn.Module):
    """Two blocks of attention both ways, then a last look of the tokens at the image."""

    def __init__(
        self, depth: int = 2, channels: int = 256, heads: int = 8, hidden: int = 2048
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(channels, heads, hidden, first=index == 0) for index in range(depth)
        )
        self.final_attn_token_to_image = TokenToImage(channels, heads, channels // 2)
        self.norm_final_attn = nn.LayerNorm(channels)

    def forward(
        self, tokens: Tensor, keys: Tensor, places: list[Places], masks: slice
    ) -> tuple[Tensor, Tensor]:
        """Let tokens and image inform each other.

        Args:
            tokens: (P, T, C) output tokens and prompt tokens; they are their own position.
            keys: (P, N, C) image, or (1, N, C) shared by all prompts.
            places: what `places` gave: with the image if it is shared, without it otherwise.
            masks: which tokens are to be answered, besides the first.

        Returns:
            The W tokens answered (P, W, C) and image (P, N, C).
        """
        queries = tokens
        for index, layer in enumerate(self.layers):
            queries, keys = layer(queries, keys, tokens, *places[2 * index : 2 * index + 2])
        # The others are heard no more. (A list of them as an index would make a GPU wait.)
        queries, tokens = (torch.cat([x[:, :1], x[:, masks]], dim=1) for x in (queries, tokens))
        seen = self.final_attn_token_to_image(queries + tokens, keys, places[-1])
        return self.norm_final_attn(queries + seen), keys

    def places(self, position: Tensor, image: Tensor | None = None) -> list[Places]:
        """Project positions (N, C), and the image (N, C) if prompts share it, for each attention.

        Returns:
            Token to image and image to token of each block, then the last look.
        """
        blocks = cast("list[TwoWayBlock]", list(self.layers))
        crossings = [crossing for block in blocks for crossing in block.crossings()]
        first, rest = crossings[:2], [*crossings[2:], self.final_attn_token_to_image]
        return [c.places(position, image) for c in first] + [c.places(position) for c in rest]


class TwoWayBlock(nn.Module):
    """Self-attention of the tokens, tokens to image, MLP on the tokens, image to tokens."""

    def __init__(self, channels: int, heads: int, hidden: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention(channels, heads, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attn_token_to_image = TokenToImage(channels, heads, channels // 2)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = MLP(channels, hidden)
        self.norm3 = nn.LayerNorm(channels)
        self.cross_attn_image_to_token = ImageToToken(channels, heads, channels // 2)
        self.norm4 = nn.LayerNorm(channels)

    def crossings(self) -> list[Crossing]:
        """Both attentions between tokens and image."""
        return [self.cross_attn_token_to_image, self.cross_attn_image_to_token]

    def forward(
        self, queries: Tensor, keys: Tensor, tokens: Tensor, look: Places, tell: Places
    ) -> tuple[Tensor, Tensor]:
        """Queries (P, T, C) and keys (P, N, C) inform each other; tokens give queries a place."""
        if self.first:  # the queries still are the tokens: no position to add, nothing to keep
            queries = self.norm1(self.self_attn(queries, queries))
        else:
            queries = self.norm1(queries + self.self_attn(queries + tokens, queries))
        queries = self.norm2(queries + self.cross_attn_token_to_image(queries + tokens, keys, look))
        queries = self.norm3(queries + self.mlp(queries))
        keys = self.cross_attn_image_to_token(queries + tokens, queries, keys, tell)
        return queries, self.norm4(keys)


class MLP(nn.Module):
    """Two linear layers with a ReLU between."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(channels, hidden)
        self.lin2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        out: Tensor = self.lin2(F.relu(self.lin1(x)))
        return out


class Heads(nn.Module):
    """The four projections of multi-head attention, whose inner width may differ from C."""

    def __init__(self, channels: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(channels, inner)
        self.k_proj = nn.Linear(channels, inner)
        self.v_proj = nn.Linear(channels, inner)
        self.out_proj = nn.Linear(inner, channels)

    def split(self, x: Tensor) -> Tensor:
        """(P, N, inner) -> (P, h, N, c)."""
        return split_heads(x, self.heads)

    def by_head(self, weight: Tensor) -> Tensor:
        """A projection's weight (inner, C) -> (h, c, C)."""
        return torch.unflatten(weight, 0, (self.heads, -1))


class Attention(Heads):
    """Attention of the tokens to each other."""

    def forward(self, tokens: Tensor, value: Tensor) -> Tensor:
        """Tokens (P, T, C) ask each other for their values (P, T, C)."""
        q, k = self.split(self.q_proj(tokens)), self.split(self.k_proj(tokens))
        seen = F.scaled_dot_product_attention(q, k, self.split(self.v_proj(value)))
        out: Tensor = self.out_proj(merge_heads(seen))
        return out


class Crossing(Heads):
    """Attention between T tokens and N places of the image."""

    def scores(self, x: Tensor, weight: Tensor, keys: Tensor, places: Places) -> Tensor:
        """Match projected tokens x (P, h, T, c) with the image (P, N, C) -> (P, h, T, N).

        Args:
            x: tokens, projected.
            weight: (inner, C) the projection of the image's side.
            keys: (P, N, C) image, not projected.
            places: the part that is the same for all prompts.
        """
        x = x * x.shape[-1] ** -0.5
        same = torch.einsum("phtc,hcn->phtn", x, places.key)
        if places.value is not None:
            return same
        absorbed = torch.einsum("phtc,hcd->phtd", x, self.by_head(weight)).flatten(1, 2)
        # In place, and this way round: what comes out is contiguous, as the softmax wants it.
        return torch.unflatten(products(absorbed, keys), 1, x.shape[1:3]).add_(same)

    def places(self, position: Tensor, image: Tensor | None = None) -> Places:
        """What is the same for all prompts: position (N, C), and image (N, C) if that is shared."""
        raise NotImplementedError


class TokenToImage(Crossing):
    """Tokens ask, the image answers."""

    def places(self, position: Tensor, image: Tensor | None = None) -> Places:
        """The keys of the places, and their values if shared; a key bias cancels in the softmax."""
        shared = position if image is None else image + position
        key = torch.einsum("nd,hcd->hcn", shared, self.by_head(self.k_proj.weight))
        return Places(key, None if image is None else self.split(self.v_proj(image)[None])[0])

    def forward(self, tokens: Tensor, keys: Tensor, places: Places) -> Tensor:
        """Tokens (P, T, C) with their position, image (P, N, C) -> (P, T, C)."""
        q = self.split(self.q_proj(tokens))
        if q.shape[2] > ABSORBED_TOKENS and places.value is None:
            k = self.split(F.linear(keys, self.k_proj.weight)) + places.key.mT
            seen = F.scaled_dot_product_attention(q, k, self.split(self.v_proj(keys)))
        else:
            weights = self.scores(q, self.k_proj.weight, keys, places).softmax(dim=-1)
            seen = self.gather(weights, keys, places)
        out: Tensor = self.out_proj(merge_heads(seen))
        return out

    def gather(self, weights: Tensor, keys: Tensor, places: Places) -> Tensor:
        """Weighted mean of the image's values: (P, h, T, N) -> (P, h, T, c)."""
        if places.value is not None:
            return torch.einsum("phtn,hnc->phtc", weights, places.value)
        mean = torch.bmm(weights.flatten(1, 2), keys)  # (P, h * T, C): projected only now
        mean = torch.unflatten(mean, 1, weights.shape[1:3])
        values = torch.einsum("phtd,hcd->phtc", mean, self.by_head(self.v_proj.weight))
        return values + self.v_proj.bias.view(self.heads, 1, -1)


class ImageToToken(Crossing):
    """The image asks, tokens answer."""

    def places(self, position: Tensor, image: Tensor | None = None) -> Places:
        """The projection of the places, which are the query here, with its bias."""
        shared = self.q_proj(position if image is None else image + position)
        key = self.split(shared[None])[0].mT.contiguous()
        return Places(key, key.mT if image is not None else None)

    def forward(self, tokens: Tensor, value: Tensor, keys: Tensor, places: Places) -> Tensor:
        """Add to the image (P or 1, N, C) what tokens (P, T, C) with that value tell each place."""
        k, v = self.split(self.k_proj(tokens)), self.split(self.v_proj(value))  # (P, h, T, c)
        if k.shape[2] > ABSORBED_TOKENS:
            q = places.key.mT[None]
            if places.value is None:
                q = q + self.split(F.linear(keys, self.q_proj.weight))
            told = F.scaled_dot_product_attention(q.expand(len(k), -1, -1, -1), k, v)
            out: Tensor = keys + self.out_proj(merge_heads(told))
            return out
        weights = self.scores(k, self.q_proj.weight, keys, places).softmax(dim=2)
        v = torch.einsum("phtc,hcd->phtd", v, self.by_head(self.out_proj.weight.T))
        v = v + self.out_proj.bias / self.heads  # a place's weights add to one in each head
        weights, v = weights.flatten(1, 2).mT, v.flatten(1, 2)
        alike = weights.dtype == v.dtype == keys.dtype  # which autocast may not leave them
        if places.value is None and alike and not torch.is_grad_enabled():
            return keys.baddbmm_(weights, v)  # these prompts' own: nobody else looks at it
        return torch.baddbmm(keys.expand(len(v), -1, -1), weights, v)
