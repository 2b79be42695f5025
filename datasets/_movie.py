"""A video file as a clip: decoded by PyAV, frame after frame, opened when a frame is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.files import file_stamp
from sambench.video import Clip

MOVIES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"})
DIGITS = 5
"""Frames of a video file are named 00000, 00001 and so on, as they are in folders of frames."""


class Movie(Clip):
    """Every n-th frame of a video file, from the first.

    Frames that the file says are not shown, because it was cut without being encoded anew, do not
    count. A frame that comes after the last one read is decoded on from there; one before it, from
    the beginning of the file: it is read in order at the speed of the decoder, in memory of one
    frame.

    Args:
        path: the file.
        step: n.

    Raises:
        UserError: PyAV is not installed, or the file cannot be read or has no frames.
    """

    def __init__(self, path: Path, step: int = 1) -> None:
        self.path, self.step = path, step
        with _reading(path), _open(path) as container:
            stream = _video(container, path)
            packets = container.demux(stream)
            stored = sum(1 for packet in packets if packet.size and not packet.is_discard)
            self.size = (stream.height, stream.width)
        if not stored:
            raise UserError(f"{path} has no frames; fetch it again.")
        self.names = tuple(f"{i:0{DIGITS}}" for i in range(0, stored, step))
        self._frames: Iterator[NDArray[np.uint8]] | None = None
        self._next = 0

    def frame(self, index: int) -> NDArray[np.uint8]:
        """A frame of the file."""
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of a clip of {len(self)}")
        if self._frames is None or index < self._next:
            self._frames, self._next = self._decoded(), 0
        for image in self._frames:
            self._next += 1
            if self._next == index + 1:
                return image
        raise UserError(
            f"{self.path} ends before frame {self.names[index]}, although it says that it has "
            f"{len(self)}; it is damaged: fetch it again."
        )

    def _decoded(self) -> Iterator[NDArray[np.uint8]]:
        """Every n-th frame; only these become pixels.

        Raises:
            UserError: the file is damaged, which a decoder hides by parts of other frames, or
                frames are to be turned or of another size.
        """
        with _reading(self.path), _open(self.path) as container:
            stream = _video(container, self.path)
            stream.thread_type = "AUTO"
            for number, frame in enumerate(container.decode(stream)):
                if frame.is_corrupt:
                    raise UserError(
                        f"{self.path} is damaged at frame {number}, of which not all pixels are "
                        "its own; fetch it again."
                    )
                if number % self.step:
                    continue
                if frame.rotation:
                    raise UserError(
                        f"{self.path} is turned by {frame.rotation} degrees when it is shown, so "
                        "which way masks lie is open; save it upright."
                    )
                if (frame.height, frame.width) != self.size:
                    raise UserError(
                        f"{self.path} changes its size at frame {number}; a clip has one size."
                    )
                yield frame.to_ndarray(format="rgb24")

    def stamp(self) -> str | None:
        """Of the file."""
        return file_stamp(self.path)

    def __getstate__(self) -> dict[str, Any]:
        """Another process opens the file itself."""
        return {**self.__dict__, "_frames": None, "_next": 0}


def _open(path: Path) -> Any:
    try:
        import av
    except ImportError:
        raise UserError(
            f"{path} is a video file, which needs PyAV: pip install 'sambench[video]', or give a "
            "folder of frames."
        ) from None
    return av.open(str(path))


def _video(container: Any, path: Path) -> Any:
    """The first stream of images.

    Raises:
        UserError: there is none, as in a file of sound.
    """
    if not container.streams.video:
        raise UserError(f"{path} has no video in it; take it away, or fetch it again.")
    return container.streams.video[0]


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What goes wrong with a file inside is told in a sentence.

    Raises:
        UserError: instead of PyAV's errors.
    """
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError, IndexError) as error:
        raise UserError(
            f"{path} cannot be read as a video ({error}); fetch or save it again."
        ) from None
