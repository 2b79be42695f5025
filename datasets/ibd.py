"""InstanceBuilding 2D, roofs seen from drones: number 17 of the 23 of Segment Anything."""

from pathlib import Path

from sambench.data.sources import require
from sambench.errors import UserError
from sambench.interfaces import DatasetCard

from ._coco_json import PromptableCoco


class Ibd(PromptableCoco):
    """Roofs; how the archive is laid out is published nowhere, so you point to its files.

    Args:
        annotations: the training annotations in COCO's format.
        images: folder that the file names in it are relative to.

    Raises:
        UserError: files are missing or not given.
    """

    card = DatasetCard(
        name="ibd",
        title="InstanceBuilding 2D",
        licence="free for non-commercial use",
        citation="Chen et al., 3D Instance Segmentation of MVS Buildings, TGRS 2022",
        homepage="https://californiachen.github.io/datasets/InstanceBuilding",
        split="train (2D annotations)",
        steps="download the 2D annotations of the homepage and give the training annotations in "
        "COCO's format with their images as ibd:annotations=FILE,images=DIR",
        layout="not documented anywhere; COCO's format is assumed",
        expected={"images": 467, "masks": 11953},
    )

    neutral = frozenset({"annotations", "images"})

    def __init__(self, annotations: str = "", images: str = "") -> None:
        if not (annotations and images):
            raise UserError(f"ibd needs both its annotations and images; {self.card.steps}.")
        file, folder = Path(annotations).expanduser(), Path(images).expanduser()
        super().__init__(require(file, type(self)), require(folder, type(self)))
