"""Features of images: of a frozen encoder, kept in memory and on disk, or with gradients."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..nn.sam import preprocess
from ..sam import Sam
from .regularization import drop_path

if TYPE_CHECKING:
    from sambench.engine.embedding_cache import EmbeddingCache

Image = NDArray[np.uint8]
IN_MEMORY = 512
"""Embedded images kept in memory, of 4 MB each; those not used for longest go first."""


class FrozenFeatures:
    """Features of an encoder that does not learn: those that inference has, to the bit.

    Args:
        model: whose encoder it is.
        cache: of embeddings on disk, which `sambench run` may share; None keeps none.
        most: images kept in memory.
    """

    def __init__(
        self, model: Sam, cache: EmbeddingCache | None = None, most: int = IN_MEMORY
    ) -> None:
        self._model, self._cache, self._most = model, cache, most
        self._kept: OrderedDict[str, Tensor] = OrderedDict()

    def __call__(self, id: str, read: Callable[[], Image]) -> Tensor:
        """Features (1, C, h, w) of the image of that id, which is read only if need be."""
        features = self._kept[id] if id in self._kept else self._embed(read())
        self._kept[id] = features
        self._kept.move_to_end(id)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return features

    def _embed(self, image: Image) -> Tensor:
        packed = self._cache.load(image) if self._cache else None
        if packed is not None:
            return self._model.unpack(packed).features
        embedding = self._model.embed([image])[0]
        if self._cache:
            packed = self._cache.store(image, self._model.pack(embedding))
            embedding = self._model.unpack(packed)
        return embedding.features


class LearnedFeatures:
    """Features of an encoder that learns, computed anew each time, with drop path and gradients.

    Args:
        model: whose encoder it is.
        arithmetic: context in which it computes.
        rate: of drop path at the last block.
    """

    def __init__(self, model: Sam, arithmetic: AbstractContextManager[object], rate: float) -> None:
        self._model, self._arithmetic, self._rate = model, arithmetic, rate

    def __call__(self, id: str, read: Callable[[], Image]) -> Tensor:
        """Features (1, C, h, w) of the image of that id."""
        net, device = self._model.net, self._model.device
        pixels = preprocess(read(), net.prompt_encoder.image_size)
        with self._arithmetic, drop_path(net, self._rate):
            features: Tensor = net.image_encoder(pixels[None].to(device))
        return features.float()
