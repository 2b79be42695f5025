"""DRAM, paintings: number 21 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.data.images import read_labels
from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._files import InstanceFiles, place_of
from ._instances import from_labels

VOID = 255


class Dram(InstanceFiles):
    """Semantic masks: one for each class of a painting, void is ``ignore``.

    Args:
        root: folder with ``test/<movement>/<artist>/*.jpg`` and ``labels/`` of the same shape, or
            the one above it.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="dram",
        title="Diverse Realism in Art Movements",
        licence="stated on its homepage",
        citation="Cohen et al., Semantic Segmentation in Art Paintings, Eurographics 2022",
        homepage="https://faculty.runi.ac.il/arik/site/artseg/Dram-Dataset.html",
        split="test",
        steps="unpack DRAM_processed.zip of the homepage and the .rar in it, give the folder "
        "DRAM_processed as root=",
        layout="from documentation",
        expected={"images": 718, "masks": 1179},
    )

    def __init__(self, root: str = "") -> None:
        base = place_of("test", data_root("dram", root), ("", "DRAM_processed"))
        self.images = require(base / "test", type(self))
        self.labels = require(base / "labels", type(self))

    @cached_property
    def _images(self) -> dict[str, Path]:
        """Ids are the path below test without ending, with - for /."""
        paths = sorted(path.relative_to(self.images) for path in self.images.glob("**/*.jpg"))
        return {path.with_suffix("").as_posix().replace("/", "-"): path for path in paths}

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Paintings by movement and artist."""
        return tuple(self._images)

    def image_path(self, id: str) -> Path:
        """File of a painting."""
        return self.images / self._images[id]

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The label map of a painting."""
        return (self.labels / self._images[id].with_suffix(".png"),)

    def instances(self, id: str) -> Instances:
        """Classes in ascending order of their label."""
        return from_labels(read_labels(self.truth_paths(id)[0]), ignore=(VOID,))
