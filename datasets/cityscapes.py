"""Cityscapes, panoptic: number 19 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from sambench.data.images import read_labels
from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard, T
from sambench.truths import Instances, Segments

from ._files import InstanceFiles
from ._instances import encode, from_rles
from ._segments import from_numbers
from ._subsample import Sampled

STUFF = frozenset({7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23})
THINGS = frozenset({24, 25, 26, 27, 28, 31, 32, 33})
"""The 19 classes of the benchmark, by their label id."""
SUFFIX = "_gtFine_instanceIds.png"


class Cityscapes(Sampled, InstanceFiles):
    """Things, each object one mask, and stuff, each class one mask.

    Groups of things that are marked as one region are left out: they are not objects; as segments
    they are crowd regions. Categories are label ids.

    Args:
        root: folder with ``leftImg8bit/val/`` and ``gtFine/val/``.
        sample: "sa23" for about 10,000 masks, "all" for everything.

    Raises:
        UserError: files are missing.
    """

    truths: tuple[type, ...] = (Instances, Segments)
    card = DatasetCard(
        name="cityscapes",
        title="Cityscapes, panoptic",
        licence="terms on its homepage: non-commercial",
        citation="Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, "
        "CVPR 2016",
        homepage="https://www.cityscapes-dataset.com",
        split="val",
        steps="register on the homepage, unpack leftImg8bit_trainvaltest.zip and "
        "gtFine_trainvaltest.zip in one folder and give it as root=",
        layout="verified on real files",
        seen="1 image of val with its maps, at 256 x 128: 15 segments; categories equal the "
        "authors' labelIds at each pixel that is not void",
        expected={"images of the paper": 293, "masks of the paper": 9973},
    )

    def __init__(self, root: str = "", sample: str = "sa23") -> None:
        super().__init__(sample)
        base = data_root("cityscapes", root)
        self.images = require(base / "leftImg8bit" / "val", type(self))
        self.truth = require(base / "gtFine" / "val", type(self))

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """City, sequence and frame: frankfurt_000000_000294."""
        paths = self.truth.glob(f"*/*{SUFFIX}")
        return tuple(sorted(path.name.removesuffix(SUFFIX) for path in paths))

    def count(self, id: str) -> int:
        """Number of segments."""
        return len(self.instances(id))

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.images / id.split("_")[0] / f"{id}_leftImg8bit.png"

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The instance map of an image."""
        return (self.truth / id.split("_")[0] / (id + SUFFIX),)

    def instances(self, id: str) -> Instances:
        """Segments in ascending order of their number: label id, or label id * 1000 + place."""
        labels = read_labels(self.truth_paths(id)[0])
        values = [int(value) for value in np.unique(labels) if _counts(int(value))]
        return from_rles(
            (labels.shape[0], labels.shape[1]),
            [encode(labels == value) for value in values],
            ids=values,
            categories=[value // 1000 or value for value in values],
        )

    def read_truth(self, id: str, kind: type[T]) -> T:
        """Instances or segments of an image; pixels of none of the 19 classes are void."""
        if kind is not Segments:
            return super().read_truth(id, kind)
        labels = read_labels(self.truth_paths(id)[0])
        values = [int(value) for value in np.unique(labels)]
        known = {v: (v // 1000 or v, v not in STUFF) for v in values if _counts(v) or v in THINGS}
        return cast(T, from_numbers(labels, known, crowd=THINGS))


def _counts(value: int) -> bool:
    return value in STUFF or value // 1000 in THINGS
