"""Objects that are outlined by polygons in JSON files of one's own format."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sambench.data.images import image_size
from sambench.data.json_input import At, read
from sambench.errors import UserError
from sambench.truths import Instances

from ._coco_file import inside
from ._files import InstanceFiles
from ._instances import from_rles, without_empty
from ._outlines import MIN_COORDINATES, Ring, to_rle, within_reach


def corners(at: At) -> Ring:
    """A list of corners (x, y) -> flat list."""
    return [value for item in at.items() for value in item.numbers(2, "a corner x, y")]


def from_polygons(
    path: Path, size: tuple[int, int], objects: Iterable[Sequence[Ring]]
) -> Instances:
    """Objects, each of one or more polygons, drawn as COCO's tools draw them.

    Objects without a polygon of three corners, or without a pixel, are left out: nothing could be
    clicked.

    Args:
        path: where they are from, for messages.
        size: (H, W) of the image.
        objects: polygons in pixels of the image, all coordinates finite.

    Raises:
        UserError: a polygon is far outside the image.
    """
    rles = []
    for number, rings in enumerate(objects):
        parts = [ring for ring in rings if len(ring) >= MIN_COORDINATES]
        for ring in parts:
            if not within_reach(ring, size):
                raise UserError(
                    f"{path}: object {number} of an image of {size[1]} x {size[0]} pixels has the "
                    f"coordinate {max(ring, key=abs):g}, far outside; correct the file."
                )
        if parts:
            rles.append(to_rle(parts, size))
    return without_empty(from_rles(size, rles))


def read_via(path: Path, images: Path) -> dict[str, "Outlined"]:
    """Annotations of the VGG Image Annotator, version 1 or 2, by the names of images, sorted.

    Each outline is an object; a polyline is taken as closed.

    Args:
        path: the file.
        images: folder of the images.

    Raises:
        UserError: it is no such file.
    """
    top = read(path)
    found: dict[str, Outlined] = {}
    for _, entry in (top.get("_via_img_metadata") or top).members():
        regions, name = entry["regions"], entry["filename"]
        listed = regions.items() if isinstance(regions.value, list) else [*_values(regions)]
        outlined = found.setdefault(name.text(), Outlined(inside(images, name), path, []))
        outlined.objects.extend([_ring(region["shape_attributes"])] for region in listed)
    return dict(sorted(found.items()))


def _values(at: At) -> Iterator[At]:
    return (value for _, value in at.members())


def _ring(shape: At) -> Ring:
    xs, ys = shape["all_points_x"].numbers(), shape["all_points_y"].numbers()
    if len(xs) != len(ys):
        shape.fail(f"has {len(xs)} x and {len(ys)} y coordinates")
    return [float(value) for corner in zip(xs, ys, strict=True) for value in corner]


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


def by_id(outlined: Iterable[tuple[str, Outlined]]) -> dict[str, Outlined]:
    """Images by their ids.

    Raises:
        UserError: two have the same.
    """
    found: dict[str, Outlined] = {}
    for id, one in outlined:
        if id in found:
            raise UserError(
                f"{one.source} has {found[id].image} and {one.image}, which get the same id {id}; "
                "rename one."
            )
        found[id] = one
    return found


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
