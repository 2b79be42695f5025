"""Clips of an image file a frame, whose masks are label images with the names of their frames."""

import hashlib
import json
import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sambench.data.images import Decoding, read_labels
from sambench.data.text_lists import read_lines
from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import JSON, T
from sambench.masks.rle import encode
from sambench.shown import RLE
from sambench.video import Clip, ClipDataset, FileClip, Tracks
from sambench.video.tracks import values_in

from ._files import IMAGES, LABELS, files_in

VOID = 255
"""Value of the pixels in masks of DAVIS 2017 that belong to no object for certain."""
MOST_OBJECTS = 255
"""A label image of 8 bits numbers no more."""


def in_time(paths: Sequence[Path]) -> list[Path]:
    """Frames in the order of time, which is that of their numbers.

    Raises:
        UserError: names as text and their numbers order the frames differently, or numbers alone do
            not tell two apart.
    """
    by_number = sorted(paths, key=lambda path: (_parts(path), path.name))
    by_name = sorted(paths, key=lambda path: path.name)
    if by_number != by_name and not all(path.stem.isdecimal() for path in paths):
        other = next(p for p, q in zip(by_name, by_number, strict=True) if p != q)
        raise UserError(
            f"{other} has its place among the frames by its name, or another one by its number; "
            "give all numbers as many digits."
        )
    return by_number


def _parts(path: Path) -> list[tuple[int, int | str]]:
    """A name cut into numbers and what is between them, so that 9 comes before 10."""
    parts = re.split(r"(\d+)", path.stem)
    return [(i % 2, int(part) if i % 2 else part) for i, part in enumerate(parts)]


def folders_in(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones left out.

    Raises:
        UserError: it is not a folder that can be listed.
    """
    try:
        found = [path.name for path in folder.iterdir() if path.is_dir()]
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({error.strerror}); check its name.") from None
    return sorted(name for name in found if not name.startswith("."))


def listed(path: Path) -> list[str]:
    """Names of clips in a list, one a line; of paths of frames the clips of the frames, each once.

    Raises:
        UserError: it cannot be read, or names nothing.
    """
    places = [PurePosixPath(line.split()[0]) for line in read_lines(path)]
    names = [each.parent.name if each.suffix.lower() in IMAGES else each.name for each in places]
    if not names:
        raise UserError(f"{path} names no clip; fetch it again.")
    return list(dict.fromkeys(names))


@dataclass(frozen=True)
class LabelReading:
    """What the values of label images mean.

    Attributes:
        void: the value of pixels that belong to no object for certain; 0 if there is none.
        merged: every value but 0 is the same object, number 1.
        prompts: masks show each object in its first frame alone, where it is to be prompted:
            elsewhere nobody looked for it.
    """

    void: int = 0
    merged: bool = False
    prompts: bool = False

    def frame(self, path: Path, size: tuple[int, int]) -> dict[int, RLE]:
        """The objects of one label image by their values, void too.

        Raises:
            UserError: it is no label image, of another size, or has values that are no objects.
        """
        labels = read_labels(path)
        if labels.shape != size:
            raise UserError(
                f"{path} has size {labels.shape}, but its frame has {size} (height, width); save "
                "masks at the size of the frames."
            )
        values = [int(value) for value in values_in(labels) if value]
        if values and not 0 < values[0] <= values[-1] <= MOST_OBJECTS:
            odd = values[0] if values[0] < 0 else values[-1]
            raise UserError(
                f"{path} has an object numbered {odd}; number objects from 1 to {MOST_OBJECTS}, 0 "
                "being the background."
            )
        if self.merged:
            return {1: _encoded(labels != 0)} if values else {}
        return {value: _encoded(labels == value) for value in values}

    def tracks(self, clip: Clip, masks: Mapping[int, Path]) -> Tracks:
        """What the label images of a clip say.

        Args:
            clip: its frames.
            masks: label image of each annotated frame, by its place in the clip.
        """
        found = {i: self.frame(path, clip.size) for i, path in sorted(masks.items())}
        unsure = {i: own.pop(self.void) for i, own in found.items() if self.void in own}
        ids = sorted({id for own in found.values() for id in own})
        nowhere = _encoded(np.zeros(clip.size, dtype=bool))
        tracks: dict[int, tuple[RLE | None, ...]] = {}
        for id in ids:
            seen = {i: own.get(id, nowhere) for i, own in found.items()}
            if self.prompts:
                first = next(i for i, own in found.items() if id in own)
                seen = {first: seen[first]}
            tracks[id] = tuple(seen.get(i) for i in range(len(clip)))
        void = tuple(unsure.get(i) for i in range(len(clip))) if unsure else ()
        return Tracks(clip.names, clip.size, tracks, void)


def _encoded(mask: NDArray[np.bool_]) -> RLE:
    return encode(mask[None])[0]


class LabelClips(ClipDataset):
    """Clips with a folder of frames, and a folder of label images with the names of frames.

    A label image without a value but 0 says that no object is to be seen; a frame without a label
    image, that nobody looked.
    """

    decoding: Decoding = Decoding()
    labels: LabelReading = LabelReading()
    from_the_first: bool = True
    """Whether the first frame of every clip has masks."""

    @abstractmethod
    def frames_folder(self, id: str) -> Path:
        """Where the frames of a clip are."""

    @abstractmethod
    def masks_folder(self, id: str) -> Path:
        """Where its label images are."""

    def frame_paths(self, id: str) -> list[Path]:
        """Files of the frames of a clip, in the order of time.

        Raises:
            UserError: there are none, or their order is open.
        """
        folder = self.frames_folder(id)
        paths = in_time(files_in(folder, IMAGES))
        if not paths:
            raise UserError(f"{folder} has no frames ({', '.join(sorted(IMAGES))}); add them.")
        return paths

    def clip(self, id: str) -> Clip:
        """The frames of a clip."""
        return FileClip(self.frame_paths(id), self.decoding)

    def image_path(self, id: str) -> Path | None:
        """File of the first frame."""
        return self.frame_paths(id)[0]

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The label images of a clip, in the order of their frames."""
        return tuple(self._masks(id, self.clip(id)).values())

    def _masks(self, id: str, clip: Clip) -> dict[int, Path]:
        """Label images by the places of their frames.

        Raises:
            UserError: one is of no frame, or the first frame has none although it should.
        """
        return masks_of_frames(self.masks_folder(id), clip.names, first=self.from_the_first)

    def read_truth(self, id: str, kind: type[T]) -> T:
        """The tracks of a clip."""
        assert kind is Tracks
        clip = self.clip(id)
        return cast(T, self.labels.tracks(clip, self._masks(id, clip)))

    def reading(self) -> JSON:
        """How values are understood."""
        return {"reader": type(self).__name__}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the reading, the clips, the names of their frames and the label images."""
        whole = hashlib.sha256(json.dumps(self.reading(), sort_keys=True).encode())
        for id in self.ids:
            clip = self.clip(id)
            masks = {clip.names[i]: sha256(path) for i, path in self._masks(id, clip).items()}
            whole.update(json.dumps([id, clip.names, masks]).encode())
        return whole.hexdigest()


def masks_of_frames(folder: Path, names: Sequence[str], *, first: bool) -> dict[int, Path]:
    """Label images of a folder by the places of the frames of the same name.

    Args:
        folder: of label images.
        names: of the frames.
        first: whether the first frame must have one.

    Raises:
        UserError: one is of no frame, or the first frame has none although it should.
    """
    places = {name: i for i, name in enumerate(names)}
    found: dict[int, Path] = {}
    for path in files_in(folder, LABELS):
        if path.stem not in places:
            raise UserError(
                f"{path} is the mask of no frame of its clip; add the image {path.stem}, or take "
                "the mask away."
            )
        if places[path.stem] in found:
            raise UserError(f"{folder} has two masks {path.stem}; keep one.")
        found[places[path.stem]] = path
    if not found:
        raise UserError(f"{folder} has no masks ({', '.join(sorted(LABELS))}); add them.")
    if first and 0 not in found:
        raise UserError(
            f"{folder} has no mask of the first frame, {names[0]}; add it: objects are "
            "prompted there."
        )
    return dict(sorted(found.items()))
