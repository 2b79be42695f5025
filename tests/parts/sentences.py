"""A dataset of expressions: of the left or right half of an image, of both, of nothing."""

import numpy as np

from sambench.data.expressions import Expressions
from sambench.interfaces import Dataset, DatasetCard
from sambench.masks import rle

SIZE = 24, 32
LEFT, RIGHT = (np.tile(np.arange(32) // 16 == side, (24, 1)) for side in (0, 1))
WANTED = {"left": (LEFT,), "right": (RIGHT,), "both": (LEFT, RIGHT), "nothing": ()}


class Sentences(Dataset):
    """Three images, of the same expressions."""

    card = DatasetCard("sentences", "expressions of halves", "CC0-1.0", "none")
    truths = (Expressions,)
    fingerprint = "halves"
    ids = ("a", "b", "c")

    def read_image(self, id):
        return np.full((*SIZE, 3), ord(id), dtype=np.uint8)

    def stamp(self, id):
        return "made"

    def read_truth(self, id, kind):
        targets = [tuple(rle.encode(np.stack(m))) if m else () for m in WANTED.values()]
        return Expressions(SIZE, tuple(WANTED), tuple(targets))
