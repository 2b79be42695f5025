"""Segment Anything (Kirillov et al., 2023) from any checkpoint of its architectures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sambench.errors import UserError
from sambench.interfaces import Masks, Model, ModelCard, Prompts
from sambench.masks.transfer import pinned, upload

from ._framed import check_image, check_prompts, choose_device, in_batch, without_padding
from .nn import precision as arithmetics
from .nn.checkpoint import load_sam
from .nn.image_encoder import ImageEncoder
from .nn.mask_decoder import PreparedImage
from .nn.sam import input_size, normalised, resized, to_input_pixels, upsampling

MASK_SIDE = 256
PREPROCESSING = (
    "longest side resized to 1024 pixels (Pillow, bilinear, antialiased), RGB normalised by mean "
    "123.675, 116.28, 103.53 and deviation 58.395, 57.12, 57.375, then zero-padded right and below "
    "to 1024 x 1024"
)


@dataclass(frozen=True)
class SamEmbedding:
    """An embedded image.

    Attributes:
        features: (1, 256, 64, 64) float32, what the image encoder gave.
        size: (H, W) of the original image.
        input_size: (h, w) of the image in the network's 1024 x 1024 input, without padding.
        prepared: the features as the decoder wants them, computed when first needed: for prompts
            with masks (True) and without (False).
    """

    features: Tensor
    size: tuple[int, int]
    input_size: tuple[int, int]
    prepared: dict[bool, PreparedImage] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class ResizedImage:
    """An image of which only the network's part is left to do.

    Attributes:
        pixels: (h, w, 3) uint8 RGB, the longer side 1024 pixels.
        size: (H, W) of the original image.
    """

    pixels: Tensor
    size: tuple[int, int]


class Sam(Model):
    """A SAM of any architecture, from any checkpoint with the official parameter names.

    Args:
        checkpoint: a .pth, .pt or .safetensors file, or the name of an official checkpoint.
        arch: vit_b, vit_l, vit_h, vit_t (MobileSAM's), or auto to infer it from the checkpoint.
        device: cpu, cuda, cuda:1 and so on.
        precision: float32 is exact; tf32, bfloat16 and float16 are faster on a GPU and move masks.
        sha256: refuse a checkpoint whose content has another SHA-256.
        compiled: have torch.compile make the encoder and the decoder; the first calls take minutes.
            On a CPU it does not pay.

    Raises:
        UserError: the checkpoint, the device or the precision cannot be used.
    """

    prompts = frozenset({"points", "boxes", "masks", "blanks"})
    requires = "a checkpoint; an official one is downloaded at first use"
    name: ClassVar[str] = "sam"
    licence: ClassVar[str] = "as the checkpoint's"
    neutral = frozenset({"device", "sha256"})
    citation: ClassVar[str] = "Kirillov et al., Segment Anything, ICCV 2023"

    def __init__(
        self,
        checkpoint: str,
        arch: str = "auto",
        device: str = "cpu",
        precision: str = "float32",
        sha256: str = "",
        compiled: bool = False,
    ) -> None:
        self.device, self.precision = choose_device(device, precision), precision
        self.net, self.arch, digest = load_sam(checkpoint, arch, sha256)
        self.compiled = compiled
        self.make_ready()
        self.positions = self.net.prompt_encoder.dense_positions()  # (4096, 256)
        large = torch.device(self.device).type != "cpu"
        self.concurrent = not large
        # Small chunks stay in a processor's cache; a GPU wants large ones.
        self.chunk, self.image_batch, self.prompt_batch = (128, 8, 256) if large else (2, 1, 64)
        self.card = ModelCard(
            name=self.name,
            weights_sha256=digest,
            preprocessing=PREPROCESSING,
            precision=f"{precision}, compiled" if compiled else precision,
            parameters=sum(parameter.numel() for parameter in self.net.parameters()),
            licence=self.licence,
            citation=self.citation,
            family="SAM",
        )

    def make_ready(self) -> None:
        """Bring the network to the device, as it is to compute there."""
        self.net.to(self.device)
        if isinstance(self.net.image_encoder, ImageEncoder):  # the others' weights are few
            arithmetics.halve(self.net.image_encoder, self.precision)
        if self.compiled:
            # The mode runs CUDA graphs; on a CPU there is nothing to choose among.
            mode = "max-autotune" if self.device.startswith("cuda") else None
            self.net.image_encoder.compile(mode=mode)
            self.net.mask_decoder.compile(mode=mode)

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.uint8] | ResizedImage:
        """For a GPU, the image resized and where a GPU can fetch it from.

        Raises:
            UserError: something else than an image.
        """
        check_image(image)
        return image if torch.device(self.device).type == "cpu" else self._resized(image)

    def _resized(self, image: NDArray[np.uint8]) -> ResizedImage:
        return ResizedImage(pinned(resized(image), self.device), (image.shape[0], image.shape[1]))

    def embed(self, images: Sequence[NDArray[np.uint8] | ResizedImage]) -> list[SamEmbedding]:
        """Embed images, each (H, W, 3) uint8 RGB of any size, or what `prepare` made of it.

        Raises:
            UserError: something else than such an image.
        """
        for image in images:
            if not isinstance(image, ResizedImage):
                check_image(image)
        embeddings: list[SamEmbedding] = []
        for start in range(0, len(images), self.image_batch):
            embeddings += self._embed_batch(images[start : start + self.image_batch])
        return embeddings

    def _embed_batch(
        self, images: Sequence[NDArray[np.uint8] | ResizedImage]
    ) -> list[SamEmbedding]:
        small = [each if isinstance(each, ResizedImage) else self._resized(each) for each in images]
        with arithmetics.arithmetic(self.device, self.precision):
            batch = torch.stack([normalised(upload(each.pixels, self.device)) for each in small])
            features = self.net.image_encoder(batch).float()
        if self.compiled:
            features = features.clone()  # a CUDA graph's own memory is overwritten by its next run
        return [
            SamEmbedding(one[None], each.size, input_size(*each.size))
            for one, each in zip(features, small, strict=True)
        ]

    def pack(self, embedding: SamEmbedding) -> dict[str, Tensor]:
        """The features, and both sizes, as tensors."""
        sizes = torch.tensor([embedding.size, embedding.input_size])
        return {"features": embedding.features, "sizes": sizes}

    def unpack(self, packed: Mapping[str, Tensor]) -> SamEmbedding:
        """The embedding that `pack` was given."""
        (height, width), (inner_height, inner_width) = packed["sizes"].tolist()
        features = packed["features"].to(self.device)
        return SamEmbedding(features, (height, width), (inner_height, inner_width))

    def predict(self, embedding: SamEmbedding, prompts: Prompts, *, multimask: bool) -> Masks:
        """Masks of B prompts on one image: logits (B, 3 or 1, 256, 256), predicted IoU (B, 3 or 1).

        Raises:
            UserError: a prompt of the wrong shape or kind.
        """
        return self._predict(embedding, prompts, multimask, None)

    def predict_above(
        self, embedding: SamEmbedding, prompts: Prompts, pred_iou_thresh: float, *, multimask: bool
    ) -> Masks:
        """As `predict`, but prompts without a mask above the threshold may get logits of zero.

        That saves time on a CPU; a GPU would have to wait for the decision and decodes all.
        """
        on_cpu = torch.device(self.device).type == "cpu"
        above = pred_iou_thresh if on_cpu and not self.compiled else None
        return self._predict(embedding, prompts, multimask, above)

    def _predict(
        self, embedding: SamEmbedding, prompts: Prompts, multimask: bool, above: float | None
    ) -> Masks:
        check_prompts(self, prompts)
        shape = (len(prompts), 3 if multimask else 1)
        iou = torch.empty(shape, device=self.device)
        logits = torch.empty((*shape, MASK_SIDE, MASK_SIDE), device=self.device)
        prepared = self._prepared(embedding, masked=prompts.masks is not None)
        groups, done = without_padding(prompts), 0
        for _, group in groups:
            encoded = self._to_input(group, embedding.size)
            for start in range(0, len(group), self.chunk):
                chunk = {k: value[start : start + self.chunk] for k, value in encoded.items()}
                count = min(self.chunk, len(group) - start)
                if self.compiled:  # for few sizes
                    size = 1 << (count - 1).bit_length()
                    chunk = {k: filled_up(value, size) for k, value in chunk.items()}
                with arithmetics.arithmetic(self.device, self.precision):
                    sparse, dense = self.net.prompt_encoder(**chunk)
                    answer = self.net.mask_decoder(
                        prepared, sparse, dense, multimask=multimask, above=above
                    )
                part = slice(done, done := done + count)
                logits[part], iou[part] = (each[:count] for each in answer)
        if len(groups) > 1:
            order = upload(in_batch(groups), self.device)
            logits, iou = logits[order], iou[order]
        resize = upsampling(embedding.input_size, embedding.size, MASK_SIDE)
        return Masks(logits, iou, embedding.size, resize)

    def _prepared(self, embedding: SamEmbedding, *, masked: bool) -> PreparedImage:
        """The embedded image as the decoder wants it."""
        if masked not in embedding.prepared:
            no_mask = None if masked else self.net.prompt_encoder.no_mask()
            with arithmetics.arithmetic(self.device, self.precision):
                embedding.prepared[masked] = self.net.mask_decoder.prepare(
                    embedding.features, self.positions, no_mask
                )
        return embedding.prepared[masked]

    def _to_input(self, prompts: Prompts, size: tuple[int, int]) -> dict[str, Tensor]:
        """Prompts in pixels of the network's input, as tensors by kind."""
        wide = arithmetics.widest(self.device)

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
        return {kind: upload(value, self.device) for kind, value in parts.items()}


def filled_up(rows: Tensor, count: int) -> Tensor:
    """(n, ...) -> (count, ...), the last of n rows repeated."""
    return torch.cat([rows, rows[-1:].expand(count - len(rows), *rows.shape[1:])])
