"""The Segment Anything Model: image encoder, prompt encoder, mask decoder.

Kirillov et al., "Segment Anything", 2023, figure 4.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from sambench.errors import UserError
from sambench.masks.transfer import upload
from sambench.masks.upsampling import Upsampling

from .image_encoder import ImageEncoder
from .mask_decoder import MaskDecoder
from .prompt_encoder import PromptEncoder
from .tiny_vit import TinyViT

IMAGE_SIZE = 1024
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)


class SamNet(nn.Module):
    """The three parts under one roof, named as in the official checkpoints."""

    def __init__(self, image_encoder: nn.Module) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.prompt_encoder = PromptEncoder()
        self.mask_decoder = MaskDecoder()


def vit_b() -> SamNet:
    """SAM with a ViT-B encoder (91 M parameters)."""
    return SamNet(ImageEncoder(width=768, depth=12, heads=12, global_blocks=(2, 5, 8, 11)))


def vit_l() -> SamNet:
    """SAM with a ViT-L encoder (308 M parameters)."""
    return SamNet(ImageEncoder(width=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23)))


def vit_h() -> SamNet:
    """SAM with a ViT-H encoder (636 M parameters)."""
    return SamNet(ImageEncoder(width=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31)))


def vit_t() -> SamNet:
    """MobileSAM: SAM with a TinyViT encoder (10 M parameters)."""
    return SamNet(TinyViT())


BUILDERS: dict[str, Callable[[], SamNet]] = {
    "vit_b": vit_b,
    "vit_l": vit_l,
    "vit_h": vit_h,
    "vit_t": vit_t,
}


def build_sam(arch: str) -> SamNet:
    """Build a network with random weights, in evaluation mode: vit_b, vit_l, vit_h or vit_t."""
    return BUILDERS[arch]().eval()


def input_size(height: int, width: int, side: int = IMAGE_SIZE) -> tuple[int, int]:
    """(h, w) of an image of that size once its longer side is 1024 pixels.

    Raises:
        UserError: the image is so narrow that nothing of it would be left.
    """
    scale = side / max(height, width)
    size = int(height * scale + 0.5), int(width * scale + 0.5)
    if 0 in size:
        raise UserError(f"an image of {width} x {height} pixels is too narrow for SAM; crop it.")
    return size


def preprocess(image: NDArray[np.uint8], side: int = IMAGE_SIZE) -> Tensor:
    """Resize to a longer side of 1024, normalise, pad with zeros to the right and below.

    Args:
        image: (H, W, 3) uint8 RGB.
        side: of a network that wants another size than 1024.

    Returns:
        (3, 1024, 1024) float32.
    """
    return normalised(resized(image, side), side)


def resized(image: NDArray[np.uint8], side: int = IMAGE_SIZE) -> Tensor:
    """Resize (H, W, 3) uint8 RGB to a longer side of 1024: (h, w, 3) uint8."""
    height, width = input_size(image.shape[0], image.shape[1], side)
    small = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(small))


def normalised(pixels: Tensor, side: int = IMAGE_SIZE) -> Tensor:
    """Normalise (h, w, 3) uint8 RGB on its device, and pad it: (3, 1024, 1024) float32."""
    mean, std = (upload(np.array(v, np.float32), pixels.device) for v in (PIXEL_MEAN, PIXEL_STD))
    normal = ((pixels - mean) / std).permute(2, 0, 1)
    return F.pad(normal, (0, side - normal.shape[2], 0, side - normal.shape[1]))


def upsampling(
    inner: tuple[int, int], size: tuple[int, int], low: int, side: int = IMAGE_SIZE
) -> Upsampling:
    """How low-resolution logits come to the original image: upsample, cut the padding, resize.

    Args:
        inner: (h, w) of the image in the network's input.
        size: (H, W) of the original image.
        low: side of the logits, 256 for SAM; it divides side.
        side: of the network's input.
    """
    times = side // low
    rows, columns = (min(length // times + 2, low) for length in inner)  # padding need not be
    steps = (((rows, columns), (times * rows, times * columns)),)
    return Upsampling(size, steps if inner == size else (*steps, (inner, size)))


def to_input_pixels(
    points: NDArray[np.float64], size: tuple[int, int], side: int = IMAGE_SIZE
) -> NDArray[np.float64]:
    """(..., 2) x, y in pixels of the original image (H, W) -> pixels of the network's input."""
    (height, width), (h, w) = size, input_size(*size, side)
    scaled: NDArray[np.float64] = points * np.array([w / width, h / height])
    return scaled
