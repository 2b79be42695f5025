"""TimberSeg 1.0, logs: number 4 of the 23 of Segment Anything."""

from pathlib import Path

from sambench.data.json_input import At
from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard

from ._coco_file import inside
from ._coco_json import PromptableCoco
from ._files import place_of


class Timberseg(PromptableCoco):
    """Logs seen from a forestry crane.

    Args:
        root: folder with ``prescaled/`` and ``original/``, or the one above it.
        version: prescaled, which its authors recommend, or original.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="timberseg",
        title="TimberSeg 1.0",
        licence="stated on its homepage",
        citation="Fortin et al., Instance Segmentation for Autonomous Log Grasping in Forestry "
        "Operations, IROS 2022",
        homepage="https://data.mendeley.com/datasets/y5npsm3gkj",
        steps="unpack the archive of the homepage and give the folder with prescaled as root=",
        layout="from documentation",
        expected={"images": 220, "masks": 2487},
    )

    def __init__(self, root: str = "", version: str = "prescaled") -> None:
        base = place_of(version, data_root("timberseg", root), ("", "y5npsm3gkj-2"))
        folder = base / version
        annotations = require(folder / "coco_annotation.json", type(self))
        super().__init__(annotations, require(folder / "images", type(self)))

    def locate(self, entry: At) -> Path:
        """File of an image; its entry may name a folder before it."""
        name = Path(entry["file_name"].text()).name
        return inside(self.images, entry["file_name"], name)
