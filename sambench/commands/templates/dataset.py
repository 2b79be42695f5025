"""new_dataset: say in one line what it shows; `sambench list` shows it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sambench.data.images import read_rgb
from sambench.errors import UserError
from sambench.interfaces import Dataset, DatasetCard, T
from sambench.masks.rle import encode
from sambench.truths import Instances


class NewDataset(Dataset):
    """Photographs in ROOT/images, and in ROOT/masks a PNG of the same name: 0, 1, 2, ... objects.

    Args:
        root: folder.

    Raises:
        UserError: the folder has no images.
    """

    truths = (Instances,)

    def __init__(self, root: Path) -> None:
        self.root = root
        self.card = DatasetCard(
            name="new_dataset",
            title="Say what it is",
            licence="say what its licence allows",
            citation="say who made it",
        )

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the images, sorted."""
        found = sorted(path.name for path in (self.root / "images").glob("*"))
        if not found:
            raise UserError(f"{self.root / 'images'} has no images; check root=.")
        return tuple(found)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all annotations."""
        digest = hashlib.sha256()
        for id in self.ids:
            digest.update(id.encode() + self._mask_file(id).read_bytes())
        return digest.hexdigest()

    def _mask_file(self, id: str) -> Path:
        return (self.root / "masks" / id).with_suffix(".png")

    def image_path(self, id: str) -> Path:
        """File of an image: by its size and time a later run sees whether it changed."""
        return self.root / "images" / id

    def read_image(self, id: str) -> NDArray[np.uint8]:
        """The image, (H, W, 3) uint8 RGB."""
        return read_rgb(self.image_path(id))

    def read_truth(self, id: str, kind: type[T]) -> T:
        """The objects of an image."""
        assert kind is Instances
        return cast(T, self._objects(id))

    def _objects(self, id: str) -> Instances:
        labels = read_rgb(self._mask_file(id))[..., 0]
        numbers = [int(number) for number in np.unique(labels) if number]
        masks = np.array([labels == number for number in numbers]).reshape(-1, *labels.shape)
        spans = [(np.flatnonzero(m.any(axis=0)), np.flatnonzero(m.any(axis=1))) for m in masks]
        boxes = [(x[0], y[0], x[-1] + 1, y[-1] + 1) for x, y in spans]
        return Instances(
            size=(labels.shape[0], labels.shape[1]),
            rles=tuple(encode(masks)) if len(masks) else (),
            ids=tuple(numbers),
            categories=np.zeros(len(masks), np.int64),
            boxes=np.array(boxes, np.float64).reshape(-1, 4),
            areas=masks.sum(axis=(1, 2)).astype(np.float64),
            crowd=np.zeros(len(masks), bool),
        )
