"""An exported encoder and decoder in TorchScript: torchscript:encoder=FILE,decoder=FILE."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor

from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import ModelCard
from sambench.options import Range

from ._given import choose_device
from ._pair import Named, Pair, Style
from .nn.state_file import check_finite, not_weights


class TorchScript(Pair):
    """A SAM or SAM 2 as TorchScript files; parameters are named as Segment Anything's export.

    A TorchScript file is a program of its own language: run only those that you trust.

    Args:
        encoder: image (1, 3, side, side), normalised, -> features: a tensor, or tensors by name.
        decoder: features and prompts -> low-resolution logits (B, C, h, w) and IoU (B, C). Its
            parameters are the features' names, point_coords, point_labels, and if it takes masks
            mask_input and has_mask_input.
        name: as it is to stand in tables; the encoder's file name if empty.
        style: sam (padded frame), sam2 (stretched), or auto, by the decoder's parameters.
        side: of the encoder's input.
        device: cpu, cuda, cuda:1 and so on.
        precision: float32 is exact; tf32, bfloat16 and float16 are faster on a GPU and move masks.

    Raises:
        UserError: the files are no such pair.
    """

    requires = "the files of an export"

    def __init__(
        self,
        encoder: Path,
        decoder: Path,
        name: str = "",
        style: Style = "auto",
        side: Annotated[int, Range(1)] = 1024,
        device: str = "cpu",
        precision: str = "float32",
    ) -> None:
        self.device, self.precision = choose_device(device, precision), precision
        self.encoder = _load(encoder, self.device)
        self.decoder = _load(decoder, self.device)
        images = [argument.name for argument in self.encoder.forward.schema.arguments[1:]]
        if len(images) != 1:
            raise UserError(
                f"{encoder} takes {', '.join(images) or 'nothing'}; an encoder takes one image "
                "(1, 3, side, side), normalised."
            )
        inputs = [argument.name for argument in self.decoder.forward.schema.arguments[1:]]
        self.settle(style, inputs, side)
        both = (sha256(encoder) + sha256(decoder)).encode()
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.card = ModelCard(
            name=name or encoder.name.partition(".")[0],
            weights_sha256=hashlib.sha256(both).hexdigest(),
            preprocessing=f"{self.frame.words}; TorchScript",
            precision=precision,
            parameters=sum(parameter.numel() for parameter in parameters),
            licence="as the files'",
            family="SAM" if self.pad else "SAM 2",
        )

    def run_encoder(self, pixels: Tensor) -> Named:
        """Network input (1, 3, side, side) float32 -> features by name."""
        features = self.encoder(pixels.to(_float_type(self.encoder)))
        return dict(features) if isinstance(features, dict) else {"image_embeddings": features}

    def run_decoder(self, inputs: Named) -> tuple[Tensor, Tensor]:
        """Decoder inputs by name -> low-resolution logits (B, C, h, w) and predicted IoU (B, C)."""
        kind = _float_type(self.decoder)
        given = [inputs[name].to(kind) for name in self.wants]  # all of them are floats
        answer = self.decoder(*given)
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise UserError(
                f"the decoder gives a {type(answer).__name__}; it must give two tensors, the "
                "low-resolution logits (B, C, h, w) and the predicted IoU (B, C)."
            )
        logits, iou = answer
        return logits, iou


def _float_type(module: Any) -> torch.dtype:
    """The type that a module computes in: that of its parameters."""
    kinds = (p.dtype for p in module.parameters() if p.is_floating_point())
    return next(kinds, torch.float32)


def _load(path: Path, device: str) -> Any:
    if not path.is_file():
        raise UserError(f"{path} does not exist; give a TorchScript file.")
    words = not_weights(path)
    if words:
        raise UserError(f"{path} is {words}.")
    try:
        with warnings.catch_warnings():
            # The class of this warning differs between versions of PyTorch.
            warnings.filterwarnings("ignore", "`torch.jit.load` is deprecated")
            module = torch.jit.load(path, map_location=device).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"{path} cannot be loaded as TorchScript ({lines[0]}); save it with torch.jit.save."
        ) from error
    check_finite(module.state_dict(), str(path))
    return module
