"""Every choice of training that moves a number, with the paper's values."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sambench.errors import UserError
from sambench.interfaces import JSON

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

    steps: int
    batch: int = 1
    masks: int = 64
    clicks: int = 8
    lr: float = 8e-4
    warmup: int = 250
    weight_decay: float = 0.1
    layer_decay: float = 0.8
    drop_path: float = 0.4
    dropout: float = 0.1
    whole: bool = False
    every_iou: bool = False
    bf16: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"steps": 1, "batch": 1, "masks": 1, "clicks": 0, "warmup": 0, "seed": 0}
        for name, value in asdict(self).items():
            if name in least and value < least[name]:
                raise UserError(f"--{name} {value} is too small; give {least[name]} or more.")
        for name in ("drop_path", "dropout"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise UserError(f"--{name.replace('_', '-')} {value} is not from 0 to below 1.")
        if not 0 <= self.layer_decay <= 1:
            raise UserError(f"--layer-decay {self.layer_decay} is not from 0 to 1.")
        if not 0 < self.lr < float("inf"):
            raise UserError(f"--lr {self.lr} is not a learning rate; give one such as 8e-4.")
        if not 0 <= self.weight_decay < float("inf"):
            raise UserError(
                f"--weight-decay {self.weight_decay} is not a decay; give one such as 0.1, or 0."
            )
        if self.warmup >= self.steps:
            raise UserError(
                f"a warm-up of {self.warmup} steps leaves nothing of {self.steps}; give more "
                "--steps or a shorter --warmup."
            )

    def to_json(self) -> JSON:
        """All of it that moves a weight, by name."""
        unused = () if self.whole else OF_THE_ENCODER
        return {name: value for name, value in asdict(self).items() if name not in unused}
