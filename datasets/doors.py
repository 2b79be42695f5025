"""DOORS, boulders on small bodies: number 3 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._files import InstanceFiles, place_of
from ._instances import encode, from_rles
from ._label_maps import read_grey
from ._listed import read_names

LISTS = ("Te1.txt", "Te2.txt")
"""The two test sets of 5,000: the paper says DS1 and counts 10,000 images."""
BOULDER = 255


class Doors(InstanceFiles):
    """Rendered boulders, one in each image; grey value 255 is the boulder.

    Args:
        root: folder with ``Segmentation/DS1/DS/``, which holds ``img/``, ``mask/`` and lists.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="doors",
        title="DOORS: Dataset fOr bOuldeRs Segmentation",
        licence="stated on its homepage",
        citation="Pugliatti and Topputo, DOORS: Dataset fOr bOuldeRs Segmentation, 2022",
        homepage="https://zenodo.org/record/7107409",
        split="DS1, both test sets",
        steps="unpack the archive of the homepage and give the folder with Segmentation as root=",
        layout="from documentation",
        expected={"images": 10000, "masks": 10000},
    )

    def __init__(self, root: str = "") -> None:
        base = place_of("Segmentation", data_root("doors", root), ("", "DOORS"))
        self.folder = base / "Segmentation" / "DS1" / "DS"
        for name in (*LISTS, "img", "mask"):
            require(self.folder / name, type(self))

    @cached_property
    def _names(self) -> dict[str, str]:
        """Id -> file name."""
        names = [name for list_ in LISTS for name in read_names(self.folder / list_)]
        return {Path(name).stem: name for name in names}

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names as the lists have them, without ending."""
        return tuple(self._names)

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.folder / "img" / self._names[id]

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The mask of an image."""
        return (self.folder / "mask" / self._names[id],)

    def instances(self, id: str) -> Instances:
        """One boulder; none where the mask is empty."""
        mask = read_grey(self.truth_paths(id)[0]) == BOULDER
        height, width = mask.shape
        return from_rles((height, width), [encode(mask)] if mask.any() else [])
