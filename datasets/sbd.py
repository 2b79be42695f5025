"""SBD: object masks on PASCAL VOC images, the largest set of the click literature."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from sambench.data.sources import Source, data_root, require
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._files import read_as
from ._instances import from_labels
from ._label_maps import as_labels, read_mat
from ._listed import ListedFiles

EXPECTED = {"val": {"images": 2857, "masks": 6671}, "train": {"images": 8498, "masks": 20172}}


class Sbd(ListedFiles):
    """Semantic Boundaries Dataset, instances.

    Args:
        root: folder with ``benchmark_RELEASE/dataset/`` (its parent), as the archive unpacks.
        split: val or train, as SBD cuts them.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="sbd",
        title="Semantic Boundaries Dataset",
        licence="annotations without a licence; images under Flickr's terms of use",
        citation="Hariharan et al., Semantic Contours from Inverse Detectors, ICCV 2011",
        homepage="http://home.bharathh.info/pubs/codes/SBD/download.html",
        split="val",
        steps="unpack benchmark.tgz of the homepage and give the folder it is in as root=",
        layout="from documentation",
        expected=EXPECTED["val"],
    )
    # The hash is the one that torchvision's prototype datasets publish.
    sources: ClassVar[tuple[Source, ...]] = (
        Source(
            "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/"
            "semantic_contours/benchmark.tgz",
            "6a5a2918d5c73ce032fdeba876574d150d9d04113ab87540a1304cbcc715be53",
            megabytes=1420,
        ),
    )

    def __init__(self, root: str = "", split: str = "val") -> None:
        self.folder = data_root("sbd", root) / "benchmark_RELEASE" / "dataset"
        self.list_file = require(self.folder / f"{split}.txt", type(self))
        require(self.folder / "inst", type(self))
        self.card = replace(self.card, split=split, expected=EXPECTED.get(split, {}))

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.folder / "img" / f"{id}.jpg"

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The .mat file of an image."""
        return (self.folder / "inst" / f"{id}.mat",)

    def instances(self, id: str) -> Instances:
        """Objects in ascending order of their label."""
        path = self.truth_paths(id)[0]
        truth = read_mat(path, "GTinst")
        with read_as(path, "truth of SBD"):
            labels = truth["Segmentation"][0, 0]
        return from_labels(as_labels(labels, path))
