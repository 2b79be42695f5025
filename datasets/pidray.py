"""PIDray, X-ray images of luggage: number 20 of the 23 of Segment Anything."""

from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard

from ._coco_json import PromptableCoco
from ._files import place_of


class Pidray(PromptableCoco):
    """Prohibited items, the hard test set.

    Args:
        root: folder with ``annotations/`` and ``hard/``, or the one above it.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="pidray",
        title="PIDray",
        licence="stated on its homepage",
        citation="Wang et al., Towards Real-World Prohibited Item Detection: A Large-Scale X-ray "
        "Benchmark, ICCV 2021",
        homepage="https://github.com/bywang2018/security-dataset",
        split="test (hard)",
        steps="unpack the archive of the homepage and give the folder pidray as root=",
        layout="from documentation",
        expected={"images": 3733, "masks": 8892},
    )

    def __init__(self, root: str = "") -> None:
        base = place_of("annotations", data_root("pidray", root), ("", "pidray"))
        annotations = require(base / "annotations" / "xray_test_hard.json", type(self))
        super().__init__(annotations, require(base / "hard", type(self)))
