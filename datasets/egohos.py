"""EgoHOS, hands and what they hold: number 16 of the 23 of Segment Anything."""

from functools import cached_property

from sambench.data.images import read_labels
from sambench.data.sources import data_root
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._files import place_of
from ._instances import from_labels
from ._pairs import PairedFiles
from ._subsample import Sampled

ORIGINS = ("ego4d_", "thu_")
"""How names of frames from Ego4D and THU-READ begin: the two parts that the paper takes."""


class Egohos(Sampled, PairedFiles):
    """Left and right hand and the objects of each, one mask for each label.

    Args:
        root: folder with ``train/image/`` and ``train/label/``, or the one above it.
        sample: "sa23" for about 10,000 masks, "all" for everything.

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="egohos",
        title="Egocentric Hand-Object Segmentation",
        licence="none stated",
        citation="Zhang et al., Fine-Grained Egocentric Hand-Object Segmentation, ECCV 2022",
        homepage="https://github.com/owenzlz/EgoHOS",
        split="train, frames of Ego4D and THU-READ",
        steps="unpack egohos_dataset.zip of the homepage and give the folder with train as root=",
        layout="from documentation",
        expected={"images of the paper": 2940, "masks of the paper": 9961},
    )

    def __init__(self, root: str = "", sample: str = "sa23") -> None:
        Sampled.__init__(self, sample)
        base = place_of("train", data_root("egohos", root), ("", "egohos", "egohos_dataset"))
        PairedFiles.__init__(self, str(base / "train"), "image", "label")

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """Names of the frames of the two parts."""
        return tuple(id for id in self.masks_by_id if id.startswith(ORIGINS))

    def count(self, id: str) -> int:
        """Number of labels."""
        return len(self.instances(id))

    def instances(self, id: str) -> Instances:
        """Masks in ascending order of their label."""
        return from_labels(read_labels(self.truth_paths(id)[0]))
