"""SA-1B: the images and automatic masks of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.interfaces import DatasetCard, Instances
from sambench.sources import data_root, require

from ._coco_json import annotated_instances, read_json
from ._files import InstanceFiles, files_in, read_as


class Sa1b(InstanceFiles):
    """Some archives of SA-1B, unpacked in one folder: ``sa_<n>.jpg`` and ``sa_<n>.json``.

    Args:
        root: that folder.

    Raises:
        UserError: it is missing.
    """

    card = DatasetCard(
        name="sa1b",
        title="SA-1B",
        licence="SA-1B Dataset Research License",
        citation="Kirillov et al., Segment Anything, ICCV 2023",
        homepage="https://ai.meta.com/datasets/segment-anything",
        note="Masks were made by a SAM, not by people.",
        steps="accept the licence on the homepage, unpack archives sa_*.tar in one folder, root=",
        layout="from documentation",
    )

    def __init__(self, root: str = "") -> None:
        self.folder = require(data_root("sa1b", root), type(self))

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the annotation files, sa_1 before sa_10."""
        names = [path.stem for path in files_in(self.folder, {".json"})]
        return tuple(sorted(names, key=lambda name: (len(name), name)))

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.folder / f"{id}.jpg"

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The annotations of an image."""
        return (self.folder / f"{id}.json",)

    def instances(self, id: str) -> Instances:
        """Masks in the order of the file."""
        path = self.truth_paths(id)[0]
        content = read_json(path)
        with read_as(path, "annotation file of SA-1B"):
            image, annotations = content["image"], content["annotations"]
            size = (int(image["height"]), int(image["width"]))
            return annotated_instances(path, size, annotations, {"image_id": image["image_id"]})
