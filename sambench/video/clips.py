"""Clips: frames in the order of time, each read when it is asked for and kept by nobody."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sambench.data.images import Decoding, image_size, read_rgb
from sambench.errors import UserError
from sambench.files import file_stamp
from sambench.findings import Size
from sambench.interfaces import Dataset
from sambench.video.tracks import Tracks

PLAIN = Decoding()
IMAGES, CLIPS = "images", "clips"
"""What a dataset may be of, in the plural."""


class Clip(ABC):
    """Frames of one size.

    Attributes:
        names: of the frames, in the order of time, each once.
        size: (H, W) of every frame.
    """

    names: tuple[str, ...]
    size: Size

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """All frames in order, read one by one."""
        return (self.frame(index) for index in range(len(self)))

    @abstractmethod
    def frame(self, index: int) -> NDArray[np.uint8]:
        """One frame, (H, W, 3) uint8 RGB, read anew at every call.

        Args:
            index: from 0; a negative one is out of range.

        Raises:
            IndexError: there is no such frame.
            UserError: it cannot be read, or is of another size than the clip.
        """

    @abstractmethod
    def stamp(self) -> str | None:
        """What changes whenever a pixel may have, found without reading any; None if unknown."""


class FileClip(Clip):
    """A clip of an image file for each frame.

    Args:
        paths: of the frames, in the order of time; a frame's name is that of its file without
            ending.
        decoding: settles what the files leave open.

    Raises:
        UserError: there is no frame, two have the same name, or the first cannot be read.
    """

    def __init__(self, paths: Sequence[Path], decoding: Decoding = PLAIN) -> None:
        if not paths:
            raise UserError("a clip has no frames; give one image file for each.")
        self.paths, self.decoding = tuple(paths), decoding
        self.names = tuple(path.stem for path in paths)
        if len(set(self.names)) != len(paths):
            second = next(p for i, p in enumerate(paths) if p.stem in self.names[:i])
            first = self.paths[self.names.index(second.stem)]
            raise UserError(f"{first} and {second} are frames of the same name; rename one.")
        self.size = image_size(self.paths[0], decoding)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """The image of a file."""
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of a clip of {len(self)}")
        path = self.paths[index]
        image = read_rgb(path, self.decoding)
        if image.shape[:2] != self.size:
            raise UserError(
                f"{path} has size {image.shape[:2]}, but the first frame of its clip, "
                f"{self.paths[0].name}, has {self.size} (height, width); a clip has one size."
            )
        return image

    def stamp(self) -> str | None:
        """Of sizes and times of all files; None if one is missing."""
        whole = hashlib.sha256()
        for path in self.paths:
            own = file_stamp(path)
            if own is None:
                return None
            whole.update(f"{path.name} {own}\n".encode())
        return whole.hexdigest()


class ClipDataset(Dataset):
    """Clips and the tracks of their objects, by id, in a fixed order."""

    truths: tuple[type, ...] = (Tracks,)

    @abstractmethod
    def clip(self, id: str) -> Clip:
        """The frames of a clip, none of which is read yet.

        Raises:
            UserError: there are none, or the first cannot be read.
        """

    def read_image(self, id: str) -> NDArray[np.uint8]:
        """The first frame, (H, W, 3) uint8 RGB, which stands for the clip where one image must."""
        return self.clip(id).frame(0)

    def stamp(self, id: str) -> str | None:
        """Of all frames."""
        return self.clip(id).stamp()


def items_of(dataset: Dataset) -> str:
    """What a dataset is of, one of `IMAGES` and `CLIPS`."""
    return CLIPS if isinstance(dataset, ClipDataset) else IMAGES
