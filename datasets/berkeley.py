"""Berkeley: 100 objects on 96 images of BSDS, for interactive segmentation."""

from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._instances import from_trimap
from ._label_maps import read_grey
from ._pairs import PairedFiles


class Berkeley(PairedFiles):
    """Berkeley; one image and one mask file for each object, values as in GrabCut.

    Args:
        root: folder with ``images/`` and ``masks/``.

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="berkeley",
        title="Berkeley objects of interactive segmentation",
        licence="images of BSDS: non-commercial research and education",
        citation=(
            "McGuinness and O'Connor, A Comparative Evaluation of Interactive Segmentation "
            "Algorithms, Pattern Recognition 2010"
        ),
        homepage="https://github.com/SamsungLabs/ritm_interactive_segmentation",
        steps=(
            "unpack https://github.com/saic-vul/fbrs_interactive_segmentation/releases/download/"
            "v1.0/Berkeley.zip (7 MB; no SHA-256 is published) and give the folder with images "
            "and masks as root="
        ),
        layout="from documentation",
        expected={"masks": 100},
    )

    def __init__(self, root: str = "") -> None:
        super().__init__(root, "images", "masks")

    def instances(self, id: str) -> Instances:
        """One object and the pixels that do not count."""
        return from_trimap(read_grey(self.truth_paths(id)[0]))
