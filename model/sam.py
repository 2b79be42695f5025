"""Segment Anything (Kirillov et al., 2023) from any checkpoint of its architectures.

What a model is, is known without PyTorch where the content of its checkpoint is; it computes in
`nn.answering`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import Masks, Model, ModelCard, Prompts

from ._given import check_image, check_prompts, choose_device
from .nn.known import PARAMETERS, known_architecture, locate, require_content

if TYPE_CHECKING:
    from torch import Tensor

    from .nn.mask_decoder import PreparedImage
    from .nn.sam import SamNet

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
        self.compiled = compiled
        self._file = locate(checkpoint)
        digest = require_content(self._file, sha256)
        known = known_architecture(digest)
        self.arch = arch
        if known is None or arch not in ("auto", known):
            self.net = self._load()
        else:
            self.arch = known
        large = self.device != "cpu"
        self.concurrent = not large
        # Small chunks stay in a processor's cache; a GPU wants large ones.
        self.chunk, self.image_batch, self.prompt_batch = (128, 8, 256) if large else (2, 1, 64)
        self.card = ModelCard(
            name=self.name,
            weights_sha256=digest,
            preprocessing=PREPROCESSING,
            precision=f"{precision}, compiled" if compiled else precision,
            parameters=PARAMETERS[self.arch],
            licence=self.licence,
            citation=self.citation,
            family="SAM",
        )

    @cached_property
    def net(self) -> SamNet:
        """The network, loaded when it is first needed if the content of its file is known."""
        return self._load()

    def _load(self) -> SamNet:
        from .nn import answering
        from .nn.checkpoint import load_file

        net, self.arch = load_file(self._file, self.arch)
        return answering.made_ready(net, self.device, self.precision, compiled=self.compiled)

    @cached_property
    def positions(self) -> Tensor:
        """(4096, 256) where each feature of an image lies, as the decoder wants it."""
        return self.net.prompt_encoder.dense_positions()

    def ready(self) -> None:
        """Load the network, if that was put off."""
        _ = self.positions

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.uint8] | ResizedImage:
        """For a GPU, the image resized and where a GPU can fetch it from.

        Raises:
            UserError: something else than an image.
        """
        check_image(image)
        if self.device == "cpu":
            return image
        from .nn import answering

        return answering.resize(image, self.device)

    def embed(self, images: Sequence[NDArray[np.uint8] | ResizedImage]) -> list[SamEmbedding]:
        """Embed images, each (H, W, 3) uint8 RGB of any size, or what `prepare` made of it.

        Raises:
            UserError: something else than such an image.
        """
        from .nn import answering

        for image in images:
            if not isinstance(image, ResizedImage):
                check_image(image)
        embeddings: list[SamEmbedding] = []
        for start in range(0, len(images), self.image_batch):
            embeddings += answering.embed(self, images[start : start + self.image_batch])
        return embeddings

    def pack(self, embedding: SamEmbedding) -> dict[str, Tensor]:
        """The features, and both sizes, as tensors."""
        import torch

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
        above = pred_iou_thresh if self.device == "cpu" and not self.compiled else None
        return self._predict(embedding, prompts, multimask, above)

    def _predict(
        self, embedding: SamEmbedding, prompts: Prompts, multimask: bool, above: float | None
    ) -> Masks:
        from .nn import answering

        check_prompts(self, prompts)
        return answering.answer(self, embedding, prompts, multimask=multimask, above=above)
