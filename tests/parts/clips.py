"""Three tiny clips of squares that move: one comes later, one goes behind nothing and leaves."""

import hashlib
from functools import cached_property

import numpy as np

from sambench.interfaces import DatasetCard, Sample
from sambench.masks.rle import encode
from sambench.registry import load
from sambench.video.clips import Clip, ClipDataset
from sambench.video.tracks import Tracks

SIZE = 24, 32
PATHS = {
    "one": {1: [(2 + 2 * t, 4, 8) for t in range(6)]},
    "two": {
        1: [(3, 3 + t, 7) for t in range(5)],
        2: [None, None, (18, 10, 9), (17, 10, 9), (16, 10, 9)],
    },
    "gone": {3: [(20, 8, 8), (23, 8, 8), None, None, (20, 9, 8), (19, 9, 8), (18, 9, 8)]},
}
"""By clip and object: left, top and side of its square in each frame."""


def square(place):
    mask = np.zeros(SIZE, dtype=bool)
    if place is not None:
        x, y, side = place
        mask[y : y + side, x : x + side] = True
    return mask


class Drawn(Clip):
    """Squares of a grey of their own on darkness.

    Args:
        paths: of the objects.
    """

    def __init__(self, paths):
        self.paths = paths
        self.names = tuple(f"{t:05d}" for t in range(len(next(iter(paths.values())))))
        self.size = SIZE
        self.read = []

    def frame(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)
        self.read.append(index)
        image = np.full((*SIZE, 3), 20, dtype=np.uint8)
        for id, places in self.paths.items():
            image[square(places[index])] = 80 + 50 * id
        return image

    def stamp(self):
        return "drawn"


def tracks(paths):
    clip = Drawn(paths)
    masks = {
        id: tuple(encode(np.stack([square(place) for place in places])))
        for id, places in paths.items()
    }
    return Tracks(clip.names, SIZE, masks)


class Clips(ClipDataset):
    """Clips that are drawn."""

    card = DatasetCard("clips", "squares", "none", "none")
    ids = tuple(PATHS)

    def clip(self, id):
        return Drawn(PATHS[id])

    def read_truth(self, id, kind):
        return tracks(PATHS[id])

    @cached_property
    def fingerprint(self):
        return hashlib.sha256(repr(PATHS).encode()).hexdigest()


def check_tasks(model, specs):
    """A model of clips goes through tasks, and what it makes of two squares has a J&F."""
    paths = PATHS["two"]
    for spec in specs:
        task, sample = load("task", spec), Sample("clip", Drawn(paths), tracks(paths))
        [state] = model.embed([sample.image])
        record = task.score(task.predict(model, state, sample), sample.truth)
        assert 0 <= task.estimator([record])(np.ones(1))["J&F"] <= 1
