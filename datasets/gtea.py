"""GTEA, hands: number 23 of the 23 of Segment Anything."""

from sambench.data.sources import data_root
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._files import place_of
from ._instances import from_labels
from ._label_maps import read_ids
from ._pairs import PairedFiles


class Gtea(PairedFiles):
    """Left hand, right hand and hands that touch, each label one mask.

    Args:
        root: folder with ``GTEA/Images/`` and ``GTEA/Masks/``, or the one above it.

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="gtea",
        title="Georgia Tech Egocentric Activity Datasets, hands",
        licence="stated on its homepage",
        citation="Fathi, Ren and Rehg, Learning to Recognize Objects in Egocentric Activities, "
        "CVPR 2011; Li, Ye and Rehg, Delving into Egocentric Actions, CVPR 2015",
        homepage="https://cbs.ic.gatech.edu/fpv",
        split="hand masks of GTEA",
        steps="unpack hand2K_dataset.zip of the homepage and give the folder with GTEA as root=",
        layout="from documentation",
        expected={"images with masks": 652, "masks": 1208},
    )

    def __init__(self, root: str = "") -> None:
        base = place_of("GTEA", data_root("gtea", root), ("", "hand2K_dataset"))
        super().__init__(str(base / "GTEA"), "Images", "Masks")

    def instances(self, id: str) -> Instances:
        """Hands in ascending order of their label."""
        return from_labels(read_ids(self.truth_paths(id)[0]))
