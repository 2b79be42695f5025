"""Video object segmentation: objects told of once, where they appear, are followed through a clip.

The semi-supervised task of DAVIS (Perazzi et al., CVPR 2016; Pont-Tuset et al., 2017), with the
prompts of SAM 2 (Ravi et al., 2024, section 6.1): the mask, the box, or 1, 3 or 5 clicks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from sambench.interfaces import (
    JSON,
    Curve,
    Embedding,
    Estimator,
    Histogram,
    Layer,
    Model,
    Sample,
)
from sambench.metrics.video import clip_record
from sambench.video.interfaces import BOXES, MASKS, POINTS, ClipTask, VideoModel
from sambench.video.tracks import Tracks

from ._j_and_f import METRICS, RULES, estimator_of, histogram, over_time
from ._tracking import (
    Target,
    box_prompt,
    click_on,
    filled,
    followed,
    layers_of,
    mask_prompt,
    matched,
    read_tracks,
    write_apart,
    write_tracks,
)

KIND = {"mask": MASKS, "box": BOXES}
"""Which prompts other than clicks there are, and the kind that a model has to take."""


@dataclass(frozen=True)
class VideoObject(ClipTask):
    """Each object of a clip is prompted where it first appears, and followed to the end.

    Attributes:
        prompt: what the model is given there: the object's mask; its box; or so many clicks, the
            first on its centre and each other one on the centre of the larger error.
        exclusive: a pixel is of one object at most, that of the highest logit, as in files of
            DAVIS; otherwise masks may overlap, as in those of SA-V.
        rule: which frames and objects count: DAVIS's, or SA-V's.
    """

    prompt: Literal["mask", "box", "1-click", "3-click", "5-click"] = "mask"
    exclusive: bool = True
    rule: Literal["davis", "sav"] = "davis"

    metrics = METRICS
    scoring: ClassVar[frozenset[str]] = frozenset({"rule"})
    prompting: ClassVar[frozenset[str]] = frozenset({"prompt"})
    paper: ClassVar[str] = "sambench run --task video_object --model propagate --dataset davis2017"
    facts: ClassVar[Mapping[str, Any]] = {
        **RULES,
        "prompted": "in the first frame in which an object is seen, each object once",
        "followed": "forwards to the end of the clip, all objects in one pass",
        "clicks": "the first at the object's pixel farthest from its boundary, each other one at "
        "that of the larger of missed and extra region, ties negative",
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sav": {"exclusive": False, "rule": "sav"}
    }

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts that hold under these options."""
        clicked = {"clicks": self.facts["clicks"]} if self.prompt not in KIND else {}
        return {k: v for k, v in self.facts.items() if k != "clicks"} | clicked

    @property
    def needs(self) -> frozenset[str]:
        """The kind of prompt that these options use."""
        return frozenset({KIND.get(self.prompt, POINTS)})

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> Tracks:
        """Prompt every object where it first appears, then follow all of them in one pass."""
        assert isinstance(model, VideoModel)
        truth: Tracks = sample.truth
        clip: Any = sample.image
        firsts = {id: truth.first(id) for id in truth.ids}
        for id, frame in firsts.items():
            mask = truth.mask(id, frame)
            assert mask is not None  # it is seen there
            target = Target(frame, id, mask)
            if self.prompt not in KIND:
                click_on(model, embedding, target, int(self.prompt.partition("-")[0]))
            else:
                prompt = mask_prompt(mask) if self.prompt == "mask" else box_prompt(mask)
                model.add(embedding, frame, id, prompt)
        return followed(model, embedding, clip, firsts, exclusively=self.exclusive)

    def score(self, prediction: Tracks, truth: Tracks) -> JSON:
        """J and F of each object in each frame that counts."""
        masks = {id: filled(own, truth, id) for id, own in matched(prediction, truth)}
        return clip_record(masks, truth.masks, self.rule)

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """Means over the objects of all clips."""
        return estimator_of(records)

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve | Histogram]:
        """J and F over time, and J&F of all objects."""
        return *over_time(records), histogram(records)

    def tracks(self, prediction: Tracks) -> Tracks:
        """All of it."""
        return prediction

    def layers(self, prediction: Tracks) -> Mapping[str, Layer]:
        """The masks in the first frame."""
        return {"Prediction": layers_of(prediction)}

    def save(self, prediction: Tracks, stem: Path) -> Path:
        """Write a folder of PNG files, in the format of DAVIS, or of SA-V where masks overlap."""
        (write_tracks if self.exclusive else write_apart)(prediction, stem)
        return stem

    def load(self, stem: Path) -> Tracks:
        """Read a folder of PNG files in either format."""
        return read_tracks(stem)
