"""SAM's mask decoder: image features and prompt tokens -> masks and their predicted IoU.

Kirillov et al., "Segment Anything", 2023, section 3 and appendix A, "Lightweight mask decoder" and
"Making the model ambiguity-aware".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import gelu_linear, linear
from .transformer import Places, TwoWayTransformer

MASKS = 4
"""One mask for prompts that leave no doubt, and three for those that do."""


@dataclass(frozen=True)
class PreparedImage:
    """An image as the decoder wants it: computed once, good for any number of prompts.

    Attributes:
        keys: (1, N, C) tokens of the image.
        places: what the transformer needs of them.
    """

    keys: Tensor
    places: list[Places]


class MaskDecoder(nn.Module):
    """Predict masks at four times the resolution of the image features."""

    def __init__(self, channels: int = 256) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer(channels=channels)
        self.iou_token = nn.Embedding(1, channels)
        self.mask_tokens = nn.Embedding(MASKS, channels)
        self.output_upscaling = nn.Sequential(
            Doubling(channels, channels // 4),
            nn.LayerNorm(channels // 4, eps=1e-6),
            nn.GELU(),
            Doubling(channels // 4, channels // 8, gelu=True),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(channels, channels // 8) for _ in range(MASKS)
        )
        self.iou_prediction_head = MLP(channels, MASKS)

    def prepare(self, features: Tensor, position: Tensor, no_mask: Tensor | None) -> PreparedImage:
        """Prepare an image for prompts without a mask, or with one.

        Args:
            features: (1, C, h, w).
            position: (h * w, C) encoding of the places.
            no_mask: (C,) to add if the prompts have no mask; None if they have.
        """
        keys = features.flatten(2).transpose(1, 2)  # (1, h * w, C)
        if no_mask is None:
            return PreparedImage(keys, self.transformer.places(position))
        keys = keys + no_mask
        return PreparedImage(keys, self.transformer.places(position, keys[0]))

    def forward(
        self,
        prepared: PreparedImage,
        sparse: Tensor,
        dense: Tensor | None,
        *,
        multimask: bool,
        above: float | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Predict the masks of P prompts on one image.

        Args:
            prepared: the image, prepared for prompts with or without masks.
            sparse: (P, T, C) tokens of points and boxes.
            dense: (P, N, C) encoded masks, or None.
            multimask: three masks for each prompt, or one.
            above: prompts none of whose masks has a predicted IoU above it are not upsampled: their
                logits are zero.

        Returns:
            Logits (P, 3 or 1, S, S), with S = 4 sqrt(N), and predicted IoU (P, 3 or 1), float32.
        """
        out = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([out.expand(len(sparse), -1, -1), sparse], dim=1)  # (P, 5 + T, C)
        keys = prepared.keys if dense is None else prepared.keys + dense  # (1 or P, N, C)
        masks = range(1, MASKS) if multimask else range(1)
        answered = slice(1 + masks.start, 1 + masks.stop)
        tokens, keys = self.transformer(tokens, keys, prepared.places, answered)
        tokens, iou = tokens[:, 1:], self.iou_prediction_head(tokens[:, 0]).float()
        iou = iou[:, masks.start : masks.stop]
        if above is None or (promising := (iou > above).any(dim=1)).all():
            return self.masks(tokens, keys, masks), iou
        few = self.masks(tokens[promising], keys[promising], masks)
        logits = few.new_zeros(len(iou), *few.shape[1:])
        logits[promising] = few
        return logits, iou

    def masks(self, tokens: Tensor, keys: Tensor, masks: range) -> Tensor:
        """Tokens (P, M, C) of M masks, and image (P, N, C) -> logits (P, M, S, S)."""
        mlps = [self.output_hypernetworks_mlps[mask] for mask in masks]
        weights = [mlp(tokens[:, i]) for i, mlp in enumerate(mlps)]  # (P, C / 8) each
        pixels = self.output_upscaling(keys)  # (P, N, 4, 4, C / 8)
        logits = torch.bmm(torch.stack(weights, dim=1), pixels.flatten(1, 3).mT)  # (P, M, 16 * N)
        return in_image_order(logits.view(*logits.shape[:2], keys.shape[1], 4, 4))


class Doubling(nn.Module):
    """A transposed convolution with kernel 2 and stride 2, as each place becomes 2 x 2 places.

    They do not overlap, so that this is a linear layer; only a finished mask needs the order of an
    image.

    Args:
        channels: channels of a place.
        out: channels of a place that it becomes.
        gelu: end with a GELU.
    """

    def __init__(self, channels: int, out: int, *, gelu: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, out, 2, 2).normal_(std=channels**-0.5))
        self.bias = nn.Parameter(torch.zeros(out))
        self.layer = gelu_linear if gelu else linear

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., 4, out), the four places row by row."""
        weight = self.weight.permute(2, 3, 1, 0).flatten(0, 2)  # (4 * out, C)
        return torch.unflatten(self.layer(x, weight, self.bias.repeat(4)), -1, (4, -1))


def in_image_order(masks: Tensor) -> Tensor:
    """Places that were doubled twice, (P, M, N, 4, 4) -> image (P, M, S, S), S = 4 sqrt(N)."""
    side = math.isqrt(masks.shape[2])
    places = masks.float().view(*masks.shape[:2], side, side, 2, 2, 2, 2)  # y, x, dy, dx, ddy, ddx
    pairs = torch.view_as_complex(places)  # two neighbours at a time move ten times faster
    image = torch.view_as_real(pairs.permute(0, 1, 2, 4, 6, 3, 5).contiguous())
    return image.view(*masks.shape[:2], 4 * side, 4 * side)


class MLP(nn.Module):
    """Three linear layers with ReLU between."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        sizes = (channels, channels, channels, out)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., out)."""
        for layer in list(self.layers)[:-1]:
            x = F.relu(layer(x))
        out: Tensor = self.layers[-1](x)
        return out
