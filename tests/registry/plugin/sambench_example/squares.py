"""A dataset: white squares on black, drawn when asked for."""

import hashlib
from functools import cached_property

import numpy as np

from sambench.interfaces import Dataset, DatasetCard
from sambench.masks.rle import encode
from sambench.truths import Instances


class Squares(Dataset):
    """White squares on black.

    Args:
        count: of images.
    """

    truths = (Instances,)
    card = DatasetCard(
        name="example_squares",
        title="White squares",
        licence="CC0-1.0",
        citation="none",
    )

    def __init__(self, count: int = 3) -> None:
        self.count = count

    @cached_property
    def ids(self):
        """Their numbers."""
        return tuple(str(number) for number in range(self.count))

    @cached_property
    def fingerprint(self):
        """Of the number of images: nothing else can differ."""
        return hashlib.sha256(str(self.count).encode()).hexdigest()

    def _mask(self, id):
        mask = np.zeros((60, 80), bool)
        start = 5 + 7 * int(id)
        mask[start : start + 20, start + 10 : start + 30] = True
        return mask

    def read_image(self, id):
        """Black and white."""
        return np.repeat(self._mask(id)[..., None], 3, axis=2).astype(np.uint8) * 255

    def read_truth(self, id, kind):
        """One square."""
        mask = self._mask(id)
        start = 5 + 7 * int(id)
        return Instances(
            size=mask.shape,
            rles=tuple(encode(mask[None])),
            ids=(0,),
            categories=np.zeros(1, np.int64),
            boxes=np.array([[start + 10, start, start + 30, start + 20]], np.float64),
            areas=np.array([400.0]),
            crowd=np.zeros(1, bool),
        )
