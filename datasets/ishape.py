"""iShape, irregular shapes: number 9 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.data.images import read_labels
from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._files import IMAGES, InstanceFiles, by_stem, files_in, place_of
from ._instances import from_labels
from ._subsample import Sampled

PARTS = ("antenna", "branch", "fence", "hanger", "log", "wire")


class Ishape(Sampled, InstanceFiles):
    """Antennas, branches, fences, hangers, logs and wires; each value of a map is an object.

    Args:
        root: folder ``ishape_dataset``, or the one above it.
        sample: "sa23" for about 10,000 masks, "all" for everything.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="ishape",
        title="iShape",
        licence="CC0-1.0",
        citation="Yang et al., iShape: A First Step Towards Irregular Shape Instance "
        "Segmentation, 2021",
        homepage="https://ishape.github.io",
        split="val",
        steps="unpack the archives of the homepage and give the folder ishape_dataset as root=",
        layout="from documentation",
        expected={"images of the paper": 754, "masks of the paper": 9742},
    )

    def __init__(self, root: str = "", sample: str = "sa23") -> None:
        super().__init__(sample)
        self.folder = place_of(PARTS[0], data_root("ishape", root), ("", "ishape_dataset"))
        for part in PARTS:
            require(self.folder / part / "val" / "instance_map", type(self))

    @cached_property
    def _files(self) -> dict[str, tuple[Path, Path]]:
        """Id -> image and map; ids are the part and the name: wire-99."""
        found = {}
        for part in PARTS:
            images = by_stem(files_in(self.folder / part / "val" / "image", IMAGES))
            for path in files_in(self.folder / part / "val" / "instance_map", {".png"}):
                image = images.get(path.stem, path.parent.with_name("image") / f"{path.stem}.jpg")
                found[f"{part}-{path.stem}"] = (image, path)
        return found

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """All ids, part by part."""
        return tuple(self._files)

    def count(self, id: str) -> int:
        """Number of objects."""
        return len(self.instances(id))

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self._files[id][0]

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The instance map of an image."""
        return (self._files[id][1],)

    def instances(self, id: str) -> Instances:
        """Objects in ascending order of their value."""
        return from_labels(read_labels(self._files[id][1]))
