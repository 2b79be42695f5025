"""ZeroWaste-f, waste on a conveyor belt: number 8 of the 23 of Segment Anything."""

from sambench.data.images import read_labels
from sambench.data.sources import data_root
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._files import place_of
from ._instances import from_labels
from ._pairs import PairedFiles


class ZerowasteF(PairedFiles):
    """One mask for each material of an image: that is what the paper's 2.1 masks an image are.

    The outlines of single objects in ``labels.json`` are three times as many.

    Args:
        root: folder with ``splits_final_deblurred/``, or the one above it.

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="zerowaste_f",
        title="ZeroWaste-f",
        licence="CC-BY-NC-4.0",
        citation="Bashkirova et al., ZeroWaste Dataset: Towards Deformable Object Segmentation in "
        "Cluttered Scenes, CVPR 2022",
        homepage="http://ai.bu.edu/zerowaste",
        split="train",
        steps="unpack zerowaste-f-final.zip of the homepage and give the folder with "
        "splits_final_deblurred as root=",
        layout="from documentation",
        expected={"images with masks": 2947, "masks": 6155},
    )

    def __init__(self, root: str = "") -> None:
        split = "splits_final_deblurred"
        base = place_of(split, data_root("zerowaste_f", root), ("", "zerowaste-f-final"))
        super().__init__(str(base / split / "train"), "data", "sem_seg")

    def instances(self, id: str) -> Instances:
        """Materials in ascending order of their label."""
        return from_labels(read_labels(self.truth_paths(id)[0]))
