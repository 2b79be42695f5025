"""DAVIS-345: frames of DAVIS 2016 with one object each, for interactive segmentation."""

from sambench.data.images import read_rgb
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._instances import encode, from_rles
from ._pairs import PairedFiles


class Davis345(PairedFiles):
    """The 345 frames that the click literature uses; any colour but black is the object.

    Args:
        root: folder with ``img/`` and ``gt/``.

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="davis345",
        title="DAVIS, 345 frames for clicks",
        licence="CC-BY-NC-4.0",
        citation="Perazzi et al., DAVIS, CVPR 2016; frames of Jang and Kim, BRS, CVPR 2019",
        homepage="https://davischallenge.org",
        steps=(
            "unpack https://github.com/saic-vul/fbrs_interactive_segmentation/releases/download/"
            "v1.0/DAVIS.zip (43 MB; no SHA-256 is published) and give the folder with img and gt "
            "as root="
        ),
        layout="from documentation",
        expected={"images": 345, "masks": 345},
    )

    def __init__(self, root: str = "") -> None:
        super().__init__(root, "img", "gt")

    def instances(self, id: str) -> Instances:
        """One object."""
        brightest = read_rgb(self.truth_paths(id)[0]).max(axis=2)
        height, width = brightest.shape
        return from_rles((height, width), [encode(brightest)])
