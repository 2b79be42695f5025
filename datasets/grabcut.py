"""GrabCut: 50 images with one object each, the classic set of interactive segmentation."""

from dataclasses import replace

from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._instances import from_trimap
from ._label_maps import read_grey
from ._pairs import PairedFiles


class Grabcut(PairedFiles):
    """GrabCut; mask values: 0 background, 128 unknown (``ignore``), above that the object.

    Args:
        root: folder with the two folders below.
        images: folder of images, relative to root.
        masks: folder of masks, relative to root.
        subset: "present" leaves out masks whose image is missing.

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="grabcut",
        title="GrabCut",
        licence="Microsoft Research, for research; 20 images are of BSDS",
        citation="Rother et al., GrabCut, SIGGRAPH 2004; Blake et al., ECCV 2004",
        homepage="https://www.microsoft.com/en-us/research/project/image-understanding",
        steps=(
            "unpack https://github.com/saic-vul/fbrs_interactive_segmentation/releases/download/"
            "v1.0/GrabCut.zip (11 MB; no SHA-256 is published) and give the folder with data_GT "
            "and boundary_GT as root="
        ),
        layout="masks verified on real files, folders from documentation",
        seen="20 images of BSDS with their masks, 13 of them with a band: object, band and "
        "background at each pixel",
        expected={"images": 50, "masks": 50},
    )

    def __init__(
        self,
        root: str = "",
        images: str = "data_GT",
        masks: str = "boundary_GT",
        subset: str = "",
    ) -> None:
        super().__init__(root, images, masks, subset)
        if subset:
            self.card = replace(self.card, split=subset, expected={})

    def instances(self, id: str) -> Instances:
        """One object and the pixels that do not count."""
        return from_trimap(read_grey(self.truth_paths(id)[0]))
