"""Texts as the first prompt: the loop of `Trainer`, in which a projection learns.

Kirillov et al., "Segment Anything", 2023, appendix D.5; points that correct the answer follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from sambench.errors import UserError
from sambench.interfaces import JSON

from .._texts import TextEncoder
from ..nn.text_projection import TextProjection
from .interaction import Prompted, decode, no_points
from .optimizer import trainable
from .regularization import dropout
from .text_recipe import TextRecipe
from .texts import source_of
from .trainer import DECODER, ENCODER, OBJECTS, USERS, Trainer

INITIAL = 5
"""Purpose of a random generator, as those of `Trainer`: the projection's first weights."""


@dataclass
class TextTrainer(Trainer):
    """Trains the projection of texts to tokens, and the decoder if it is to learn, too.

    Attributes:
        texts: how texts are taught.
    """

    texts: TextRecipe = field(default_factory=TextRecipe)

    def _learning(self) -> dict[str, nn.Parameter]:
        recipe = self.recipe
        if recipe.whole:
            raise UserError("--text teaches no image encoder; leave --whole out.")
        device, net = self.model.device, self.model.net
        self._encoder = TextEncoder(self.texts.text, device)
        self._source = source_of(self.texts, self.dataset, self._encoder)
        with torch.random.fork_rng([]):
            seed = np.random.default_rng([recipe.seed, INITIAL])
            torch.manual_seed(int(seed.integers(2**62)))
            channels = len(net.prompt_encoder.no_mask())
            self.projection = TextProjection(self._encoder.width, channels).to(device)
        learning = {f"projection.{n}": p for n, p in self.projection.named_parameters()}
        if self.texts.text_learns == "decoder":
            learning |= trainable(net, whole=False)
        return learning

    def __post_init__(self) -> None:
        super().__post_init__()
        self._interaction = replace(self._interaction, projection=self.projection)

    def plan(self) -> JSON:
        """That of `Trainer`, and how texts are taught."""
        said = {**self.texts.to_json(), "encoder": self._encoder.sha256}
        return {**super().plan(), **said}

    def _weights(self) -> dict[str, Tensor]:
        """What has learnt."""
        return dict(self.parameters)

    def _note(self) -> JSON:
        """What `sam_text` needs to know."""
        phrases = self.texts.text_source == "phrases"
        text = {
            "encoder": self.texts.text,
            "encoder_sha256": self._encoder.sha256,
            "weights": self.model.card.weights_sha256,
            "template": self.texts.text_template if phrases else "{}",
            "source": self.texts.text_source,
            "dataset": self.dataset.card.name,
            "steps": self.step,
            "seed": self.recipe.seed,
        }
        return {"text": text}

    def _image(self, place: int, sums: dict[str, float]) -> None:
        """Add the gradient of one image: of what it shows, and of what it does not."""
        recipe, id = self.recipe, self.id_at(place)
        random = np.random.default_rng([recipe.seed, OBJECTS, self.step, place])
        read = partial(self._read, id, place)
        taught = self._source(id, read, recipe.masks, random)
        count = len(taught.objects)
        sums["masks"] += count
        sums["empty"] += not count
        if not count and not len(taught.absent):
            return
        with self._seeded(ENCODER, place):
            features = self._features(id, read)
        with self._seeded(DECODER, place), dropout(self.model.net, recipe.dropout):
            seeds = (recipe.seed, USERS, self.step, place)
            rounds = self._interaction.text_rounds(
                features, taught.objects, taught.texts, random, seeds
            )
            last = recipe.clicks + 2 if recipe.clicks else 0
            if count:
                self._learn(rounds, count, last, sums)
            if len(taught.absent):
                self._learn_absence(features, taught.absent, taught.objects.size)

    def _learn_absence(self, features: Tensor, texts: Tensor, size: tuple[int, int]) -> None:
        """Backpropagate the predicted IoU of masks (P, 3) of what is not there: it should be 0."""
        prompts = Prompted(*no_points(len(texts)), texts=texts)
        with self._interaction.arithmetic:
            _, iou = decode(self.model.net, features, prompts, size, self.projection)
        loss = (iou.float() ** 2).mean() / self.recipe.batch
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
