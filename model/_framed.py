"""What the adapters of other packages share: an image brought into a square frame, and back.

A network of the SAM family sees a square image; prompts and masks are in its pixels. A `Frame` is
how an image gets there: `Padded` as in SAM, `Stretched` as in SAM 2. A `Framed` model needs only an
encoder and a decoder that work in the frame.
"""

from __future__ import annotations

import hashlib
import importlib
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sambench.errors import UserError
from sambench.interfaces import Masks, Model, Prompts

from ._frames import Frame
from ._given import check_image, check_prompts, without_padding
from .nn import precision as arithmetics
from .nn.state_file import difference, matched, read_state

SAM2_LOGITS = 32.0
"""SAM 2's predictor gives logits back within plus or minus this."""


@dataclass(frozen=True)
class Inputs:
    """B prompts in pixels of the frame.

    Attributes:
        points: (B, N, 2) float32.
        labels: (B, N) int64: 1 foreground, 0 background, -1 padding.
        boxes: (B, 4) float32.
        masks: (B, 1, h, w) float32 logits.
        texts: B noun phrases.
    """

    points: Tensor | None = None
    labels: Tensor | None = None
    boxes: Tensor | None = None
    masks: Tensor | None = None
    texts: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(next(part for part in self._parts() if part is not None))

    def _parts(self) -> list[Any]:
        return [getattr(self, field.name) for field in fields(self)]

    def cut(self, start: int, stop: int) -> Inputs:
        """A slice of the batch."""
        return Inputs(*(None if part is None else part[start:stop] for part in self._parts()))

    def as_points(self, *, pad: bool) -> tuple[Tensor, Tensor]:
        """Points and box corners in one list, as exported decoders want them.

        Args:
            pad: end with a padding point where there is no box, as SAM's own prompt encoder does.
                Where there is nothing but a mask, it stands in for the points, as in SAM 2 (Ravi et
                al., 2024; `_forward_sam_heads` of its code): decoders take at least one.

        Returns:
            Points (B, N, 2) and labels (B, N): 2 and 3 are the corners of a box.
        """
        points = [] if self.points is None else [self.points]
        labels = [] if self.labels is None else [self.labels]
        if self.boxes is not None:
            points.append(self.boxes.reshape(-1, 2, 2))
            labels.append(torch.tensor([[2, 3]]).to(self.boxes.device).expand(len(self), 2))
        elif pad or not any(part.shape[1] for part in points):
            like = self.masks if self.points is None else self.points
            assert like is not None
            points.append(like.new_zeros(len(self), 1, 2))
            labels.append(like.new_full((len(self), 1), -1, dtype=torch.int64))
        return torch.cat(points, dim=1), torch.cat(labels, dim=1)


def decode_as_sam(
    net: Any, features: Any, inputs: Inputs, *, multimask: bool, **more: Any
) -> tuple[Tensor, Tensor]:
    """Decode prompts by the modules of a network built as the reference implementation of SAM.

    Args:
        net: has a ``prompt_encoder`` and a ``mask_decoder``.
        features: of the image, for the decoder.
        inputs: B prompts.
        multimask: ask for several masks.
        more: further arguments of the decoder.

    Returns:
        Low-resolution logits (B, C, h, w) and predicted IoU (B, C).
    """
    points = None if inputs.points is None else (inputs.points, inputs.labels)
    sparse, dense = net.prompt_encoder(points, inputs.boxes, inputs.masks)
    logits, iou = net.mask_decoder(
        image_embeddings=features,
        image_pe=net.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=multimask,
        **more,
    )
    return logits, iou


@dataclass(frozen=True)
class Embedded:
    """An embedded image: what the encoder gave, and the size (H, W) of the image."""

    features: Any
    size: tuple[int, int]


class Framed(Model):
    """A model of an encoder and a decoder that work in a frame; subclasses bring the two.

    Subclasses set `card`, `frame` and, where they differ, the attributes below.
    """

    frame: Frame
    precision: str = "float32"
    chunk: int = 8
    """Prompts decoded together: bounds memory."""
    feedback_limit: float = 0.0
    """Logits given back as a prompt are clamped to plus or minus this; 0 leaves them."""

    @property
    def tensor_device(self) -> torch.device:
        """Where the tensors lie that `encode` and `decode` take: on the device, by default."""
        return torch.device(self.device)

    @abstractmethod
    def encode(self, pixels: Tensor) -> Any:
        """(1, 3, side, side) float32 -> features of the image."""

    @abstractmethod
    def decode(self, features: Any, inputs: Inputs, *, multimask: bool) -> tuple[Tensor, Tensor]:
        """Answer B prompts: logits (B, C, h, w) and predicted IoU (B, C)."""

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[Embedded]:
        """Embed images, each (H, W, 3) uint8 RGB of any size.

        Raises:
            UserError: something else than such an image.
        """
        return [self._embed(image) for image in images]

    def _embed(self, image: NDArray[np.uint8]) -> Embedded:
        check_image(image)
        with arithmetics.arithmetic(self.tensor_device, self.precision):
            features = self.encode(self.frame.pixels(image)[None].to(self.tensor_device))
        return Embedded(features, (image.shape[0], image.shape[1]))

    def predict(self, embedding: Embedded, prompts: Prompts, *, multimask: bool) -> Masks:
        """Decode B prompts, `chunk` at a time, on one embedded image.

        Raises:
            UserError: a prompt of a kind that this model does not take, or of the wrong shape.
        """
        check_prompts(self, prompts)
        groups, answers = without_padding(prompts), []
        for _, group in groups:
            inputs = self._inputs(group, embedding.size)
            for start in range(0, len(inputs), self.chunk):
                part = inputs.cut(start, start + self.chunk)
                with arithmetics.arithmetic(self.tensor_device, self.precision):
                    answers.append(self.decode(embedding.features, part, multimask=multimask))
        order = in_batch(groups).to(self.tensor_device)
        logits = torch.cat([logits.float() for logits, _ in answers])[order]
        iou = torch.cat([iou.float() for _, iou in answers])[order]
        low = logits.shape[2], logits.shape[3]
        resize = self.frame.resize(low, embedding.size)
        return Masks(logits, iou, embedding.size, resize)

    def _inputs(self, prompts: Prompts, size: tuple[int, int]) -> Inputs:
        def framed(points: Any) -> Tensor:
            scaled = self.frame.points(np.asarray(points, np.float64), size)
            return torch.tensor(scaled, dtype=torch.float32, device=self.tensor_device)

        points = boxes = labels = masks = None
        if prompts.points is not None:
            points = framed(prompts.points)
            labels = torch.as_tensor(prompts.labels, dtype=torch.int64, device=self.tensor_device)
        if prompts.boxes is not None:
            boxes = framed(np.reshape(prompts.boxes, (-1, 2, 2))).reshape(-1, 4)
        if prompts.masks is not None:
            masks = torch.as_tensor(prompts.masks, dtype=torch.float32, device=self.tensor_device)
            masks = masks.clamp(-limit, limit) if (limit := self.feedback_limit) else masks
        return Inputs(points, labels, boxes, masks, prompts.texts)


def in_batch(groups: list[tuple[NDArray[np.intp], Prompts]]) -> Tensor:
    """(B,) int64: takes answers in the order of the groups, gives them in that of the batch."""
    return torch.from_numpy(np.argsort(np.concatenate([rows for rows, _ in groups])))


def require(package: str, extra: str = "") -> Any:
    """Import another package that an adapter needs.

    Args:
        package: its import name.
        extra: the extra of sambench that installs it, or "" if it is to be installed by itself.

    Raises:
        UserError: it is not installed, or cannot be imported; names the remedy.
    """
    remedy = f"pip install 'sambench[{extra}]'" if extra else "install it"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a package warns of at import is not ours
            return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise UserError(
            f"this model needs the package {error.name}, which is not installed: {remedy}."
        ) from None
    except Exception as error:  # another package's code may raise anything
        raise UserError(
            f"the package {package} cannot be imported ({type(error).__name__}: {error}); "
            "reinstall it."
        ) from error


def fill(net: Any, checkpoint: Path) -> Any:
    """Load a checkpoint into another package's network, all of it and nothing else; runs no code.

    What a file holds of buffers that the network itself does not save must be as they are.

    Raises:
        UserError: there is no such file, or it is of another network.
    """
    if not checkpoint.is_file():
        raise UserError(f"checkpoint {checkpoint} does not exist; give a file of weights.")
    want, fixed = net.state_dict(), dict(net.named_buffers())
    have = matched(read_state(checkpoint), want)
    for name in have.keys() & fixed.keys() - want.keys():
        if torch.equal(have[name].float().cpu(), fixed[name].float().cpu()):
            del have[name]
    wrong = difference(want, have)
    if wrong:
        raise UserError(
            f"{checkpoint} does not fit this architecture: {wrong}; give another arch or model."
        )
    net.load_state_dict(have, strict=True)
    return net.eval().requires_grad_(requires_grad=False)


def digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes, types and contents of tensors, in the order of the names."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
