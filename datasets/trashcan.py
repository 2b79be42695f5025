"""TrashCan 1.0, trash under water: number 22 of the 23 of Segment Anything."""

from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard

from ._coco_json import PromptableCoco
from ._files import place_of


class Trashcan(PromptableCoco):
    """Trash, animals and the vehicle itself; the instance version's training images.

    Args:
        root: folder with ``instance_version/``, or the one with ``dataset/``.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="trashcan",
        title="TrashCan 1.0",
        licence="stated on its homepage",
        citation="Hong, Fulton and Sattar, TrashCan: A Semantically-Segmented Dataset towards "
        "Visual Detection of Marine Debris, 2020",
        homepage="https://conservancy.umn.edu/handle/11299/214865",
        split="train (instance task)",
        steps="unpack dataset.zip of the homepage and give the folder with instance_version as "
        "root=",
        layout="from documentation",
        expected={"images with masks": 5936, "masks": 9540},
    )

    def __init__(self, root: str = "") -> None:
        places = ("", "dataset", "TrashCan")
        base = place_of("instance_version", data_root("trashcan", root), places)
        base = base / "instance_version"
        annotations = require(base / "instances_train_trashcan.json", type(self))
        super().__init__(annotations, require(base / "train", type(self)))
