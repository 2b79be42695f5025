"""What follows objects through a clip: the counterpart of `sambench.interfaces.Model` in time.

A clip is the item of a run, as an image is elsewhere: its "embedding" is what `start` returns, a
state to which prompts are added and that is asked for masks frame by frame. Conventions are those
of `sambench.interfaces`; frames are counted from 0.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON, Embedding, Masks, Model, Prediction, Prompts, Task
from sambench.video.clips import Clip
from sambench.video.tracks import Tracks

MASKS, BOXES, POINTS = "clip masks", "clip boxes", "clip points"
"""Kinds of prompt on a frame of a clip, as `Model.prompts` and `Task.needs` name them."""
State = Any
"""What a model keeps of a clip, its prompts and its memory; opaque to everything but the model."""
Answers = Mapping[int, NDArray[Any]]
"""By object: (H, W) of the frame's size, bool or logits; the mask is where they are > 0."""


@dataclass(frozen=True)
class FramePrompt:
    """All that is told of one object on one frame: a mask, or clicks and a box, or either.

    Attributes:
        points: (N, 2) float, (x, y) in pixels of the frame.
        labels: (N,) int, 1 foreground, 0 background.
        box: (4,) float, (x0, y0, x1, y1) in pixels of the frame.
        mask: (H, W) bool: this is the object.
    """

    points: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None
    box: NDArray[Any] | None = None
    mask: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if (self.points is None) != (self.labels is None):
            raise ValueError("points and labels go together: give both or neither")
        other = self.points is not None or self.box is not None
        if other == (self.mask is not None):
            raise ValueError("a frame's prompt is a mask, or clicks and a box, or either of these")

    @property
    def kinds(self) -> frozenset[str]:
        """Which kinds of prompt are present."""
        parts = {MASKS: self.mask, BOXES: self.box, POINTS: self.points}
        return frozenset(kind for kind, part in parts.items() if part is not None)


class VideoModel(Model):
    """A model that follows objects through a clip.

    A state belongs to one clip and one caller. Objects are followed independently of each other,
    as far as the model does that; nothing of a state may move the answers of another one.
    """

    prompts = frozenset({MASKS, BOXES, POINTS})

    @abstractmethod
    def start(self, clip: Clip) -> State:
        """Begin with a clip, of which no object is known yet; frames are read when needed."""

    @abstractmethod
    def add(self, state: State, frame: int, id: int, prompt: FramePrompt) -> NDArray[Any]:
        """Tell of an object on a frame, and see its mask there at once.

        Of clicks all are given that the object has on this frame so far: a later call takes the
        place of an earlier one. On a frame whose mask `propagate` has given, they correct it.

        Args:
            state: of the clip.
            frame: counted from 0.
            id: the caller's number of the object; a new one begins a new object.
            prompt: of one of the model's `prompts`.

        Returns:
            (H, W), bool or logits: the mask is where they are > 0.
        """

    @abstractmethod
    def propagate(
        self, state: State, start: int, *, reverse: bool = False
    ) -> Iterator[tuple[int, Answers]]:
        """Follow all objects from a frame to the end of the clip, or to its beginning.

        Frames come in order, that of the start first, each as soon as it is known. An object is
        among the answers of a frame from the first one on, in this direction, on which it was told
        of; before, it may be. Where it was told of, the answer is that of `add`. Whoever stops in
        between, adds prompts on the last frame that came and calls again from there, goes on with
        what is known of the other objects.

        Args:
            state: of the clip, with prompts for an object at least.
            start: the frame to begin with.
            reverse: go back in time.
        """

    @abstractmethod
    def forget(self, state: State) -> None:
        """Forget all objects: the state is as `start` gave it."""

    def embed(self, images: Sequence[Any]) -> list[State]:
        """Start each of some clips, which stand where other models have images.

        Raises:
            UserError: an image is no clip.
        """
        for clip in images:
            if not isinstance(clip, Clip):
                raise UserError(
                    f"model {self.card.name} follows objects through clips, and this is an image; "
                    "give a task and a dataset of clips."
                )
        return [self.start(clip) for clip in images]

    def predict(self, embedding: Embedding, prompts: Prompts, *, multimask: bool) -> Masks:
        """Not possible: an image is no clip.

        Raises:
            UserError: always.
        """
        raise UserError(
            f"model {self.card.name} follows objects through clips; choose another model, or a "
            "task of clips."
        )


class ClipTask(Task):
    """A task of clips, whose records hold J and F of each object in each frame.

    A record has ``{"objects": {"1": {"j": [T], "f": [T]}}}``, None where a frame does not count,
    and ``{"uncounted": [2]}`` with the ids of objects that come too late for DAVIS's rule.
    """

    truth: ClassVar[type] = Tracks

    @abstractmethod
    def tracks(self, prediction: Prediction) -> Tracks:
        """What of a prediction to draw over the frames of its clip."""

    def said(self, records: Sequence[JSON]) -> str:
        """What must be said beside the numbers of objects that do not count; nothing if all do."""
        late = [len(record["uncounted"]) for record in records if "uncounted" in record]
        if not late:
            return ""
        count, clips = sum(late), len(late)
        return (
            f"{count} object{'s' if count > 1 else ''} of {clips} clip{'s' if clips > 1 else ''} "
            "that the first annotated frame does not number count in no metric, by DAVIS's rule; "
            "give --rule sav to have them counted."
        )


def exclusive(answers: Answers) -> dict[int, NDArray[np.bool_]]:
    """Masks (H, W) of which no two share a pixel: it is of the object of the highest value.

    A mask that is no logits, such as one that was given, is certain: above and below all logits. Of
    equal values the first object has the pixel, as where two masks are certain.
    """
    if not answers:
        return {}
    values = np.stack([_certain(np.asarray(answer)) for answer in answers.values()])
    if len(values) == 1:
        return dict.fromkeys(answers, values[0] > 0)
    best, there = values.argmax(axis=0), values.max(axis=0) > 0
    return {id: there & (best == place) for place, id in enumerate(answers)}


def _certain(answer: NDArray[Any]) -> NDArray[Any]:
    """Logits (H, W) as they are; a mask (H, W) bool as infinite ones."""
    return np.where(answer, np.inf, -np.inf) if answer.dtype == bool else answer
