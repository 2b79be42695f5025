"""SAM's prompt encoder: points and box corners become tokens, a mask becomes a map.

Kirillov et al., "Segment Anything", 2023, appendix A, "Prompt encoder". Coordinates are encoded by
random Fourier features (Tancik et al., 2020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .layers import LayerNorm2d


class PromptEncoder(nn.Module):
    """Encode points, boxes and masks, any mix of them.

    Args:
        channels: channels of a token.
        image_size: side of the network's input, in pixels.
    """

    def __init__(self, channels: int = 256, image_size: int = 1024) -> None:
        super().__init__()
        self.image_size = image_size
        self.side = image_size // 16
        self.pe_layer = FourierFeatures(channels)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, channels) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, channels)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, 4, 2, stride=2),
            LayerNorm2d(4),
            nn.GELU(),
            nn.Conv2d(4, 16, 2, stride=2),
            LayerNorm2d(16),
            nn.GELU(),
            nn.Conv2d(16, channels, 1),
        )
        self.no_mask_embed = nn.Embedding(1, channels)

    def forward(
        self,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
        masks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Encode P prompts; coordinates are (x, y) in pixels of the network's input.

        Args:
            points: (P, N, 2).
            labels: (P, N) 1 foreground, 0 background, -1 padding, -2 a token of zeros.
            boxes: (P, 4) XYXY.
            masks: (P, 1, 256, 256) logits.

        Returns:
            Sparse tokens (P, T, C), and a dense map (P, side * side, C) to add to the image, or
            None where no mask is given: then `no_mask` is to be added.
        """
        sparse = []
        if points is not None and labels is not None:
            sparse.append(self.embed_points(points, labels, pad=boxes is None))
        if boxes is not None:
            sparse.append(self.embed_boxes(boxes))
        if masks is None:
            return torch.cat(sparse, dim=1), None
        dense = self.mask_downscaling(masks).flatten(2).transpose(1, 2)  # (P, side * side, C)
        return torch.cat([dense[:, :0], *sparse], dim=1), dense

    def embed_points(self, points: Tensor, labels: Tensor, *, pad: bool) -> Tensor:
        """(P, N, 2) and (P, N) -> (P, N, C), or N + 1 tokens with a padding point at the end."""
        if pad:
            points = torch.cat([points, points.new_zeros(len(points), 1, 2)], dim=1)
            labels = torch.cat([labels, labels.new_full((len(labels), 1), -1)], dim=1)
        place = self.encode(points)
        place = torch.where((labels == -1)[..., None], self.not_a_point_embed.weight, place)
        place = torch.where((labels == -2)[..., None], 0, place)
        for label, kind in enumerate(self.kinds()[:2]):
            place = torch.where((labels == label)[..., None], place + kind, place)
        return place

    def embed_boxes(self, boxes: Tensor) -> Tensor:
        """(P, 4) XYXY -> two corner tokens (P, 2, C)."""
        return self.encode(boxes.reshape(-1, 2, 2)) + torch.cat(self.kinds()[2:])

    def kinds(self) -> list[Tensor]:
        """What to add to a place: background, foreground, top-left, bottom-right; (1, C) each."""
        return list(self.point_embeddings.parameters())

    def encode(self, points: Tensor) -> Tensor:
        """(..., 2) pixels -> (..., C); half a pixel is added, to mean the pixel's centre."""
        out: Tensor = self.pe_layer((points + 0.5) / self.image_size)
        return out

    def no_mask(self) -> Tensor:
        """What to add to every place of the image where no mask is given, (C,)."""
        return self.no_mask_embed.weight[0]

    def dense_positions(self) -> Tensor:
        """Encoding of the centre of each place of the feature map, (side * side, C)."""
        device = self.no_mask_embed.weight.device
        centres = (torch.arange(self.side, device=device) + 0.5) / self.side
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        out: Tensor = self.pe_layer(torch.stack([x, y], dim=-1)).flatten(0, 1)
        return out


class FourierFeatures(nn.Module):
    """Sines and cosines of random projections of a coordinate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        drawn = torch.empty(2, channels // 2).normal_()
        self.register_buffer("positional_encoding_gaussian_matrix", drawn)
        self.positional_encoding_gaussian_matrix: Tensor

    def forward(self, points: Tensor) -> Tensor:
        """(..., 2) x, y in [0, 1] -> (..., C), always computed in float32."""
        with torch.autocast(points.device.type, enabled=False):
            matrix = self.positional_encoding_gaussian_matrix.float()
            angles = 2 * math.pi * ((2 * points.float() - 1) @ matrix)  # (..., C / 2)
            return torch.cat([angles.sin(), angles.cos()], dim=-1)
