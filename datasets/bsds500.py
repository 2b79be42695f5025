"""BSDS500: natural images with boundaries drawn by several people."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sambench.data.sources import Source, data_root, require
from sambench.interfaces import DatasetCard, Reference, T
from sambench.truths import Boundaries, Regions

from ._files import FileDataset, by_stem, files_in, place_of, read_as
from ._label_maps import as_labels, read_mat

PLACES = ("", "data", "BSDS500/data", "BSR/BSDS500/data")
"""Where images/ and groundTruth/ lie below the folder that the archive was unpacked in."""
URL = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz"
KNOWN = {
    "BSR/BSDS500/data/images/train/*.jpg": (
        "28dd4917eb4fcf4c271a123a59610423f4a732da14ec6813be4e4cb1713477ee"
    ),
    "BSR/BSDS500/data/images/val/*.jpg": (
        "5df49abe1f8f4beceff6e69d6598e4248983e4480b77811e392332a16bf5f715"
    ),
    "BSR/BSDS500/data/groundTruth/train/*.mat": (
        "5a2f87db8ed5b5d58600622a8aa03a01b429d639bfde9dd54344e7afb9cec281"
    ),
    "BSR/BSDS500/data/groundTruth/val/*.mat": (
        "e987d5be1e680a71d7395aede5ca3c077ec67ca8f34cebfbc7027aeaa56bbc21"
    ),
}
"""No SHA-256 of the archive is published; these are of its train and val files."""
EXPECTED = {"train": 200, "val": 100, "test": 200}
HUMAN = (0.700762, 0.897659)
"""Recall and precision of people, as the benchmark's own plots have them."""


class Bsds500(FileDataset):
    """BSDS500; a truth has one boundary map, or one label map of regions, for each annotator.

    Args:
        root: the folder BSR, any folder below it down to the one with ``images/`` and
            ``groundTruth/``, or the one that holds BSR.
        split: test, val or train.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="bsds500",
        title="Berkeley Segmentation Data Set and Benchmarks 500",
        licence="free for non-commercial research and education",
        citation="Arbelaez et al., Contour Detection and Hierarchical Image Segmentation, 2011",
        homepage="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html",
        split="test",
        steps=f"unpack {URL} (70 MB) and give the folder BSR as root=",
        layout="verified on real files",
        seen="all 100 images of val: 5 to 8 people each, maps of the image's size",
        expected={"images": EXPECTED["test"]},
        references=(
            Reference(
                "edges", "precision-recall", "human", *HUMAN,
                "Human: one annotator of BSDS against the others, F .787, as the benchmark draws "
                "it.",
            ),
        ),
    )  # fmt: skip
    truths = (Boundaries, Regions)
    sources = (Source(URL, "", contents=KNOWN, megabytes=70),)

    def __init__(self, root: str = "", split: str = "test") -> None:
        data = place_of("groundTruth", data_root("bsds500", root), PLACES)
        self.images = require(data / "images" / split, type(self))
        self.truth = require(data / "groundTruth" / split, type(self))
        self.card = replace(self.card, split=split, expected={"images": EXPECTED.get(split, 0)})

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """File names without ending, sorted as text."""
        return tuple(by_stem(files_in(self.truth, {".mat"})))

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.images / f"{id}.jpg"

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The .mat file of an image."""
        return (self.truth / f"{id}.mat",)

    def read_truth(self, id: str, kind: type[T]) -> T:
        """Boundaries or label maps of an image, one per annotator."""
        [path] = self.truth_paths(id)
        if kind is Regions:
            return cast(T, Regions(tuple(_read_drawn(path, "Segmentation"))))
        assert kind is Boundaries
        return cast(T, Boundaries(tuple(drawn != 0 for drawn in _read_drawn(path, "Boundaries"))))


def _read_drawn(path: Path, part: str) -> list[NDArray[np.int64]]:
    """Maps (H, W) of a ground-truth file, one an annotator; part: Boundaries or Segmentation."""
    annotators = read_mat(path, "groundTruth")
    with read_as(path, "ground truth of BSDS500"):
        return [as_labels(drawn[part][0, 0], path) for drawn in annotators.ravel()]
