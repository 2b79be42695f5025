"""What CLIP sees of an object: the prompts that SAM's text model was trained with.

Kirillov et al., "Segment Anything", 2023, appendix D.5. Open there and chosen here: what of a
square lies beyond the image is black; a patch is inside of the mask where half of it is, or the
patches that the mask covers most; the output token attends to itself, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

WIDEST, BLANKED = 2.0, 0.5
"""The most that a box is enlarged by, and how often pixels outside of the mask are blanked."""


def crop(
    image: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    box: NDArray[np.float64],
    side: int,
    random: Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A square around an object, of 1 to 2 times its box, and the mask in it.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) of the object.
        box: (4,) XYXY in pixels.
        side: of the network's input.
        random: generator.

    Returns:
        Pixels (side, side, 3) uint8, half of the time black outside of the mask, and the mask
        (side, side).
    """
    half = random.uniform(1, WIDEST) * max(box[2] - box[0], box[3] - box[1]) / 2
    if random.random() < BLANKED:
        image = np.where(mask[..., None], image, np.uint8(0))
    middle = (box[:2] + box[2:]) / 2
    corners = np.concatenate([np.floor(middle - half), np.ceil(middle + half)]).astype(int)
    square = tuple(corners.tolist())
    shown = Image.fromarray(image).crop(square).resize((side, side), Image.Resampling.BICUBIC)
    inside = Image.fromarray(mask).crop(square).resize((side, side), Image.Resampling.NEAREST)
    return np.asarray(shown), np.asarray(inside, bool)


@torch.no_grad()
def image_embeddings(net: Any, pixels: Tensor, inside: Tensor) -> Tensor:
    """CLIP's embeddings of crops, the output token attending to the object alone at the end.

    Args:
        net: CLIPModel of transformers.
        pixels: (K, 3, s, s) float32, normalised.
        inside: (K, s, s) bool.

    Returns:
        (K, D) of length 1.
    """
    vision = net.vision_model
    hidden = vision.pre_layrnorm(vision.embeddings(pixels))
    *first, last = vision.encoder.layers
    for layer in first:
        hidden = layer(hidden, None)
    hidden = last(hidden, _attention(inside, net.config.vision_config.patch_size))
    features = net.visual_projection(vision.post_layernorm(hidden[:, 0]))
    return F.normalize(features, dim=1)


def _attention(inside: Tensor, patch: int) -> Tensor:
    """(K, s, s) -> (K, 1, N + 1, N + 1) to add to the attention of N patches and a token."""
    cover = F.avg_pool2d(inside.float()[:, None], patch).flatten(1)  # (K, N)
    shown = cover >= cover.amax(dim=1, keepdim=True).clamp(max=0.5)
    added = torch.zeros(len(inside), 1, shown.shape[1] + 1, shown.shape[1] + 1)
    added[:, 0, 0, 1:][~shown.cpu()] = torch.finfo(torch.float32).min
    return added.to(inside.device)
