"""PASCAL VOC 2012 object masks."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from sambench.data.images import read_labels
from sambench.data.sources import Source, data_root, require
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._instances import from_labels
from ._listed import ListedFiles

VOID = 255
EXPECTED = {"val": {"images": 1449, "masks": 3427}, "train": {"images": 1464, "masks": 3507}}


class PascalVoc(ListedFiles):
    """PASCAL VOC 2012 segmentation, each object of SegmentationObject; void is ``ignore``.

    The click literature counts 3417 objects on the same 1449 images: ten fewer, which it lists
    nowhere but in a pickle of its own.

    Args:
        root: folder with ``VOCdevkit/VOC2012/``.
        split: val, train or trainval.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="pascal_voc",
        title="PASCAL VOC 2012 segmentation",
        licence="images under Flickr's terms of use",
        citation="Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2015",
        homepage="http://host.robots.ox.ac.uk/pascal/VOC/voc2012",
        split="val",
        steps="unpack VOCtrainval_11-May-2012.tar and give the folder with VOCdevkit as root=",
        layout="from documentation",
        expected=EXPECTED["val"],
    )
    # Address and hash as TensorFlow Datasets publishes them.
    sources: ClassVar[tuple[Source, ...]] = (
        Source(
            "https://pjreddie.com/media/files/VOCtrainval_11-May-2012.tar",
            "e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb",
            megabytes=2000,
        ),
    )

    def __init__(self, root: str = "", split: str = "val") -> None:
        self.folder = data_root("pascal_voc", root) / "VOCdevkit" / "VOC2012"
        lists = self.folder / "ImageSets" / "Segmentation"
        self.list_file = require(lists / f"{split}.txt", type(self))
        require(self.folder / "SegmentationObject", type(self))
        self.card = replace(self.card, split=split, expected=EXPECTED.get(split, {}))

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.folder / "JPEGImages" / f"{id}.jpg"

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The object map of an image."""
        return (self.folder / "SegmentationObject" / f"{id}.png",)

    def instances(self, id: str) -> Instances:
        """Objects in ascending order of their label."""
        return from_labels(read_labels(self.truth_paths(id)[0]), ignore=(VOID,))
