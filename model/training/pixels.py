"""The images a training has seen: it goes on with the same ones, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sambench.errors import UserError
from sambench.interfaces import Dataset

DIGEST = 32
"""Bytes of a SHA-256."""


class SeenPixels:
    """SHA-256 of the pixels of each image, from when it was first trained on.

    Args:
        dataset: where the images are.
        ids: those to train on.

    Attributes:
        digests: (N, 32) uint8, a row an image; of zeros while it was not trained on.
    """

    def __init__(self, dataset: Dataset, ids: Sequence[str]) -> None:
        self._dataset = dataset
        self._rows = {id: row for row, id in enumerate(ids)}
        self.digests = torch.zeros(len(ids), DIGEST, dtype=torch.uint8)

    def read(self, id: str) -> tuple[NDArray[np.uint8], Tensor]:
        """An image and the digest of its pixels.

        Raises:
            UserError: it cannot be read, or is not what was trained on before.
        """
        image = self._dataset.read_image(id)
        digest, known = digest_of(image), self.digests[self._rows[id]]
        if known.any() and not torch.equal(known, digest):
            raise UserError(
                f"image {id} of dataset {self._dataset.card.name} has changed since this training "
                "saw it; put it back as it was, or begin again with --fresh."
            )
        return image, digest

    def note(self, ids: Sequence[str], digests: Tensor) -> None:
        """Take down what images had; those whose row is of zeros were not read."""
        for id, digest in zip(ids, digests.cpu(), strict=True):
            if digest.any():
                self.digests[self._rows[id]] = digest

    def seen(self) -> list[str]:
        """The images that were trained on."""
        return [id for id, row in self._rows.items() if self.digests[row].any()]


def digest_of(image: NDArray[np.uint8]) -> Tensor:
    """SHA-256 of an image's shape and pixels, (32,) uint8."""
    digest = hashlib.sha256(str(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)
