"""SA-1B: the images and automatic masks of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.data.json_input import At, read
from sambench.data.sources import data_root, require
from sambench.interfaces import JSON, DatasetCard
from sambench.truths import Instances

from ._coco_file import (
    annotated_instances,
    check_annotations,
    distinct,
    read_annotation,
    require_outline,
    size_of,
)
from ._files import InstanceFiles, files_in


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
        top = read(self.truth_paths(id)[0])
        image = top["image"]
        size = size_of(image)
        listed = [(at, read_annotation(at, size)) for at in distinct(top["annotations"])]
        for at, annotation in listed:
            require_outline(at, annotation)
        check_annotations(listed)
        extra = {"image_id": image["image_id"].id(), **_points([at for at, _ in listed])}
        return annotated_instances(size, [a for _, a in listed], extra)


def _points(annotations: list[At]) -> JSON:
    """The point (x, y) that each mask was made from, as extra ``points`` where all have one."""
    if not all("point_coords" in at for at in annotations):
        return {}
    return {"points": [_point(at["point_coords"]) for at in annotations]}


def _point(at: At) -> list[float]:
    found = at.items("a list [[x, y]]")
    if not found:
        at.expected("a list [[x, y]]")
    return found[0].numbers(2, "a list [x, y]")
