"""WoodScape, fisheye cameras of cars: number 18 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.data.json_input import At, read
from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._files import InstanceFiles, by_stem, files_in
from ._outlines import Ring
from ._polygons import corners, from_polygons
from ._subsample import Sampled

IMAGES, TRUTH = "rgb_images", "instance_annotations"


class Woodscape(Sampled, InstanceFiles):
    """Instance polygons of all classes, road and sky among them.

    Args:
        root: folder with ``rgb_images/`` and ``instance_annotations/``; an archive's own folder
            of the same name inside is looked into.
        sample: "sa23" for about 10,000 masks, "all" for everything.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="woodscape",
        title="WoodScape",
        licence="terms on its homepage: research",
        citation="Yogamani et al., WoodScape: A multi-task, multi-camera fisheye dataset for "
        "autonomous driving, ICCV 2019",
        homepage="https://woodscape.valeo.com",
        split="set 1",
        steps="unpack rgb_images.zip and instance_annotations.zip of the homepage in folders of "
        "these names and give the folder above as root=",
        layout="from documentation",
        expected={"images of the paper": 107, "masks of the paper": 10266},
    )

    def __init__(self, root: str = "", sample: str = "sa23") -> None:
        super().__init__(sample)
        base = data_root("woodscape", root)
        self.images = require(_innermost(base / IMAGES), type(self))
        self.truth = require(_innermost(base / TRUTH), type(self))

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """Names of the annotation files: 00000_FV."""
        return tuple(by_stem(files_in(self.truth, {".json"})))

    def count(self, id: str) -> int:
        """Number of annotations."""
        return len(self._read(id)[1])

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.images / f"{id}.png"

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The annotations of an image."""
        return (self.truth / f"{id}.json",)

    def instances(self, id: str) -> Instances:
        """Objects in the order of the file."""
        size, annotations = self._read(id)
        objects = [_rings(annotation["segmentation"]) for annotation in annotations]
        return from_polygons(self.truth_paths(id)[0], size, objects)

    def _read(self, id: str) -> tuple[tuple[int, int], list[At]]:
        """Size (H, W) and annotations."""
        path = self.truth_paths(id)[0]
        entry = read(path)[path.name]
        size = entry["image_height"].whole(1), entry["image_width"].whole(1)
        return size, entry["annotation"].items()


def _innermost(folder: Path) -> Path:
    """The folder, or one of the same name inside it."""
    inside = folder / folder.name
    return inside if inside.is_dir() else folder


def _rings(at: At) -> list[Ring]:
    """One polygon as corners (x, y), or several polygons of this kind."""
    parts = at.items("polygons")
    nested = parts and parts[0].value and isinstance(parts[0].items()[0].value, list)
    return [corners(part) for part in parts] if nested else [corners(at)]
