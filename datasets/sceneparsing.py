"""ADE20K's scene parsing benchmark: 150 classes, no objects (SceneParsing)."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from sambench.data.images import read_labels
from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard, T
from sambench.truths import Segments

from ._files import FileDataset, by_stem, files_in, place_of
from ._segments import from_numbers

RELEASE = "ADEChallengeData2016"
CLASSES = 150
EXPECTED = {"validation": 2000, "training": 20210}


class Sceneparsing(FileDataset):
    """Each class of an image is one segment; 0, what is of no class, is void.

    Args:
        root: folder ``ADEChallengeData2016``, or the one that holds it.
        split: validation or training.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="sceneparsing",
        title="ADE20K scene parsing, 150 classes",
        licence="BSD-3-Clause as its homepage says; images for non-commercial research",
        citation="Zhou et al., Scene Parsing through ADE20K Dataset, CVPR 2017",
        homepage="http://sceneparsing.csail.mit.edu",
        split="validation",
        steps=f"unpack {RELEASE}.zip of the homepage and give the folder it is in as root=",
        layout="verified on real files",
        seen="3 validation images: maps of the image's size with 7, 6 and 12 of the 150 "
        "classes, each on what its name says",
        expected={"images": EXPECTED["validation"]},
    )
    truths = (Segments,)

    def __init__(self, root: str = "", split: str = "validation") -> None:
        base = place_of("annotations", data_root("sceneparsing", root), ("", RELEASE))
        self.images = require(base / "images" / split, type(self))
        self.truth = require(base / "annotations" / split, type(self))
        self.card = replace(self.card, split=split, expected={"images": EXPECTED.get(split, 0)})

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """File names without ending, sorted as text."""
        return tuple(by_stem(files_in(self.truth, {".png"})))

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.images / f"{id}.jpg"

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The map of classes of an image."""
        return (self.truth / f"{id}.png",)

    def read_truth(self, id: str, kind: type[T]) -> T:
        """Segments of an image, all of them stuff, because the labels do not separate objects."""
        assert kind is Segments
        labels = read_labels(self.truth_paths(id)[0])
        known = {int(v): (int(v), False) for v in np.unique(labels) if 1 <= v <= CLASSES}
        return cast(T, from_numbers(labels, known))
