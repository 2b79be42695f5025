"""Plant Phenotyping Datasets, leaf segmentation: number 1 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._files import InstanceFiles, files_in, place_of
from ._instances import from_labels
from ._label_maps import read_ids

PARTS = ("Ara2012", "Tobacco")
"""120 and 62 images: the two that make up the paper's 182."""
LABEL, IMAGE = "_label.png", "_rgb.png"


class Ppdls(InstanceFiles):
    """Leaves of tobacco and arabidopsis; each label or colour is a leaf.

    Args:
        root: folder with ``Plant/Ara2012/`` and ``Plant/Tobacco/``, or one above or below it.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="ppdls",
        title="Plant Phenotyping Datasets, leaf segmentation",
        licence="stated on its homepage",
        citation="Minervini et al., Finely-grained annotated datasets for image-based plant "
        "phenotyping, Pattern Recognition Letters 2016",
        homepage="https://www.plant-phenotyping.org/datasets-home",
        split="Ara2012 and Tobacco",
        steps="register on the homepage, unpack Plant_Phenotyping_Datasets.zip, give it as root=",
        layout="label maps verified on real files, folders from documentation",
        seen="3 Arabidopsis plants of the same authors' Leaf Segmentation Challenge: 15, 11 "
        "and 15 leaves as their table says; together they are the foreground map, and "
        "each has one marked centre",
        expected={"images": 182, "masks": 2347},
    )

    def __init__(self, root: str = "") -> None:
        twice = "Plant_Phenotyping_Datasets/Plant_Phenotyping_Datasets/Plant"
        places = ("", "Plant", "Plant_Phenotyping_Datasets/Plant", twice)
        self.folder = place_of(PARTS[0], data_root("ppdls", root), places)
        for part in PARTS:
            require(self.folder / part, type(self))

    @cached_property
    def _labels(self) -> dict[str, Path]:
        labels = [p for part in PARTS for p in files_in(self.folder / part, {".png"})]
        return {p.name.removesuffix(LABEL): p for p in labels if p.name.endswith(LABEL)}

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the plants."""
        return tuple(self._labels)

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self._labels[id].with_name(id + IMAGE)

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The label map of an image."""
        return (self._labels[id],)

    def instances(self, id: str) -> Instances:
        """Leaves in ascending order of their label."""
        return from_labels(read_ids(self._labels[id]))
