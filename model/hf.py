"""Models of Hugging Face's transformers library: hf:facebook/sam-vit-huge, or a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sambench.errors import UserError
from sambench.interfaces import ModelCard

from ._finetuned import put_into
from ._framed import SAM2_LOGITS, Framed, Inputs, digest, require
from ._frames import MEAN, STD, Frame, Padded, Stretched
from ._given import choose_device
from ._hub import EXTRA, card_name, read_network, read_part, stated_preprocessing

GEOMETRY = frozenset({"points", "boxes", "masks"})
HALF = (0.5, 0.5, 0.5)
TOKENS = {
    "return_tensors": "pt", "padding": "max_length", "truncation": True, "max_length": 32
}  # fmt: skip
"""Number of tokens of a phrase that SAM 3 reads."""
TEXT_BATCH = 8
"""Phrases answered together: SAM 3 gives 200 masks for each."""


class HuggingFace(Framed):
    """SAM, SAM-HQ, SAM 2 and 2.1, EdgeTAM and SAM 3 of transformers, recognised by their config.

    Images are prepared here as the models' authors do, with the mean, deviation and size that the
    checkpoint states, and not by transformers' processors, which need torchvision.

    Args:
        checkpoint: name on the Hub, or folder that `save_pretrained` wrote.
        device: cpu, cuda, cuda:1 and so on.
        precision: float32 is exact; tf32, bfloat16 and float16 are faster on a GPU and move masks.
        text: SAM 3 only: answer noun phrases, not points and boxes.
        revision: commit, tag or branch on the Hub.
        finetuned: a fine-tune of the checkpoint: a file with all or some of its tensors, which are
            laid over it by name, or the folder of a LoRA adapter, which is merged.

    Raises:
        UserError: transformers is not installed, or the checkpoint cannot be used.
    """

    requires = "pip install 'sambench[hf]'; a checkpoint of the Hub is downloaded at first use"

    def __init__(
        self,
        checkpoint: str,
        device: str = "cpu",
        precision: str = "float32",
        text: bool = False,
        revision: str = "main",
        finetuned: Path | None = None,
    ) -> None:
        transformers = require("transformers", EXTRA)
        self.device, self.precision = choose_device(device, precision), precision
        place = {"revision": revision}
        config = read_part(checkpoint, transformers.AutoConfig.from_pretrained, place)
        self.family = family_of(config.model_type, checkpoint, text=text)
        cls = getattr(transformers, self.family.cls)
        net = read_network(checkpoint, cls, place)
        tuned = put_into(net, finetuned) if finetuned else ""
        self.net = net.to(self.device)
        stated = stated_preprocessing(checkpoint, place)
        self.frame = self.family.frame(_input_side(self.net), stated)
        self.prompts, self.feedback_limit = self.family.prompts, self.family.feedback_limit
        self.chunk = 8 if self.tensor_device.type == "cpu" else 64
        self.tokenizer: Any = None
        if text:
            self.prompt_batch = TEXT_BATCH
            self.net.get_text_features = _once(self.net.get_text_features)
            self.tokenizer = read_part(
                checkpoint, transformers.AutoTokenizer.from_pretrained, place
            )
        own = [finetuned.resolve().stem] if finetuned else []
        self.card = ModelCard(
            name="_".join([card_name(checkpoint), *own, *(["text"] if text else [])]),
            weights_sha256=digest(self.net.state_dict()),
            preprocessing=f"{self.frame.words}; {self.family.cls} of transformers "
            f"{version('transformers')}{f'; {tuned}' if tuned else ''}",
            precision=precision,
            parameters=sum(parameter.numel() for parameter in self.net.parameters()),
            licence="as the checkpoint's",
            citation=self.family.citation,
            family=self.family.name,
        )

    def encode(self, pixels: Tensor) -> Any:
        """Network input (1, 3, side, side) float32 -> features of the image."""
        return self.family.encode(self.net, pixels)

    def decode(self, features: Any, inputs: Inputs, *, multimask: bool) -> tuple[Tensor, Tensor]:
        """Decode B prompts: low-resolution logits (B, C, h, w) and predicted IoU (B, C)."""
        if self.tokenizer is not None:
            return _decode_texts(self.net, self.tokenizer, features, inputs, multimask=multimask)
        expanded = self.family.expand(features, len(inputs))
        answer = self.net(**expanded, **_geometry(inputs), multimask_output=multimask)
        return answer.pred_masks[:, 0], answer.iou_scores[:, 0]


def _geometry(inputs: Inputs) -> dict[str, Tensor]:
    """Prompts as transformers names them: one prompt for each of B copies of the image."""
    points, labels, boxes = inputs.points, inputs.labels, inputs.boxes
    parts = {
        "input_points": None if points is None else points[:, None],
        "input_labels": None if labels is None else labels[:, None],
        "input_boxes": None if boxes is None else boxes[:, None],
        "input_masks": inputs.masks,
    }
    given = {name: part for name, part in parts.items() if part is not None}
    if points is None and boxes is None:  # a mask alone: a padding point, as SAM's encoder has it
        points, labels = inputs.as_points(pad=True)
        given |= {"input_points": points[:, None], "input_labels": labels[:, None]}
    return given


def _decode_texts(
    net: Any, tokenizer: Any, features: Any, inputs: Inputs, *, multimask: bool
) -> tuple[Tensor, Tensor]:
    """SAM 3's answer to noun phrases: all its queries with their scores, or the best one.

    A score is the probability of the query times that of the phrase's presence, as the authors'
    inference has it (SAM 3, section 3); their masks pass no suppression.
    """
    assert inputs.texts is not None
    logits, scores = [], []
    for text in inputs.texts:
        tokens = tokenizer([text], **TOKENS)
        ids, present = tokens["input_ids"].to(net.device), tokens["attention_mask"].to(net.device)
        answer = net(vision_embeds=features, input_ids=ids, attention_mask=present)
        score = answer.pred_logits.sigmoid() * answer.presence_logits.sigmoid()
        logits.append(answer.pred_masks)
        scores.append(score)
    masks, iou = torch.cat(logits), torch.cat(scores)
    if multimask:
        return masks, iou
    rows, best = torch.arange(len(iou), device=iou.device), iou.argmax(dim=1)
    return masks[rows, best][:, None], iou[rows, best][:, None]


def _once(encode: Callable[..., Any]) -> Callable[..., Any]:
    """SAM 3's encoding of phrases, each once: the same are asked of every image."""
    known: dict[tuple[int, ...], Any] = {}

    def remembered(input_ids: Tensor, attention_mask: Tensor, **options: Any) -> Any:
        key = tuple(input_ids.flatten().tolist())
        if key not in known:
            known[key] = encode(input_ids=input_ids, attention_mask=attention_mask, **options)
        return known[key]

    return remembered


@dataclass(frozen=True)
class Family:
    """What differs between the models of the library.

    Attributes:
        name: as the model card has it.
        cls: its class in transformers.
        citation: paper.
        encode: network, pixels -> features.
        expand: features, B -> the keyword arguments of B copies of the image.
        frame: side, stated preprocessing -> the frame.
        feedback_limit: see `Framed`.
        prompts: kinds of prompt it takes.
    """

    name: str
    cls: str
    citation: str
    encode: Callable[[Any, Tensor], Any]
    expand: Callable[[Any, int], dict[str, Any]]
    frame: Callable[[int, dict[str, Any]], Frame]
    feedback_limit: float = 0.0
    prompts: frozenset[str] = GEOMETRY


def _encode_one(net: Any, pixels: Tensor) -> list[list[Tensor]]:
    return [[net.get_image_embeddings(pixels)], []]


def _encode_hq(net: Any, pixels: Tensor) -> list[list[Tensor]]:
    embedding, early = net.get_image_embeddings(pixels)
    return [[embedding], list(early)]


def _encode_levels(net: Any, pixels: Tensor) -> list[Tensor]:
    return list(net.get_image_embeddings(pixels))


def _encode_vision(net: Any, pixels: Tensor) -> Any:
    return net.get_vision_features(pixels)


def _expand_one(features: list[list[Tensor]], count: int) -> dict[str, Any]:
    [embedding], early = features
    copies = {"image_embeddings": embedding.expand(count, -1, -1, -1)}
    return {**copies, "intermediate_embeddings": early} if early else copies


def _expand_levels(features: list[Tensor], count: int) -> dict[str, Any]:
    return {"image_embeddings": [level.expand(count, -1, -1, -1) for level in features]}


def _padded(side: int, stated: dict[str, Any]) -> Frame:
    for key, ours in (("image_mean", MEAN), ("image_std", STD)):
        theirs = stated.get(key) or ours
        if not np.allclose(theirs, ours, atol=1e-3):
            raise UserError(
                f"the checkpoint's preprocessor_config.json says {key} {theirs}, but SAM's images "
                f"are normalised by {', '.join(f'{value:.3f}' for value in ours)} here: mend the "
                "file, or give another checkpoint."
            )
    return Padded(side)


def _stretched(side: int, stated: dict[str, Any]) -> Frame:
    frame = Stretched(side)
    mean, std = stated.get("image_mean") or frame.mean, stated.get("image_std") or frame.std
    return Stretched(side, tuple(mean), tuple(std))


def _stretched_sam3(side: int, stated: dict[str, Any]) -> Frame:
    return _stretched(side, {"image_mean": HALF, "image_std": HALF, **stated})


_SAM3 = "Carion et al., SAM 3: Segment Anything with Concepts, 2025"
_SAM = Family(
    "SAM",
    "SamModel",
    "Kirillov et al., Segment Anything, ICCV 2023",
    _encode_one,
    _expand_one,
    _padded,
)
_SAM_HQ = Family(
    "SAM",
    "SamHQModel",
    "Ke et al., Segment Anything in High Quality, NeurIPS 2023",
    _encode_hq,
    _expand_one,
    _padded,
)
_SAM2 = Family(
    "SAM 2",
    "Sam2Model",
    "Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024",
    _encode_levels,
    _expand_levels,
    _stretched,
    SAM2_LOGITS,
)
_EDGETAM = Family(
    "SAM 2",
    "EdgeTamModel",
    "Zhou et al., EdgeTAM: On-Device Track Anything Model, CVPR 2025",
    _encode_levels,
    _expand_levels,
    _stretched,
    SAM2_LOGITS,
)
_SAM3_TRACKER = Family(
    "SAM 3",
    "Sam3TrackerModel",
    _SAM3,
    _encode_levels,
    _expand_levels,
    _stretched_sam3,
    SAM2_LOGITS,
)
_SAM3_TEXT = Family(
    "SAM 3",
    "Sam3Model",
    _SAM3,
    _encode_vision,
    _expand_levels,
    _stretched_sam3,
    prompts=frozenset({"texts"}),
)
FAMILIES = {
    "sam": _SAM,
    "sam_hq": _SAM_HQ,
    "sam2": _SAM2,
    "sam2_video": _SAM2,
    "edgetam": _EDGETAM,
    "edgetam_video": _EDGETAM,
    "sam3": _SAM3_TRACKER,
    "sam3_video": _SAM3_TRACKER,
    "sam3_tracker": _SAM3_TRACKER,
    "sam3_tracker_video": _SAM3_TRACKER,
}
TEXT = {"sam3", "sam3_video"}


def family_of(model_type: str, checkpoint: str, *, text: bool) -> Family:
    """How to handle a checkpoint whose config says model_type.

    Raises:
        UserError: no model of this kind is known here, or it takes no texts.
    """
    if model_type not in FAMILIES:
        raise UserError(
            f"{checkpoint} is a {model_type} model; hf takes {', '.join(sorted(FAMILIES))}."
        )
    if text and model_type not in TEXT:
        raise UserError(f"{checkpoint} is a {model_type} model, which takes no texts; drop text.")
    return _SAM3_TEXT if text else FAMILIES[model_type]


def _input_side(net: Any) -> int:
    """Side of the network's square input."""
    if hasattr(net, "prompt_encoder"):
        side = net.prompt_encoder.input_image_size
    else:
        side = net.config.vision_config.image_size
    return int(side)
