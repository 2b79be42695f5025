"""Datasets whose truth lies in files of its own for each image."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sambench.data.images import Decoding, image_size, read_rgb
from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import JSON, Dataset, T
from sambench.truths import Instances

IMAGES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".avif"}
)
LABELS = frozenset({".png", ".bmp", ".tif", ".tiff", ".gif"})
"""Lossless formats: the only ones fit for labels."""


def files_in(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """Files of a folder whose name ends so, in any case, sorted by name; hidden ones left out.

    Raises:
        UserError: it is not a folder that can be listed.
    """
    wanted = frozenset(suffixes)
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() in wanted]
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({error.strerror}); check its name.") from None
    return sorted(path for path in found if not path.name.startswith("."))


def refuse_loop(folder: Path) -> None:
    """A link to a folder that holds it would give every file again and again.

    Raises:
        UserError: the folder is such a link.
    """
    if folder.is_symlink():
        target, holder = folder.resolve(), folder.parent.resolve()
        if target in (holder, *holder.parents):
            raise UserError(f"{folder} is a link to a folder that holds it; remove the link.")


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """File name without its ending -> file.

    Raises:
        UserError: two files have the same.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if path.stem in found:
            raise UserError(f"{found[path.stem]} and {path} have the same name; rename one.")
        found[path.stem] = path
    return found


def place_of(marker: str, base: Path, places: Iterable[str]) -> Path:
    """The first of the places below base that holds marker; base itself if none does."""
    found = (base / place for place in places if (base / place / marker).exists())
    return next(found, base)


@contextmanager
def read_as(path: Path, what: str) -> Iterator[None]:
    """What goes wrong inside is told as: the file is not what it should be.

    Raises:
        UserError: instead of errors that a file of another structure causes.
    """
    try:
        yield
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is no {what} ({error}); fetch it again.") from None


class FileDataset(Dataset):
    """One image file and some truth files for each id."""

    decoding: Decoding = Decoding()
    """Settles what image files leave open; where nothing does, such files are refused."""

    @abstractmethod
    def image_path(self, id: str) -> Path:
        """File of an image."""

    @abstractmethod
    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """Files that its truth is read from."""

    def reading(self) -> JSON:
        """Options that change what is read from these files."""
        return {}

    def read_image(self, id: str) -> NDArray[np.uint8]:
        """The image (H, W, 3) uint8 RGB; refused if it could be read in two ways."""
        return read_rgb(self.image_path(id), self.decoding, partial(self.annotated_size, id))

    def annotated_size(self, id: str) -> tuple[int, int] | None:
        """(H, W) that the annotations of an image are for; None if they do not tell."""
        return None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over ids, the content of their truth files and the options of reading."""
        paths = {path for id in self.ids for path in self.truth_paths(id)}
        digests = {path: sha256(path) for path in paths}
        whole = hashlib.sha256(json.dumps(self.reading(), sort_keys=True).encode())
        for id in self.ids:
            parts = [digests[path] for path in self.truth_paths(id)]
            whole.update(json.dumps([id, *parts]).encode())
        return whole.hexdigest()


class InstanceFiles(FileDataset):
    """Object masks from files; their size must be that of the image."""

    truths: tuple[type, ...] = (Instances,)

    @abstractmethod
    def instances(self, id: str) -> Instances:
        """The objects of an image."""

    def read_truth(self, id: str, kind: type[T]) -> T:
        """Objects of an image; the size of their masks must be the image's."""
        assert kind is Instances
        truth, image = self.instances(id), self.image_path(id)
        size = image_size(image, self.decoding, truth.size)
        if truth.size != size:
            raise UserError(
                f"{image} has size {size}, but its truth {self.truth_paths(id)[0]} has "
                f"{truth.size} (height, width); they must be equal"
                f"{self._as_stored(id, truth.size)}."
            )
        return cast(T, truth)

    def _as_stored(self, id: str, size: tuple[int, int]) -> str:
        """The remedy, where masks fit the stored pixels of an image that is turned on display."""
        stored = replace(self.decoding, orientation="stored")
        ask = self.decoding.ask("orientation", "stored")
        if not ask or image_size(self.image_path(id), stored) != size:
            return ""
        return f": EXIF data turn the image, so give {ask} if masks are of its stored pixels"

    def annotated_size(self, id: str) -> tuple[int, int] | None:
        """The size of the masks."""
        return self.instances(id).size
