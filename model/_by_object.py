"""What video networks with a memory share here: each object of a clip is followed by itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sambench.video.clips import Clip
from sambench.video.interfaces import Answers, VideoModel


class LazyFrames(dict[int, Tensor]):
    """Frames of a clip as a network takes them, each read and prepared when it is asked for.

    Args:
        clip: whose frames they are.
        prepare: makes what the network takes of a frame (H, W, 3) uint8 RGB.
    """

    def __init__(self, clip: Clip, prepare: Callable[[NDArray[np.uint8]], Tensor]) -> None:
        super().__init__()
        self._clip, self._prepare = clip, prepare

    def __getitem__(self, index: int) -> Tensor:
        return self._prepare(self._clip.frame(index))

    def __len__(self) -> int:
        return len(self._clip)


@dataclass
class Session:
    """A clip whose objects are followed.

    Attributes:
        clip: its frames.
        frames: as the network takes them.
        objects: by object, what the network's library knows of it.
        told: by object, the frames on which it was told of.
        constants: what a library computes once for all frames and objects.
    """

    clip: Clip
    frames: LazyFrames
    objects: dict[int, Any] = field(default_factory=dict)
    told: dict[int, set[int]] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)


class ByObject(VideoModel):
    """A model of clips that follows each object from the frames where it is told of."""

    @abstractmethod
    def prepare(self, image: NDArray[np.uint8]) -> Tensor:
        """A frame (H, W, 3) uint8 RGB as the network takes it."""

    @abstractmethod
    def follow(self, state: Session, id: int, frame: int, *, reverse: bool) -> NDArray[Any]:
        """The logits (H, W) of an object on a frame, which is remembered."""

    def start(self, clip: Clip) -> Session:
        """Begin with a clip; no frame is read."""
        return Session(clip, LazyFrames(clip, self.prepare))

    def propagate(
        self, state: Session, start: int, *, reverse: bool = False
    ) -> Iterator[tuple[int, Answers]]:
        """Follow all objects, a frame at a time."""
        step = -1 if reverse else 1
        for frame in range(start, -1 if reverse else len(state.clip), step):
            begun = (
                id
                for id in state.objects
                if any(step * (frame - told) >= 0 for told in state.told[id])
            )
            yield frame, {id: self.follow(state, id, frame, reverse=reverse) for id in begun}

    def forget(self, state: Session) -> None:
        """Forget all objects."""
        state.objects.clear()
        state.told.clear()
