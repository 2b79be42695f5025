"""Embeddings of a clip's frames for passes over it, of which no more than so many are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sambench.interfaces import Embedding, Model
from sambench.video.clips import Clip


@dataclass
class Remembered:
    """Embeddings of a clip's frames: the last one as it is, and those of the first frames packed.

    Every pass over a clip asks for its frames in the same order, so that what came first is of most
    use: of 200 frames with room for 150, all passes but the first find 150. A model that packs
    gives only what its encoder made, for SAM 4 MiB a frame, in the host's memory; what its decoder
    derives from that is derived again. The embedding of another model is kept as it is.

    Attributes:
        model: of images, that embeds.
        clip: whose frames are embedded.
        most: how many are kept besides the last one; 0: none.
        kept: by frame, what gives its embedding again.
        last: the frame that was asked for last, and its embedding.
    """

    model: Model
    clip: Clip
    most: int
    kept: dict[int, Callable[[], Embedding]] = field(default_factory=dict)
    last: tuple[int, Embedding] = (-1, None)

    def embedding(self, frame: int) -> Embedding:
        """Of a frame, counted from 0; it is embedded if it is not kept."""
        if self.last[0] != frame:
            self.last = -1, None  # what it holds is given back first
            self.last = frame, self.kept[frame]() if frame in self.kept else self._new(frame)
        return self.last[1]

    def _new(self, frame: int) -> Embedding:
        [embedding] = self.model.embed([self.model.prepare(self.clip.frame(frame))])
        if len(self.kept) < self.most:
            self.kept[frame] = self._again(embedding)
        return embedding

    def _again(self, embedding: Embedding) -> Callable[[], Embedding]:
        """What gives an embedding again."""
        try:
            packed = {name: part.cpu() for name, part in self.model.pack(embedding).items()}
        except NotImplementedError:
            return lambda: embedding
        return lambda: self.model.unpack(packed)
