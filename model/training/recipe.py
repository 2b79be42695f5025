"""Every choice of training that moves a number, with the paper's values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.options import Range, check_fields

OF_THE_ENCODER = ("layer_decay", "drop_path")
"""Choices that change nothing unless the image encoder learns."""


@dataclass(frozen=True)
class Recipe:
    """How to train; the values are Segment Anything's (appendix A, ViT-H) unless said otherwise.

    Attributes:
        steps: optimizer steps; the paper takes 90,000.
        batch: images of a step, over all processes; the paper takes 256.
        masks: objects of an image at most.
        clicks: corrections after the first prompt: 8 make 11 rounds.
        lr: learning rate after the warm-up.
        warmup: steps in which the learning rate rises.
        weight_decay: of AdamW.
        layer_decay: each layer of the encoder, if it learns, does at this part of the rate of the
            next.
        drop_path: rate at the encoder's last block, if that learns.
        dropout: rate in the decoder.
        whole: train the encoder too, not only prompt encoder and decoder.
        every_iou: teach the predicted IoU of each of the three masks, not only of the one of
            lowest loss.
        bf16: compute in bfloat16 where autocast does; weights and losses are float32.
        seed: of all random draws.
    """

    steps: Annotated[int, Range(1)]
    batch: Annotated[int, Range(1, 10**6)] = 1
    masks: Annotated[int, Range(1)] = 64
    clicks: Annotated[int, Range(0)] = 8
    lr: Annotated[float, Range(above=0)] = 8e-4
    warmup: Annotated[int, Range(0)] = 250
    weight_decay: Annotated[float, Range(0)] = 0.1
    layer_decay: Annotated[float, Range(0, 1)] = 0.8
    drop_path: Annotated[float, Range(0, below=1)] = 0.4
    dropout: Annotated[float, Range(0, below=1)] = 0.1
    whole: bool = False
    every_iou: bool = False
    bf16: bool = False
    seed: Annotated[int, Range(0)] = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.warmup >= self.steps:
            raise UserError(
                f"a warm-up of {self.warmup} steps leaves nothing of {self.steps}; give more "
                "--steps or a shorter --warmup."
            )

    def to_json(self) -> JSON:
        """All of it that moves a weight, by name."""
        unused = () if self.whole else OF_THE_ENCODER
        return {name: value for name, value in asdict(self).items() if name not in unused}
