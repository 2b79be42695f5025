"""BBBC038v1, nuclei of the 2018 Data Science Bowl: number 2 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.data.sources import data_root, require
from sambench.errors import UserError
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._files import InstanceFiles, files_in
from ._label_maps import from_single_masks
from ._subsample import Sampled


class Bbbc038v1(Sampled, InstanceFiles):
    """Nuclei under the microscope, one mask file for each.

    Args:
        root: folder with ``stage1_train/<id>/images/`` and ``stage1_train/<id>/masks/``.
        sample: "sa23" for about 10,000 masks, "all" for everything.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="bbbc038v1",
        title="Broad Bioimage Benchmark Collection BBBC038v1, nuclei",
        licence="CC0-1.0",
        citation="Caicedo et al., Nucleus segmentation across imaging experiments: the 2018 Data "
        "Science Bowl, Nature Methods 2019",
        homepage="https://bbbc.broadinstitute.org/BBBC038",
        split="stage1_train",
        steps="unpack stage1_train.zip of the homepage in a folder stage1_train, give the folder "
        "above it as root=",
        layout="verified on real files",
        seen="39 images of stage1_train: 2148 nuclei, each as its file stores it",
        expected={"images of the paper": 227, "masks of the paper": 10506},
    )

    def __init__(self, root: str = "", sample: str = "sa23") -> None:
        super().__init__(sample)
        self.folder = require(data_root("bbbc038v1", root) / "stage1_train", type(self))

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """Names of the folders, sorted as text."""
        return tuple(sorted(path.name for path in self.folder.iterdir() if path.is_dir()))

    def count(self, id: str) -> int:
        """Number of mask files."""
        return len(self.truth_paths(id))

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.folder / id / "images" / f"{id}.png"

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """Files of its masks."""
        return tuple(files_in(self.folder / id / "masks", {".png"}))

    def instances(self, id: str) -> Instances:
        """Nuclei in the order of their file names."""
        paths = self.truth_paths(id)
        if not paths:
            raise UserError(f"{self.folder / id / 'masks'} has no masks; fetch the dataset again.")
        return from_single_masks(paths)
