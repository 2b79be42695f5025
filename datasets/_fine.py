"""Fine-grained datasets of HQ-SAM: one object an image, with a grey mask of the same name."""

from sambench.data.sources import data_root
from sambench.truths import Instances

from ._instances import encode, from_rles
from ._label_maps import read_grey
from ._pairs import PairedFiles
from ._salient import THRESHOLD

RELEASE = "https://github.com/SysCV/sam-hq/tree/main/train"
STEPS = (
    "fetch the training and evaluation data named on the homepage and give the folder that holds "
    "DIS5K and thin_object_detection as root="
)


class FinePairs(PairedFiles):
    """A part of the evaluation data of HQ-SAM, whose truth also has the mask in grey.

    Args:
        root: the folder of the part, one that holds it as the release has it, or a folder beside.
        place: of the part within the release.
        images: folder of images within the part.
        masks: folder of masks within the part.
    """

    def __init__(self, root: str, place: str, images: str, masks: str) -> None:
        base = data_root(self.card.name, root)
        tried = (base, *(above / place for above in (base, base.parent)))
        found = next((folder for folder in tried if (folder / images).is_dir()), base)
        super().__init__(str(found), images, masks)

    def instances(self, id: str) -> Instances:
        """The object, where the mask is brighter than 128; its grey values as extra ``grey``."""
        grey = read_grey(self.truth_paths(id)[0]).astype("uint8")
        size = grey.shape[0], grey.shape[1]
        return from_rles(size, [encode(grey > THRESHOLD)], extra={"grey": grey})
