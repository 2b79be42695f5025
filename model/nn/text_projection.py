"""The embedding of a text, or of what CLIP sees of an object, as one token of a prompt.

Kirillov et al., "Segment Anything", 2023, sections 7.5 and D.5. The paper does not say how CLIP's
embedding comes to the width of a token; here it is one linear layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .prompt_encoder import PromptEncoder


class TextProjection(nn.Module):
    """A linear layer from an embedding of length 1 to a sparse token.

    Args:
        width: D, of the embedding.
        channels: C, of a token.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.scale = math.sqrt(width)  # numbers of an embedding of length 1 are of this inverse
        self.weight = nn.Parameter(torch.empty(channels, width).normal_(std=1 / self.scale))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, vectors: Tensor) -> Tensor:
        """(P, D) of length 1 -> (P, C)."""
        return F.linear(vectors * self.scale, self.weight, self.bias)


def with_texts(
    encoder: PromptEncoder, tokens: Tensor, given: Mapping[str, Any]
) -> tuple[Tensor, Tensor | None]:
    """Encode P prompts of which each has a text, and maybe points, a box and a mask.

    Args:
        encoder: of the other parts.
        tokens: (P, C) of the texts.
        given: the other parts, as arguments of the encoder.

    Returns:
        Sparse tokens (P, T, C), the text's at the end, and a dense map or None, as the encoder
        gives it.
    """
    if not given:
        return tokens[:, None], None
    sparse, dense = encoder(**given)
    return torch.cat([sparse, tokens[:, None]], dim=1), dense
