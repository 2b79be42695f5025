"""SAM's mask decoder: image features and prompt tokens -> masks and their predicted IoU.

Kirillov et al., "Segment Anything", 2023, section 3 and appendix A, "Lightweight mask decoder" and
"Making the model ambiguity-aware".
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import LayerNorm2d
from .transformer import TwoWayTransformer

MASKS = 4
"""One mask for prompts that leave no doubt, and three for those that do."""


class MaskDecoder(nn.Module):
    """Predict masks at four times the resolution of the image features."""

    def __init__(self, channels: int = 256) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer(channels=channels)
        self.iou_token = nn.Embedding(1, channels)
        self.mask_tokens = nn.Embedding(MASKS, channels)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(channels, channels // 4, 2, stride=2),
            LayerNorm2d(channels // 4),
            nn.GELU(),
            nn.ConvTranspose2d(channels // 4, channels // 8, 2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(channels, channels // 8) for _ in range(MASKS)
        )
        self.iou_prediction_head = MLP(channels, MASKS)

    def forward(
        self, image: Tensor, position: Tensor, sparse: Tensor, dense: Tensor, *, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        """Predict the masks of P prompts on one image.

        Args:
            image: (1, C, h, w) features.
            position: (h * w, C) encoding of its places.
            sparse: (P, T, C) tokens of points and boxes.
            dense: (P, h * w, C) or (1, 1, C), added to the features.
            multimask: three masks for each prompt, or one.

        Returns:
            Logits (P, 3 or 1, 4h, 4w) and predicted IoU (P, 3 or 1).
        """
        out = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([out.expand(len(sparse), -1, -1), sparse], dim=1)  # (P, 5 + T, C)
        keys = image.flatten(2).transpose(1, 2) + dense  # (P or 1, h * w, C)
        tokens, keys = self.transformer(tokens, keys, position)
        wanted = slice(1, MASKS) if multimask else slice(0, 1)
        iou = self.iou_prediction_head(tokens[:, 0])[:, wanted]
        features = keys.transpose(1, 2).unflatten(2, image.shape[2:])  # (P, C, h, w)
        return self.masks(tokens[:, 1 : 1 + MASKS], features, wanted), iou

    def masks(self, tokens: Tensor, features: Tensor, wanted: slice) -> Tensor:
        """Mask tokens (P, 4, C) and features (P, C, h, w) -> logits (P, wanted, 4h, 4w)."""
        upscaled = self.output_upscaling(features)  # (P, C / 8, 4h, 4w)
        mlps = list(self.output_hypernetworks_mlps)
        weights = [mlps[i](tokens[:, i]) for i in range(MASKS)[wanted]]
        return torch.einsum("pmc,pchw->pmhw", torch.stack(weights, dim=1), upscaled)


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
