"""Objects that are outlined by polygons in JSON files of one's own format."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sambench.errors import UserError
from sambench.images import image_size
from sambench.interfaces import Instances

from ._coco_json import MIN_COORDINATES, read_json, to_rle
from ._files import InstanceFiles, read_as
from ._instances import from_rles, without_empty

Ring = list[float]
"""Corners x, y, x, y and so on."""


def ring(points: Iterable[Sequence[float]]) -> Ring:
    """Corners (x, y) -> flat list."""
    return [float(value) for x, y in points for value in (x, y)]


def from_polygons(
    path: Path, size: tuple[int, int], objects: Iterable[Sequence[Ring]]
) -> Instances:
    """Objects, each of one or more polygons, drawn as COCO's tools draw them.

    Objects without a polygon of three corners, or without a pixel, are left out: nothing could be
    clicked.

    Args:
        path: where they are from, for messages.
        size: (H, W) of the image.
        objects: polygons in pixels of the image.

    Raises:
        UserError: a polygon is none.
    """
    outlined = [rings for rings in objects if any(len(r) >= MIN_COORDINATES for r in rings)]
    try:
        rles = [to_rle(list(rings), *size) for rings in outlined]
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: an object {error}; fetch it again.") from None
    return without_empty(from_rles(size, rles))


def read_via(path: Path) -> dict[str, list[Ring]]:
    """Annotations of the VGG Image Annotator, version 1 or 2: image file name -> outlines.

    A polyline is taken as closed.

    Raises:
        UserError: it is no such file.
    """
    content = read_json(path)
    found: dict[str, list[Ring]] = {}
    with read_as(path, "file of the VGG Image Annotator"):
        for entry in content.get("_via_img_metadata", content).values():
            regions = entry["regions"]
            listed = regions.values() if isinstance(regions, dict) else regions
            shapes = [region["shape_attributes"] for region in listed]
            found.setdefault(entry["filename"], []).extend(
                ring(zip(shape["all_points_x"], shape["all_points_y"], strict=True))
                for shape in shapes
            )
    return found


@dataclass(frozen=True)
class Outlined:
    """Outlines of one image.

    Attributes:
        image: its file.
        source: the file that they are from.
        objects: for each object its polygons.
    """

    image: Path
    source: Path
    objects: list[list[Ring]]


class OutlinedFiles(InstanceFiles):
    """Datasets whose outlines are in few files, read at once."""

    @cached_property
    @abstractmethod
    def outlined(self) -> dict[str, Outlined]:
        """Id -> outlines, in the order of the dataset."""

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """All images that have an entry."""
        return tuple(self.outlined)

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.outlined[id].image

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The file that its outlines are from."""
        return (self.outlined[id].source,)

    def instances(self, id: str) -> Instances:
        """Objects in the order of the file."""
        entry = self.outlined[id]
        return from_polygons(entry.source, image_size(entry.image), entry.objects)
