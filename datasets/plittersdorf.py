"""Plittersdorf, deer before a stereo camera trap: number 15 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard

from ._coco_file import CocoFile, joined
from ._coco_json import PromptableCoco
from ._files import place_of

PARTS = ("train", "val", "test")


class Plittersdorf(PromptableCoco):
    """All three parts together.

    Args:
        root: folder with ``images/``, ``train.json``, ``val.json`` and ``test.json``, or the one
            above it.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="plittersdorf",
        title="Plittersdorf",
        licence="stated on its homepage",
        citation="Haucke, Kühl and Steinhage, SOCRATES: Introducing Depth in Visual Wildlife "
        "Monitoring Using Stereo Vision, Sensors 2022",
        homepage="https://timm.haucke.xyz/datasets/plittersdorf",
        split="train, val and test",
        steps="unpack the COCO-format instance segmentation of the homepage and give its folder as "
        "root=",
        layout="from documentation",
        expected={"images": 187, "masks": 546},
    )

    def __init__(self, root: str = "") -> None:
        places = ("", "plittersdorf_instance_segmentation_coco")
        base = place_of("train.json", data_root("plittersdorf", root), places)
        self.parts: tuple[Path, ...] = tuple(
            require(base / f"{part}.json", type(self)) for part in PARTS
        )
        super().__init__(base, require(base / "images", type(self)))

    @cached_property
    def file(self) -> CocoFile:
        """The three files; ids are the part and the number: train-1."""
        files = [self.parse(path) for path in self.parts]
        return joined(self.annotations, dict(zip(PARTS, files, strict=True)))

    @property
    def truth_files(self) -> tuple[Path, ...]:
        """The three files."""
        return self.parts
