"""ADE20K's scene parsing benchmark: 150 classes, no objects (SceneParsing)."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from sambench.data.images import read_labels
from sambench.data.sources import data_root, require
from sambench.data.text_lists import read_lines
from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard, T
from sambench.truths import Segments

from ._files import FileDataset, by_stem, files_in, place_of
from ._segments import from_numbers

RELEASE = "ADEChallengeData2016"
CLASSES = 150
NAMES = "objectInfo150.txt"
EXPECTED = {"validation": 2000, "training": 20210}


class Sceneparsing(FileDataset):
    """Each class of an image is one segment; 0, what is of no class, is void.

    A class is called by the first of its names in objectInfo150.txt, which the release brings;
    without that file classes have no names.

    Args:
        root: folder ``ADEChallengeData2016``, or the one that holds it.
        split: validation or training.

    Raises:
        UserError: files are missing, or the names are not those of 150 classes.
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
        self.names = base / NAMES
        self.card = replace(self.card, split=split, expected={"images": EXPECTED.get(split, 0)})

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """File names without ending, sorted as text."""
        return tuple(by_stem(files_in(self.truth, {".png"})))

    @cached_property
    def categories(self) -> Mapping[int, str]:
        """Class -> its first name; empty where the file of names is missing.

        Raises:
            UserError: it is another file.
        """
        if not self.names.is_file():
            return {}
        rows = [line.split("\t") for line in read_lines(self.names)]
        found = {row[0].strip(): row[-1].partition(",")[0].strip() for row in rows[1:]}
        numbers = list(map(str, range(1, CLASSES + 1)))
        if not rows or rows[0][-1] != "Name" or list(found) != numbers or not all(found.values()):
            raise UserError(
                f"{self.names} does not name the classes 1 to {CLASSES} in a column Name; take the "
                f"file that {RELEASE}.zip has."
            )
        return {int(number): name for number, name in found.items()}

    def reading(self) -> JSON:
        """The names of the classes."""
        return {"categories": {str(id): name for id, name in self.categories.items()}}

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
