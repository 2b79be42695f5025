"""What readers of people's own images and annotations share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from sambench.data.images import Decoding, Intensity, image_size
from sambench.data.json_input import At
from sambench.data.sources import require
from sambench.errors import UserError
from sambench.interfaces import Dataset, T
from sambench.truths import Concepts, Instances, Segments

from ._concepts import from_categories
from ._files import IMAGES, InstanceFiles, files_in, refuse_loop
from ._segments import from_instances

UNREAD = frozenset(
    {
        *(".heic", ".heif", ".jxl", ".jp2", ".j2k", ".dng", ".cr2", ".cr3", ".nef", ".arw"),
        *(".dcm", ".nii", ".exr", ".ppm", ".pgm", ".pbm", ".pnm", ".tga"),
    }
)
"""Endings of photographs that are not read."""


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes:
        skip: kinds of shape to leave out.
        ignore: labels of regions whose pixels do not count.
        decoding: settles what image files leave open.
    """

    skip: frozenset[str]
    ignore: frozenset[str]
    decoding: Decoding

    @classmethod
    def of(cls, skip: str, ignore: str, decoding: Decoding) -> Reading:
        """From options, whose parts are separated by ``+``."""
        return cls(parts_of(skip), parts_of(ignore), decoding)


def parts_of(text: str) -> frozenset[str]:
    """``a+b`` -> a and b."""
    return frozenset(filter(None, text.split("+")))


def decoding_of(orientation: str, intensity: str, page: int) -> Decoding:
    """What settles image files, from options.

    Raises:
        UserError: one is unknown.
    """
    return Decoding(orientation, Intensity.parse(intensity), page, "{}=")


class OwnInstances(InstanceFiles):
    """People's own images and objects, by categories if these have names.

    The name of a category is a phrase, and negative where no object has it.
    """

    truths: tuple[type, ...] = (Instances, Concepts, Segments)
    neutral = frozenset({"root", "images", "annotations", "masks", "data"})

    @property
    @abstractmethod
    def categories(self) -> Mapping[int, str]:
        """Category id -> name."""

    def read_truth(self, id: str, kind: type[T]) -> T:
        """Objects, phrases or segments of an image; segments are objects laid over each other."""
        truth = self.of_image_size(id)
        if kind is Segments:
            return cast(T, from_instances(truth))
        if kind is Concepts:
            if 0 in truth.categories and 0 not in self.categories:
                raise UserError(
                    f"{self.truth_paths(id)[0]} has objects without a label for {id}, and a phrase "
                    "is asked for; label them all."
                )
            absent = self.categories.keys() - set(truth.categories.tolist())
            return cast(T, from_categories(truth, self.categories, absent=absent))
        assert kind is Instances
        return cast(T, truth)

    def of_image_size(self, id: str) -> Instances:
        """The objects of an image, of whose size they must be."""
        return super().read_truth(id, Instances)


def label_of(at: At) -> str:
    """A category's name in JSON; numbers are names too.

    Raises:
        UserError: it is neither text nor a whole number, or it is blank.
    """
    name = str(at.id()).strip()
    return name or at.expected("a name")


def matched_size(
    image: Path, source: Path, decoding: Decoding, given: tuple[int, int] | None = None
) -> tuple[int, int]:
    """(H, W) of an image, which must be what its annotations say.

    Args:
        image: its file.
        source: the file of its annotations.
        decoding: settles what the image file leaves open.
        given: (H, W) that they are for, if they say it.

    Raises:
        UserError: the sizes differ, or the image cannot be read.
    """
    size = image_size(image, decoding, given)
    if given and given != size:
        raise UserError(
            f"{image} is {size[1]} x {size[0]} pixels, but {source} was made for {given[1]} x "
            f"{given[0]}; use the image that was annotated."
        )
    return size


def all_images(folder: Path) -> list[Path]:
    """Images of a folder and of the folders in it, sorted by path; hidden ones left out.

    Raises:
        UserError: there is an image of a kind that is not read, which must not be left out in
            silence, or a link that leads in a circle.
    """
    if unread := files_in(folder, UNREAD):
        raise UserError(f"{unread[0]} is an image that is not read; convert it to PNG.")
    found = [*files_in(folder, IMAGES)]
    for below in sorted(path for path in folder.iterdir() if path.is_dir()):
        if not below.name.startswith("."):
            refuse_loop(below)
            found += all_images(below)
    return found


def images_by_id(folder: Path, suffixes: frozenset[str] = IMAGES) -> dict[str, Path]:
    """The images of a folder and of the folders in it, by `id_of`.

    Raises:
        UserError: two have the same name, or see `all_images`.
    """
    found: dict[str, Path] = {}
    for path in all_images(folder):
        if path.suffix.lower() in suffixes:
            first = found.setdefault(id_of(path, folder), path)
            if first != path:
                raise UserError(f"{first} and {path} have the same name; rename one.")
    return found


def named_file(folder: Path, name: str) -> Path:
    """A file of a folder by its name in an annotation file, which Windows may have written."""
    path = folder / name
    return path if "\\" not in name or path.exists() else folder / name.replace("\\", "/")


def id_of(path: Path, folder: Path) -> str:
    """Path below a folder without its ending: the name of an image."""
    return path.relative_to(folder).with_suffix("").as_posix()


def folder_of(dataset: type[Dataset], root: str) -> Path:
    """The folder that an option names.

    Raises:
        UserError: there is none, or it is a file.
    """
    if not root:
        raise UserError(f"{dataset.card.name} needs a folder; {dataset.card.steps}.")
    folder = require(Path(root).expanduser(), dataset)
    if not folder.is_dir():
        way = "unpack it and " if folder.suffix.lower() == ".zip" else ""
        raise UserError(f"{folder} is a file; {way}{dataset.card.steps}.")
    return folder


def one_file(
    dataset: type[Dataset], root: str, annotations: str, images: str, ending: str
) -> tuple[Path, Path]:
    """The annotation file and the folder of images that options name.

    Args:
        dataset: whose options they are.
        root: folder with the one file of that ending, and the images beside it or in ``images``.
        annotations: the file itself, instead.
        images: folder of images, where it is another.
        ending: such as .json.

    Raises:
        UserError: something is missing, or the folder has several such files.
    """
    named = Path(annotations or root).expanduser()
    file = (
        require(named, dataset)
        if named.suffix.lower() == ending
        else folder_of(dataset, annotations or root)
    )
    if file.is_dir():
        found = files_in(file, {ending})
        if len(found) != 1:
            raise UserError(
                f"{file} has {len(found)} {ending} files, expected one; name it with annotations=."
            )
        file = found[0]
    beside = file.parent / "images"
    folder = Path(images).expanduser() if images else beside if beside.is_dir() else file.parent
    return file, require(folder, dataset)
