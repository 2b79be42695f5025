"""ADE20K, objects and their parts: number 10 of the 23 of Segment Anything."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from sambench.data.images import read_rgb
from sambench.data.sources import data_root, require
from sambench.errors import UserError
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._files import InstanceFiles, by_stem, place_of
from ._instances import encode, from_rles
from ._subsample import Sampled

RELEASE = "ADE20K_2021_17_01"
PREFIXES = {"training": "ADE_train_", "validation": "ADE_val_"}
"""Split -> how the names of its images begin."""


class Ade20k(Sampled, InstanceFiles):
    """The full ADE20K: what is visible of objects, of their parts and of parts of parts.

    The blue channel of ``*_seg.png`` distinguishes the objects, that of ``*_parts_<level>.png`` the
    parts. Categories are 1 for objects and 1 + level for parts.

    Args:
        root: folder with ``ADE20K_2021_17_01/``, or that folder.
        sample: "sa23" for about 10,000 masks, "all" for everything.
        split: validation or training.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="ade20k",
        title="ADE20K, objects and parts",
        licence="terms on its homepage: non-commercial research and education",
        citation="Zhou et al., Semantic Understanding of Scenes Through the ADE20K Dataset, "
        "IJCV 2019",
        homepage="https://groups.csail.mit.edu/vision/datasets/ADE20K",
        split="validation",
        steps=f"register on the homepage, unpack {RELEASE}.zip, give the folder it is in as root=",
        layout="verified on real files",
        seen="3 training images of the release: 109 objects, 25 parts and 5 parts of parts, "
        "as many as their JSON lists; at every fourth pixel of rows and columns 135 of "
        "the 139 masks equal the authors' own instance masks, the least IoU is .967",
        expected={"images of the paper": 302, "masks of the paper": 10128},
    )

    def __init__(self, root: str = "", sample: str = "sa23", split: str = "validation") -> None:
        super().__init__(sample)
        if split not in PREFIXES:
            raise UserError(f"split={split} is unknown; known are {' and '.join(PREFIXES)}.")
        base = place_of("images/ADE", data_root("ade20k", root), ("", RELEASE))
        self.folder = require(base / "images" / "ADE" / split, type(self))
        expected = self.card.expected if split == self.card.split else {}
        self.card = replace(self.card, split=split, expected=expected)

    @cached_property
    def _images(self) -> dict[str, Path]:
        return dict(
            sorted(by_stem(self.folder.glob(f"**/{PREFIXES[self.card.split]}*.jpg")).items())
        )

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """Names of the images."""
        return tuple(self._images)

    def count(self, id: str) -> int:
        """Number of objects and parts."""
        return len(self.instances(id))

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self._images[id]

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The map of objects, then those of parts, level by level."""
        image = self._images[id]
        parts = sorted(image.parent.glob(f"{id}_parts_*.png"))
        return (image.with_name(f"{id}_seg.png"), *parts)

    def instances(self, id: str) -> Instances:
        """Objects, then parts."""
        found = [
            (level, encode(mask))
            for level, path in enumerate(self.truth_paths(id), start=1)
            for mask in _masks(path)
        ]
        size = read_rgb(self.truth_paths(id)[0]).shape
        levels = [level for level, _ in found]
        return from_rles((size[0], size[1]), [rle for _, rle in found], categories=levels)


def _masks(path: Path) -> Iterator[np.ndarray]:
    blue = read_rgb(path)[..., 2]
    return (blue == value for value in np.unique(blue) if value)
