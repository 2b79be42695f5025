"""Exported models: an encoder and a decoder, functions of named arrays, as SAM's ONNX export.

Decoders name their inputs as Segment Anything's export script does: the image's features, then
``point_coords``, ``point_labels`` (2 and 3 are the corners of a box), ``mask_input`` and
``has_mask_input``. Exports of SAM 2 add ``high_res_feats_0`` and ``high_res_feats_1``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from sambench.errors import UserError

from ._framed import SAM2_LOGITS, Framed, Inputs
from ._frames import Frame, Padded, Stretched

Style = Literal["auto", "sam", "sam2"]
Named = dict[str, Tensor]
MASK_SIDE = 256
PROMPTS = ("point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size")
TOKENS = 4
"""Masks of a decoder that gives all that SAM has: one for clear prompts and three for others."""


class Pair(Framed):
    """A model of two exported functions; subclasses say how to call them.

    Call `settle` once the functions are loaded.
    """

    def settle(self, style: Style, inputs: Sequence[str], side: int = 1024) -> None:
        """Choose the frame and the prompts by what the decoder wants.

        Args:
            style: sam, sam2, or auto to infer it from the decoder's inputs.
            inputs: names of the decoder's inputs.
            side: of the encoder's input.

        Raises:
            UserError: it is not a decoder of this kind.
        """
        lacking = {"point_coords", "point_labels"} - set(inputs)
        if lacking:
            raise UserError(
                f"the decoder has no input {' and '.join(sorted(lacking))}, it has "
                f"{', '.join(inputs)}; give one exported as Segment Anything's."
            )
        sam2 = any("high_res" in name for name in inputs) if style == "auto" else style == "sam2"
        self.wants = tuple(inputs)
        self.pad = not sam2
        """SAM 2's exports add the padding point themselves."""
        self.feedback_limit = SAM2_LOGITS if sam2 else 0.0
        frame: Frame = Stretched(side) if sam2 else Padded(side)
        self.frame = frame
        kinds = {"points", "boxes", *(["masks"] if "mask_input" in inputs else [])}
        self.prompts = frozenset(kinds)

    @abstractmethod
    def run_encoder(self, pixels: Tensor) -> Named:
        """(1, 3, side, side) -> the features by name."""

    @abstractmethod
    def run_decoder(self, inputs: Named) -> tuple[Tensor, Tensor]:
        """The decoder's named inputs -> low-resolution logits (B, C, h, w) and IoU (B, C)."""

    def encode(self, pixels: Tensor) -> Named:
        """Network input (1, 3, side, side) float32 -> features of the image."""
        return self.run_encoder(pixels)

    def decode(self, features: Named, inputs: Inputs, *, multimask: bool) -> tuple[Tensor, Tensor]:
        """Decode B prompts: low-resolution logits (B, C, h, w) and predicted IoU (B, C)."""
        points, labels = inputs.as_points(pad=self.pad)
        empty = torch.zeros(len(inputs), 1, MASK_SIDE, MASK_SIDE, device=points.device)
        named = {
            "point_coords": points,
            "point_labels": labels.float(),
            "mask_input": empty if inputs.masks is None else inputs.masks,
            "has_mask_input": torch.full(
                (1,), float(inputs.masks is not None), device=points.device
            ),
            "orig_im_size": torch.full((2,), float(MASK_SIDE), device=points.device),
        }
        wanted = {name: tensor for name, tensor in named.items() if name in self.wants}
        logits, iou = self.run_decoder({**self._features(features), **wanted})
        if logits.ndim != 4 or iou.shape != logits.shape[:2] or len(iou) != len(inputs):
            raise UserError(
                f"the decoder answered {len(inputs)} prompts with masks {tuple(logits.shape)} and "
                f"predicted IoU {tuple(iou.shape)}; it must give (B, C, h, w) and (B, C)."
            )
        return choose(logits, iou, multimask)

    def _features(self, features: Named) -> Named:
        """Features under the decoder's names: equal names, or the only one there is."""
        names = [name for name in self.wants if name not in PROMPTS]
        if set(names) <= set(features):
            return {name: features[name] for name in names}
        if len(names) == len(features) == 1:
            return {names[0]: next(iter(features.values()))}
        raise UserError(
            f"the encoder gives {', '.join(features)}, the decoder wants {', '.join(names)}; give "
            "a pair that belongs together."
        )


def choose(logits: Tensor, iou: Tensor, multimask: bool) -> tuple[Tensor, Tensor]:
    """Candidates as asked for, from what an exported decoder happens to give.

    Of SAM's four masks the first is the single one and the others the candidates. Of three there is
    no single one: the most confident stands in, as SAM 2's predictor does for unstable masks.
    """
    if logits.shape[1] == TOKENS:
        wanted = slice(1, None) if multimask else slice(0, 1)
        return logits[:, wanted], iou[:, wanted]
    if multimask or logits.shape[1] == 1:
        return logits, iou
    rows, best = torch.arange(len(iou), device=iou.device), iou.argmax(dim=1)
    return logits[rows, best][:, None], iou[rows, best][:, None]
