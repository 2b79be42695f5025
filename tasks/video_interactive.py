"""Interactive video segmentation: clicks on more and more frames, by SAM 2's two protocols.

Ravi et al., SAM 2, 2024, section 6.1 and its appendix on the evaluation of promptable video
segmentation: an object gets three clicks on the frame where it first appears. Offline, the whole
clip is followed, the frame of the lowest IoU gets three clicks more, and so on, up to eight frames.
Online, the clip is followed once, and clicked on where the IoU falls below .75.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.files import as_text, read_json, write_json
from sambench.interfaces import (
    JSON,
    Curve,
    Embedding,
    Estimator,
    Histogram,
    Layer,
    Metric,
    Model,
    Sample,
)
from sambench.masks.rle import decode, encode
from sambench.metrics.iou import iou
from sambench.metrics.video import clip_record, jaccard, object_table
from sambench.options import Range
from sambench.shown import RLE
from sambench.video.clips import Clip
from sambench.video.interfaces import POINTS, ClipTask, State, VideoModel
from sambench.video.tracks import Tracks

from ._j_and_f import RULES, histogram, over_clips, over_time
from ._tracking import Target, click_on, followed

SHOWN = (1, 2, 3, 5, 8)
"""Numbers of frames with clicks that have a metric of their own."""
_MEAN = Metric("J&F", "mean over all numbers of frames with clicks of J&F", "percent")


def _after(frames: int) -> Metric:
    return Metric(
        f"J&F@{frames}",
        f"J&F after clicks on {frames} frame{'s' if frames > 1 else ''} of each object",
        "percent",
        group="frames",
        member=str(frames),
        of="J&F",
    )


@dataclass
class Rounds:
    """What came of the objects of a clip of T frames, for more and more frames with clicks.

    Attributes:
        frames: T names.
        size: (H, W).
        masks: one mapping a round, in the n-th of which (from 1) each object had clicks on n frames
            at most: by object, T run lengths.
        prompted: by object, the frames that had clicks in the last round, counted from 0, in order.
        clicks: by object, how many clicks these had together.
    """

    frames: tuple[str, ...]
    size: tuple[int, int]
    masks: list[dict[int, list[RLE]]] = field(default_factory=list)
    prompted: dict[int, list[int]] = field(default_factory=dict)
    clicks: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class VideoInteractive(ClipTask):
    """Click on an object where it is worst, in more and more frames of a clip.

    Attributes:
        protocol: offline: clicks go to the worst frame of a whole pass, then the next pass begins;
            online: in one pass, clicks go to a frame as soon as it is worse than `pause`.
        frames: most frames with clicks of each object; results are given for 1 to this.
        clicks: on each of them.
        pause: online, an object whose IoU in a frame is lower than this gets clicks there.
        rule: which frames and objects count: DAVIS's, or SA-V's.
    """

    protocol: Literal["offline", "online"] = "offline"
    frames: Annotated[int, Range(1)] = 8
    clicks: Annotated[int, Range(1)] = 3
    pause: Annotated[float, Range(0, 1)] = 0.75
    rule: Literal["davis", "sav"] = "davis"

    needs: ClassVar[frozenset[str]] = frozenset({POINTS})
    metrics = (_MEAN, *map(_after, SHOWN))
    scoring: ClassVar[frozenset[str]] = frozenset({"rule"})
    paper: ClassVar[str] = "sambench run --task video_interactive --model propagate --dataset mose"
    facts: ClassVar[Mapping[str, Any]] = {
        **RULES,
        "clicks": "the first on a frame nobody clicked on before at the object's pixel farthest "
        "from its boundary, all others at that of the larger of missed and extra region, ties "
        "negative",
        "objects of a clip": "each by itself: masks may overlap",
        "worst frame": "the annotated frame of the lowest IoU among those without clicks, the "
        "first of equal ones; an object without an error gets no more clicks",
        "passes": "forwards from the first frame with clicks",
    }

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts that hold under these options."""
        offline = self.protocol == "offline"
        return {k: v for k, v in self.facts.items() if offline or k != "worst frame"}

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Rounds:
        """Click and follow, for 1, 2 and more frames with clicks."""
        assert isinstance(model, VideoModel)
        clip: Any = sample.image
        session = _Session(model, embedding, clip, sample.truth, self.clicks)
        rounds = self._offline(session) if self.protocol == "offline" else self._online(session)
        found = Rounds(clip.names, clip.size)
        for tracks in rounds:
            found.masks.append({id: list(map(_whole, own)) for id, own in tracks.masks.items()})
        found.prompted = session.prompted
        found.clicks = session.counts
        return found

    def _offline(self, session: _Session) -> Iterator[Tracks]:
        """After each pass, clicks on the worst frame of each object."""
        session.begin()
        tracks = session.follow()
        yield tracks
        for _ in range(1, self.frames):
            targets = [*filter(None, (session.worst(id, tracks) for id in tracks.ids))]
            clicked = [session.click(target, seen) for target, seen in targets]
            if any(clicked):
                tracks = session.follow()
            yield tracks

    def _online(self, session: _Session) -> Iterator[Tracks]:
        """A pass for each number of frames with clicks, as none knows how many there will be."""
        tracks: Tracks | None = None
        for most in range(1, self.frames + 1):
            if tracks is None or any(len(own) == most - 1 for own in session.prompted.values()):
                session.forget()
                session.begin()
                tracks = session.follow_and_pause(most, self.pause)
            yield tracks

    def score(self, prediction: Rounds, truth: Tracks) -> JSON:
        """J and F of each object in each frame after the last round; of all rounds their means.

        Raises:
            UserError: a prediction from a file is of other frames, or of another number of rounds.
        """
        if prediction.frames != truth.frames or len(prediction.masks) != self.frames:
            raise UserError(
                f"its prediction has {len(prediction.masks)} rounds of {len(prediction.frames)} "
                f"frames, and {self.frames} of {len(truth.frames)} are asked for, named as those "
                "of its masks; run again with --predictions all."
            )
        records = [clip_record(masks, truth.masks, self.rule) for masks in prediction.masks]
        tables = [object_table(record) for record in records]
        return {
            **records[-1],
            "rounds": {id: [table[id]["jf"] for table in tables] for id in tables[-1]},
            "prompted": {str(id): own for id, own in prediction.prompted.items()},
            "clicks": {str(id): count for id, count in prediction.clicks.items()},
        }

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """Means over the objects of all clips: after each number of frames, and of all these."""
        rounds = [list(record["rounds"].values()) for record in records]
        values: dict[str, list[list[float]]] = {
            "J&F": [[float(np.mean(own)) for own in clip] for clip in rounds]
        }
        for count in (n for n in SHOWN if n <= self.frames):
            values[f"J&F@{count}"] = [[own[count - 1] for own in clip] for clip in rounds]
        return over_clips(values)

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve | Histogram]:
        """J&F against frames with clicks; J and F over time and J&F after the last round."""
        objects = [own for record in records for own in record["rounds"].values()]
        means = np.mean(objects, axis=0).tolist() if objects else []
        rounds = Curve(
            "J&F-frames", tuple(range(1, len(means) + 1)), tuple(means),
            x_label="frames with clicks", y_label="J&F", unit="percent",
        )  # fmt: skip
        return rounds, *over_time(records), histogram(records)

    def tracks(self, prediction: Rounds) -> Tracks:
        """The masks after the last round."""
        last = {id: tuple(own) for id, own in prediction.masks[-1].items()}
        return Tracks(prediction.frames, prediction.size, last)

    def layers(self, prediction: Rounds) -> Mapping[str, Layer]:
        """The masks in the first frame, after the first round and after the last."""
        first, last = prediction.masks[0], prediction.masks[-1]
        return {
            "Prediction": Layer(masks=[own[0] for own in first.values()]),
            "After the last round": Layer(masks=[own[0] for own in last.values()]),
        }

    def save(self, prediction: Rounds, stem: Path) -> Path:
        """Write the masks of all rounds as JSON with COCO run lengths."""
        path = stem.with_name(stem.name + ".json")
        whole = {each.name: getattr(prediction, each.name) for each in fields(prediction)}
        write_json(path, as_text(whole), sync=False)
        return path

    def load(self, stem: Path) -> Rounds:
        """Read what `save` wrote."""
        found = read_json(stem.with_name(stem.name + ".json"))
        height, width = found["size"]
        return Rounds(
            tuple(found["frames"]),
            (height, width),
            [_numbered(masks) for masks in found["masks"]],
            _numbered(found["prompted"]),
            _numbered(found["clicks"]),
        )


class _Session:
    """A clip whose objects are clicked on.

    Args:
        model: that follows them.
        state: of the clip.
        clip: its frames.
        truth: its objects.
        clicks: on each frame.

    Attributes:
        prompted: by object, the frames with clicks.
        counts: by object, clicks made.
    """

    def __init__(
        self, model: VideoModel, state: State, clip: Clip, truth: Tracks, clicks: int
    ) -> None:
        self._model, self._state, self._clip = model, state, clip
        self._truth, self._clicks = truth, clicks
        self._firsts = {id: truth.first(id) for id in truth.ids}
        self.forget()

    def forget(self) -> None:
        """Begin anew, with no clicks."""
        self._model.forget(self._state)
        self.prompted: dict[int, list[int]] = {id: [] for id in self._truth.ids}
        self.counts: dict[int, int] = dict.fromkeys(self._truth.ids, 0)

    def begin(self) -> None:
        """Click on every object where it first appears."""
        for id, first in self._firsts.items():
            self.click(self._target(id, first), None)

    def click(self, target: Target, seen: NDArray[np.bool_] | None) -> bool:
        """Click on an object of a frame; False where there is no error to click on."""
        made = click_on(self._model, self._state, target, self._clicks, seen)
        if made:
            self.prompted[target.id].append(target.frame)
            self.counts[target.id] += len(made)
        return bool(made)

    def follow(self) -> Tracks:
        """One pass over the clip."""
        return followed(self._model, self._state, self._clip, self._firsts, exclusively=False)

    def worst(self, id: int, tracks: Tracks) -> tuple[Target, NDArray[np.bool_]] | None:
        """The frame of an object to click on next and its mask there; None where all is right."""
        done = set(self.prompted[id])
        left = [f for f in self._truth.annotated(id) if f not in done and f > self._firsts[id]]
        predicted = [_whole(tracks.masks[id][frame]) for frame in left]
        overlaps = jaccard(predicted, [_whole(self._truth.masks[id][frame]) for frame in left])
        if not left or overlaps.min() == 1:
            return None
        place = int(overlaps.argmin())
        return self._target(id, left[place]), decode([predicted[place]])[0]

    def follow_and_pause(self, most: int, pause: float) -> Tracks:
        """One pass in which objects get clicks where their IoU is too low.

        Args:
            most: frames with clicks of each object, that of its beginning among them.
            pause: the IoU below which an object gets clicks.
        """
        [nothing] = encode(np.zeros((1, *self._clip.size), dtype=bool))
        found: dict[int, list[RLE | None]] = {
            id: [nothing] * len(self._clip) for id in self._firsts
        }
        start = min(self._firsts.values())
        while start < len(self._clip):
            for frame, answers in self._model.propagate(self._state, start):
                masks = {
                    id: np.asarray(answers[id]) > 0
                    for id, first in self._firsts.items()
                    if first <= frame
                }
                for id, mask in masks.items():
                    [found[id][frame]] = encode(mask[None])
                start = frame + 1
                low = {id: m for id, m in masks.items() if self._low(id, frame, m, most, pause)}
                if [id for id, mask in low.items() if self.click(self._target(id, frame), mask)]:
                    start = frame  # its other objects, and it, are answered again
                    break
        return Tracks(self._clip.names, self._clip.size, {k: tuple(v) for k, v in found.items()})

    def _low(self, id: int, frame: int, mask: NDArray[np.bool_], most: int, pause: float) -> bool:
        """Whether an object gets clicks on a frame."""
        truth = self._truth.mask(id, frame)
        done = self.prompted[id]
        if truth is None or frame in done or len(done) >= most:
            return False
        return float(iou(truth, mask)) < pause

    def _target(self, id: int, frame: int) -> Target:
        mask = self._truth.mask(id, frame)
        assert mask is not None  # it is annotated there
        return Target(frame, id, mask)


def _whole(rle: RLE | None) -> RLE:
    assert rle is not None  # every frame is answered, and only annotated ones are asked for
    return rle


def _numbered(by_id: Mapping[str, Any]) -> dict[int, Any]:
    return {int(id): value for id, value in by_id.items()}
