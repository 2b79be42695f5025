"""SAM 2 and 2.1 (Ravi et al., 2024) as the package sam2 computes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import ModelCard

from ._finetuned import put_into
from ._framed import SAM2_LOGITS, Framed, Inputs, digest, fill, require
from ._frames import Stretched
from ._given import choose_device


def built(builder: str, checkpoint: Path, config: str, **options: Any) -> Any:
    """A network of the package on the CPU, with the weights of a checkpoint.

    Args:
        builder: name of the package's function that makes it.
        checkpoint: a .pt file.
        config: of the package.
        options: for the builder.

    Raises:
        UserError: the package is not installed, or the checkpoint or config cannot be used.
    """
    build = getattr(require("sam2.build_sam", "sam2"), builder)
    if not checkpoint.is_file():
        raise UserError(f"checkpoint {checkpoint} does not exist; give a .pt file.")
    try:
        net = build(config, None, device="cpu", **options)
    except Exception as error:  # Hydra and the package raise a dozen kinds
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"{config} is not a SAM 2 ({lines[0]}); give the config that belongs to {checkpoint}."
        ) from error
    return fill(net, checkpoint)


class Sam2(Framed):
    """The authors' own package; its image predictor, without clean-up of small regions.

    Args:
        checkpoint: a .pt file, such as sam2.1_hiera_tiny.pt.
        config: of the package, such as configs/sam2.1/sam2.1_hiera_t.yaml.
        device: cpu, cuda, cuda:1 and so on.
        precision: float32 is exact; tf32, bfloat16 and float16 are faster on a GPU and move masks.
        finetuned: a fine-tune of the checkpoint: a file with all or some of its tensors, which are
            laid over it by name, or the folder of a LoRA adapter, which is merged.

    Raises:
        UserError: the package is not installed, or the checkpoint or config cannot be used.
    """

    requires = "pip install 'sambench[sam2]'; a checkpoint of its authors"
    feedback_limit = SAM2_LOGITS

    def __init__(
        self,
        checkpoint: Path,
        config: str = "configs/sam2.1/sam2.1_hiera_l.yaml",
        device: str = "cpu",
        precision: str = "float32",
        finetuned: Path | None = None,
    ) -> None:
        self.device, self.precision = choose_device(device, precision), precision
        net = built("build_sam2", checkpoint, config)
        tuned = put_into(net, finetuned) if finetuned else ""
        self.net = net.to(self.device)
        side = self.net.image_size
        self.frame = Stretched(side)
        self.levels = [(side // stride, side // stride) for stride in (4, 8, 16)]
        self.card = ModelCard(
            name="_".join([Path(config).stem, *([finetuned.resolve().stem] if finetuned else [])]),
            weights_sha256=digest(net.state_dict()) if finetuned else sha256(checkpoint),
            preprocessing="; ".join([self.frame.words, *([tuned] if tuned else [])]),
            precision=precision,
            parameters=sum(parameter.numel() for parameter in self.net.parameters()),
            licence="Apache-2.0",
            citation="Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024",
            family="SAM 2",
        )

    def encode(self, pixels: Tensor) -> list[Tensor]:
        """Network input (1, 3, side, side) float32 -> features of the image."""
        found = self.net.forward_image(pixels)
        _, levels, _, _ = self.net._prepare_backbone_features(found)
        if self.net.directly_add_no_mem_embed:
            levels[-1] = levels[-1] + self.net.no_mem_embed
        return [
            level.permute(1, 2, 0).reshape(1, -1, *size)
            for level, size in zip(levels, self.levels, strict=True)
        ]

    def decode(
        self, features: list[Tensor], inputs: Inputs, *, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        """Decode B prompts: low-resolution logits (B, C, h, w) and predicted IoU (B, C)."""
        sparse, dense = self.net.sam_prompt_encoder(
            points=self._points(inputs), boxes=None, masks=inputs.masks
        )
        logits, iou, _, _ = self.net.sam_mask_decoder(
            image_embeddings=features[-1],
            image_pe=self.net.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            repeat_image=True,
            high_res_features=features[:-1],
        )
        return logits, iou

    def _points(self, inputs: Inputs) -> tuple[Tensor, Tensor] | None:
        """Points and box corners; the encoder itself adds a padding point."""
        if inputs.points is None and inputs.boxes is None:
            return None
        points, labels = inputs.as_points(pad=False)
        return points, labels.to(torch.int32)
