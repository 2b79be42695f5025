"""An exported encoder and decoder in onnxruntime: onnx:encoder=FILE,decoder=FILE."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import ModelCard
from sambench.options import Range

from ._framed import require
from ._onnx_contract import (
    Entry,
    as_declared,
    check_decoder,
    check_output,
    encoder_side,
    precision_of,
)
from ._pair import Named, Pair, Style
from .nn.precision import check
from .nn.state_file import ONNX, not_weights

log = logging.getLogger(__name__)
GPU = "CUDAExecutionProvider"
LOGITS = ("low_res_masks", "masks")
"""Names of the decoder's output that is wanted, the better first."""


class Onnx(Pair):
    """A SAM or SAM 2 as ONNX or ORT files, with the input names of Segment Anything's export.

    Args:
        encoder: image (1, 3, side, side), normalised, -> features.
        decoder: features and prompts -> masks and predicted IoU.
        name: as it is to stand in tables; the encoder's file name if empty.
        style: sam (padded frame), sam2 (stretched), or auto to tell from the decoder's inputs.
        device: cpu, or cuda, cuda:1 and so on with onnxruntime-gpu.
        threads: of onnxruntime; 0 leaves it to choose.

    Raises:
        UserError: onnxruntime is not installed, or the files are no such pair.
    """

    requires = "pip install 'sambench[onnx]'; the files of an export"
    neutral = frozenset({"device", "threads"})
    tensor_device = torch.device("cpu")
    """onnxruntime takes arrays from the host and gives them back there."""

    @classmethod
    def best_device(cls) -> str:
        """A GPU that PyTorch finds, if this onnxruntime can use one too, or cpu."""
        best = super().best_device()
        if best == "cpu" or GPU in require("onnxruntime", "onnx").get_available_providers():
            return best
        log.warning("this onnxruntime cannot use the GPU; onnxruntime-gpu could")
        return "cpu"

    def __init__(
        self,
        encoder: Path,
        decoder: Path,
        name: str = "",
        style: Style = "auto",
        device: str = "cpu",
        threads: Annotated[int, Range(0)] = 0,
    ) -> None:
        runtime = require("onnxruntime", "onnx")
        self.device = device
        self.encoder = _session(runtime, encoder, device, threads)
        self.decoder = _session(runtime, decoder, device, threads)
        side = encoder_side(self.encoder.get_inputs(), encoder)
        self.inputs = {entry.name: entry for entry in self.decoder.get_inputs()}
        self.settle(style, list(self.inputs), side)
        check_decoder(self.decoder.get_inputs(), self.encoder.get_outputs(), decoder)
        self.one_by_one = list(self.inputs["point_coords"].shape[:1]) == [1]
        """Segment Anything's own export answers one prompt a call."""
        self.outputs = _outputs(self.decoder.get_outputs(), decoder)
        both = (sha256(encoder) + sha256(decoder)).encode()
        self.card = ModelCard(
            name=name or encoder.name.partition(".")[0],
            weights_sha256=hashlib.sha256(both).hexdigest(),
            preprocessing=f"{self.frame.words}; onnxruntime {version(_package(runtime))}",
            precision=precision_of([*self.encoder.get_inputs(), *self.decoder.get_inputs()]),
            licence="as the files'",
            family="SAM" if self.pad else "SAM 2",
        )

    def run_encoder(self, pixels: Tensor) -> Named:
        """Network input (1, 3, side, side) float32 -> features by name."""
        [image] = self.encoder.get_inputs()
        names = [entry.name for entry in self.encoder.get_outputs()]
        values = self.encoder.run(names, {image.name: as_declared(image, pixels.numpy())})
        return {key: torch.from_numpy(value) for key, value in zip(names, values, strict=True)}

    def run_decoder(self, inputs: Named) -> tuple[Tensor, Tensor]:
        """Decoder inputs by name -> low-resolution logits (B, C, h, w) and predicted IoU (B, C)."""
        feed = {name: as_declared(self.inputs[name], t.numpy()) for name, t in inputs.items()}
        if not self.one_by_one:
            logits, iou = self.decoder.run(self.outputs, feed)
            return torch.from_numpy(logits), torch.from_numpy(iou)
        single = ("point_coords", "point_labels", "mask_input")
        answers = []
        for row in range(len(feed["point_coords"])):
            own = {name: feed[name][row : row + 1] for name in single if name in feed}
            answers.append(self.decoder.run(self.outputs, {**feed, **own}))
        return (
            torch.from_numpy(np.concatenate([logits for logits, _ in answers])),
            torch.from_numpy(np.concatenate([iou for _, iou in answers])),
        )


def _session(runtime: Any, path: Path, device: str, threads: int) -> Any:
    if not path.is_file():
        raise UserError(f"{path} does not exist; give an .onnx or .ort file.")
    words = not_weights(path)
    if words and words != ONNX:
        raise UserError(f"{path} is {words}.")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors; warnings about an export's unused parts help nobody
    provider, place = _provider(device)
    refusal = UserError(
        f"this onnxruntime cannot use {device}; give --device cpu, or install onnxruntime-gpu with "
        "the CUDA that it wants."
    )
    if provider not in runtime.get_available_providers():
        raise refusal
    try:
        session = runtime.InferenceSession(str(path), options, providers=[(provider, place)])
    except Exception as error:  # onnxruntime's errors share no base class
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"{path} cannot be loaded by onnxruntime ({lines[0]}); export it again."
        ) from error
    if provider not in session.get_providers():  # without its libraries it falls back to the CPU
        raise refusal
    return session


def _provider(device: str) -> tuple[str, dict[str, int]]:
    """Onnxruntime's name for a kind of device, and which one of them, counted from 0."""
    kind, _, index = device.partition(":")
    if device == "cpu":
        return "CPUExecutionProvider", {}
    if kind != "cuda" or not (index or "0").isdecimal():
        raise UserError(
            f"device {device!r} is unknown to onnxruntime; give --device cpu, cuda or cuda:1."
        )
    if torch.cuda.is_available():
        check(torch.device(device), "float32")
    return GPU, {"device_id": int(index or 0)}


def _outputs(entries: Sequence[Entry], path: Path) -> list[str]:
    """The decoder's outputs of logits and of predicted IoU."""
    by_name = {entry.name: entry for entry in entries}
    logits = next((name for name in LOGITS if name in by_name), None)
    iou = next((name for name in by_name if "iou" in name), None)
    if logits is None or iou is None:
        raise UserError(
            f"{path} gives {', '.join(by_name)}; a decoder gives low_res_masks or masks, and "
            "iou_predictions."
        )
    check_output(by_name[logits], 4, path)
    check_output(by_name[iou], 2, path)
    return [logits, iou]


def _package(runtime: Any) -> str:
    """Which distribution this onnxruntime is of: with or without GPU."""
    from importlib.metadata import packages_distributions

    return str(packages_distributions().get(runtime.__name__, [runtime.__name__])[0])
