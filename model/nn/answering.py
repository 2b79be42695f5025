"""What a SAM computes: the embedding of images, and masks for prompts on one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sambench.errors import UserError
from sambench.interfaces import Masks, Prompts
from sambench.masks.transfer import pinned, upload

from .._framed import in_batch
from .._given import without_padding
from ..sam import ResizedImage, SamEmbedding
from . import precision as arithmetics
from .image_encoder import ImageEncoder
from .mask_decoder import PreparedImage
from .sam import SamNet, input_size, normalised, resized, to_input_pixels, upsampling

if TYPE_CHECKING:
    from ..sam import Sam

MASK_SIDE = 256


def made_ready(net: SamNet, device: str, precision: str, *, compiled: bool) -> SamNet:
    """Bring a network to a device, as it is to compute there."""
    net.to(device)
    if isinstance(net.image_encoder, ImageEncoder):  # the others' weights are few
        arithmetics.halve(net.image_encoder, precision)
    if compiled:
        # The mode runs CUDA graphs; on a CPU there is nothing to choose among.
        mode = "max-autotune" if device.startswith("cuda") else None
        net.image_encoder.compile(mode=mode)
        net.mask_decoder.compile(mode=mode)
    return net


def resize(image: NDArray[np.uint8], device: str) -> ResizedImage:
    """An image (H, W, 3) as a network takes it, where the device can fetch it from."""
    return ResizedImage(pinned(resized(image), device), (image.shape[0], image.shape[1]))


def embed(sam: Sam, images: Sequence[NDArray[np.uint8] | ResizedImage]) -> list[SamEmbedding]:
    """Embed images together, each (H, W, 3) uint8 or what `resize` made of it."""
    small = [
        each if isinstance(each, ResizedImage) else resize(each, sam.device) for each in images
    ]
    with arithmetics.arithmetic(sam.device, sam.precision):
        batch = torch.stack([normalised(upload(each.pixels, sam.device)) for each in small])
        features = sam.net.image_encoder(batch).float()
    if sam.compiled:
        features = features.clone()  # a CUDA graph's own memory is overwritten by its next run
    return [
        SamEmbedding(one[None], each.size, input_size(*each.size))
        for one, each in zip(features, small, strict=True)
    ]


def answer(
    sam: Sam, embedding: SamEmbedding, prompts: Prompts, *, multimask: bool, above: float | None
) -> Masks:
    """Masks of B prompts; those without one above a predicted IoU may get logits of zero.

    Args:
        sam: the model.
        embedding: of the image.
        prompts: checked, in pixels of the image.
        multimask: three masks for each prompt, or one.
        above: the predicted IoU, None if all masks are wanted.
    """
    shape = (len(prompts), 3 if multimask else 1)
    iou = torch.empty(shape, device=sam.device)
    logits = torch.empty((*shape, MASK_SIDE, MASK_SIDE), device=sam.device)
    prepared = _prepared(sam, embedding, masked=prompts.masks is not None)
    groups, done = without_padding(prompts), 0
    for _, group in groups:
        encoded = to_input(sam.device, group, embedding.size)
        for start in range(0, len(group), sam.chunk):
            chunk = {k: value[start : start + sam.chunk] for k, value in encoded.items()}
            count = min(sam.chunk, len(group) - start)
            if sam.compiled:  # for few sizes
                size = 1 << (count - 1).bit_length()
                chunk = {k: filled_up(value, size) for k, value in chunk.items()}
            with arithmetics.arithmetic(sam.device, sam.precision):
                sparse, dense = sam.net.prompt_encoder(**chunk)
                found = sam.net.mask_decoder(
                    prepared, sparse, dense, multimask=multimask, above=above
                )
            part = slice(done, done := done + count)
            logits[part], iou[part] = (each[:count] for each in found)
    if len(groups) > 1:
        order = upload(in_batch(groups), sam.device)
        logits, iou = logits[order], iou[order]
    back = upsampling(embedding.input_size, embedding.size, MASK_SIDE)
    return Masks(logits, iou, embedding.size, back)


def _prepared(sam: Sam, embedding: SamEmbedding, *, masked: bool) -> PreparedImage:
    """The embedded image as the decoder wants it."""
    if masked not in embedding.prepared:
        no_mask = None if masked else sam.net.prompt_encoder.no_mask()
        with arithmetics.arithmetic(sam.device, sam.precision):
            embedding.prepared[masked] = sam.net.mask_decoder.prepare(
                embedding.features, sam.positions, no_mask
            )
    return embedding.prepared[masked]


def to_input(device: str, prompts: Prompts, size: tuple[int, int]) -> dict[str, Tensor]:
    """Prompts in pixels of the network's input, as tensors by kind.

    Raises:
        UserError: masks of another size.
    """
    wide = arithmetics.widest(device)

    def scaled(points: Any) -> Tensor:
        found = to_input_pixels(np.asarray(points, np.float64), size)
        return torch.as_tensor(found, dtype=wide)

    parts: dict[str, Tensor] = {}
    if prompts.points is not None:
        parts["points"] = scaled(prompts.points)
        parts["labels"] = torch.as_tensor(prompts.labels, dtype=torch.int64)
    if prompts.boxes is not None:
        parts["boxes"] = scaled(np.reshape(prompts.boxes, (-1, 2, 2))).reshape(-1, 4)
    if prompts.masks is not None:
        masks = torch.as_tensor(prompts.masks).float()
        if masks.shape[1:] != (1, MASK_SIDE, MASK_SIDE):
            raise UserError(f"masks must be (B, 1, 256, 256), not {tuple(masks.shape)}.")
        parts["masks"] = masks
    return {kind: upload(value, device) for kind, value in parts.items()}


def filled_up(rows: Tensor, count: int) -> Tensor:
    """(n, ...) -> (count, ...), the last of n rows repeated."""
    return torch.cat([rows, rows[-1:].expand(count - len(rows), *rows.shape[1:])])
