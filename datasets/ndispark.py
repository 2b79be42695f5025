"""NDISPark, parked cars by night and day: number 13 of the 23 of Segment Anything."""

from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard

from ._coco_json import PromptableCoco
from ._files import place_of


class Ndispark(PromptableCoco):
    """Night and Day Instance Segmented Park, training images.

    Args:
        root: folder with ``train/imgs/`` and ``train/train_coco_annotations.json``, or the one
            above it.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="ndispark",
        title="Night and Day Instance Segmented Park",
        licence="stated on its homepage",
        citation="Ciampi et al., Domain Adaptation for Traffic Density Estimation, VISAPP 2021",
        homepage="https://zenodo.org/record/6560823",
        split="train",
        steps="unpack the archive of the homepage and give the folder with train as root=",
        layout="from documentation",
        expected={"images": 111, "masks": 2577},
    )

    def __init__(self, root: str = "") -> None:
        base = place_of("train", data_root("ndispark", root), ("", "ndis_park")) / "train"
        annotations = require(base / "train_coco_annotations.json", type(self))
        super().__init__(annotations, require(base / "imgs", type(self)))
