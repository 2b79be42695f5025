"""Export a SAM of this package to ONNX: two files for the model onnx.

python benchmarks/export_onnx.py --model sam:checkpoint=weights.safetensors --output DIR

The decoder has the inputs of Segment Anything's export script: one prompt a call, of any number of
points. It gives low-resolution logits only, so that upsampling them stays with the caller.
Needs the packages onnx and onnxscript.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sambench.registry import load

MOST_POINTS = 11
"""More take another branch of the network, which computes the same."""


class Decoder(nn.Module):
    """Prompt encoder and mask decoder as one function of tensors."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.prompts, self.decoder = net.prompt_encoder, net.mask_decoder
        self.register_buffer("positions", net.prompt_encoder.dense_positions())
        self.positions: Tensor

    def forward(
        self,
        image_embeddings: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """All four masks of a prompt: logits (1, 4, 256, 256) and predicted IoU (1, 4).

        Args:
            image_embeddings: (1, 256, 64, 64).
            point_coords: (1, N, 2) in pixels of the 1024 x 1024 frame.
            point_labels: (1, N); -1 is padding, 2 and 3 are the corners of a box.
            mask_input: (1, 1, 256, 256) logits.
            has_mask_input: (1,) whether they count.
        """
        sparse = self._sparse(point_coords, point_labels)
        embedded = self.prompts.mask_downscaling(mask_input).flatten(2).transpose(1, 2)
        dense = has_mask_input * embedded + (1 - has_mask_input) * self.prompts.no_mask()
        prepared = self.decoder.prepare(image_embeddings, self.positions, None)
        several, several_iou = self.decoder(prepared, sparse, dense, multimask=True)
        single, single_iou = self.decoder(prepared, sparse, dense, multimask=False)
        return torch.cat([single, several], dim=1), torch.cat([single_iou, several_iou], dim=1)

    def _sparse(self, points: Tensor, labels: Tensor) -> Tensor:
        """Tokens (1, N, C) of points and of box corners."""
        place = self.prompts.encode(points)
        padding = (labels == -1)[..., None]
        place = torch.where(padding, self.prompts.not_a_point_embed.weight, place)
        for label, kind in enumerate(self.prompts.kinds()):
            place = torch.where((labels == label)[..., None], place + kind, place)
        return place


def export(net: Any, folder: Path, *, encoder: bool = True) -> tuple[Path, Path]:
    """Write encoder.onnx and decoder.onnx.

    Args:
        net: in evaluation mode.
        folder: made if missing.
        encoder: also write the encoder; the decoder alone is quick.

    Returns:
        The two files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "encoder.onnx", folder / "decoder.onnx"
    # Not under no_grad: there the network takes operators of oneDNN, which ONNX does not know.
    if encoder:
        _write(net.image_encoder, (torch.zeros(1, 3, 1024, 1024),), paths[0], ["image"],
               ["image_embeddings"], None)  # fmt: skip
    points = torch.export.Dim("points", max=MOST_POINTS)  # in the file the number is free
    example = (
        torch.randn(1, 256, 64, 64),
        torch.rand(1, 5, 2) * 1024,
        torch.ones(1, 5),
        torch.zeros(1, 1, 256, 256),
        torch.zeros(1),
    )
    names = ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input"]
    shapes: Any = ({}, {1: points}, {1: points}, {}, {})
    outputs = ["low_res_masks", "iou_predictions"]
    _write(Decoder(net).eval(), example, paths[1], names, outputs, shapes)
    return paths


def _write(
    net: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    inputs: list[str],
    outputs: list[str],
    shapes: Any,
) -> None:
    torch.onnx.export(
        net, example, path, dynamo=True, input_names=inputs, output_names=outputs,
        dynamic_shapes=shapes, external_data=False, verbose=False,
    )  # fmt: skip


def main() -> None:
    """Export one checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="minisam", help="a SAM of this package")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    for path in export(load("model", arguments.model).net, arguments.output):
        print(f"{path}: {path.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
