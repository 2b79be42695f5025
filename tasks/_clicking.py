"""Clicking on all objects of an image at once: what `points` and `interactive` share."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.files import as_text, read_json, write_json
from sambench.interfaces import JSON, Embedding, Layer, Marks, Masks, Model, Prompts, Task
from sambench.masks.clicks import (
    Click,
    convolved_centre,
    errors,
    first_click,
    next_click,
    random_click,
)
from sambench.masks.rle import encode
from sambench.metrics.iou import iou
from sambench.prompts import BLANK
from sambench.truths import Instances

from ._around import missing
from ._objects import GroundTruth, category_counts, object_mask

First = Literal["center", "random", "box", "annotated"]
Next = Literal["error-center", "error-random", "mask-random"]
Choice = Literal["confident-then-single", "confident", "single"]
Centre = Literal["exact", "convolved"]
Where = Literal["image", "decoder"]
Small = Literal["keep", "blank"]
Right = Literal["stop", "corner"]

CORNER = Click(0, 0, positive=False)
"""What the largest distance of an empty region amounts to: its first place, as no error is."""


@dataclass(frozen=True)
class Rules:
    """How prompts are simulated and which mask is taken; the fields are options of the tasks.

    Attributes:
        first: the first prompt: the object's centre, a random pixel of it, its box, or its
            annotated point.
        next: the following clicks: centre of the larger error, random in the error, random in
            the object.
        mask: the mask taken: the most confident of three for the first prompt and the single one
            after; always the most confident; always the single one.
        feedback: give the previous logits back with the next click.
        repeat: whether a pixel may be clicked twice.
        min_error: fewer wrong pixels than this get no random click.
        seed: of the random clicks.
        center: how the centre is found.
        errors: where errors are seen and clicked on.
        error_unit: of min_error: pixels of the image or cells of the decoder's grid.
        small_error: what an object gets in place of a click.
        no_error: what a mask without an error gets in place of a click at a centre.
        ground_truth: what counts as the object.
        stop: an object that has reached this IoU gets no more clicks; above 1, none stops.
        shake: how far clicks at centres miss them, a part of the square root of the region's area.
    """

    first: First = "center"
    next: Next = "error-center"
    mask: Choice = "confident-then-single"
    feedback: bool = True
    repeat: bool = True
    min_error: int = 0
    seed: int = 0
    center: Centre = "exact"
    errors: Where = "image"
    error_unit: Where = "image"
    small_error: Small = "keep"
    no_error: Right = "stop"
    ground_truth: GroundTruth = "exact"
    stop: float = 2.0
    shake: float = 0.0

    def multimask(self, round_number: int) -> bool:
        """Whether several candidates are asked for in a round, counted from 0."""
        return self.mask == "confident" or (self.mask != "single" and round_number == 0)


@dataclass(frozen=True)
class Round:
    """What the model answered to one prompt for each object that is still being clicked on.

    Attributes:
        objects: (B,) int indices of these objects.
        clicks: of these objects, so far.
        masks: (B, H, W) bool, the mask taken.
        candidates: (B, C, H, W) bool, all masks that the model gave; first round only.
        predicted: (B, C) the IoU that it predicted for each; first round only.
    """

    objects: NDArray[np.int64]
    clicks: list[list[Click]]
    masks: NDArray[np.bool_]
    candidates: NDArray[np.bool_] | None
    predicted: NDArray[np.float64] | None


@dataclass(frozen=True)
class Target:
    """One object to be segmented.

    Attributes:
        annotated: (H, W) bool, its mask as it was annotated.
        ignore: (H, W) bool, pixels that do not count.
        box: XYXY.
        key: makes its random draws its own.
        ground_truth: what counts as the object.
        point: (x, y) that it was annotated with, where the dataset has one.
    """

    annotated: NDArray[np.bool_]
    ignore: NDArray[np.bool_] | None
    box: NDArray[np.float64]
    key: tuple[int, ...]
    ground_truth: GroundTruth = "exact"
    point: tuple[float, float] | None = None

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """What counts as the object, (H, W) bool."""
        return object_mask(self.annotated, self.ground_truth)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the image."""
        height, width = self.annotated.shape
        return height, width


@dataclass(frozen=True)
class Clicked:
    """What the model made of N objects of an image.

    Attributes:
        objects: N indices into the truth's instances.
        clicks: per object its clicks [x, y, positive], those that were none left out.
        masks: per object the mask taken after each prompt, as RLE; fewer where it left the batch.
        candidates: per object all masks that the model gave for the first prompt, as RLE.
        predicted: per object the IoU that the model predicted for each of these; empty where that
            is not known, as of predictions made elsewhere.
    """

    objects: list[int]
    clicks: list[list[tuple[float, float, bool]]]
    masks: list[list[JSON]]
    candidates: list[list[JSON]]
    predicted: list[list[float]] = field(default_factory=list)


class ClickTask(Task):
    """A task whose predictions are `Clicked`: how they are drawn, saved and loaded."""

    def category_counts(self, records: Sequence[JSON]) -> Mapping[str, int]:
        """Objects of each category."""
        return category_counts(records)

    def layers(self, prediction: Clicked) -> Mapping[str, Layer]:
        """The masks after the first prompt, and, where there were more, after the last."""
        prompted = [masks for masks in prediction.masks if masks]
        first = {"Prediction": Layer(masks=[own[0] for own in prompted])}
        if all(len(own) == 1 for own in prompted):
            return first
        return {**first, "After the last prompt": Layer(masks=[own[-1] for own in prompted])}

    def asked(self, prediction: Clicked, truth: Instances) -> Layer:
        """The masks of the objects that were clicked on."""
        return Layer(masks=[truth.rles[i] for i in prediction.objects])

    def marks(self, record: JSON, prediction: Clicked | None, truth: Instances) -> Marks:
        """The clicks."""
        return Marks(record["clicks"])

    def save(self, prediction: Clicked, stem: Path) -> Path:
        """Write the masks as JSON with COCO run lengths."""
        path = stem.with_name(stem.name + ".json")
        write_json(path, as_text(vars(prediction)), sync=False)
        return path

    def load(self, stem: Path) -> Clicked:
        """Read what `save` wrote."""
        return Clicked(**read_json(stem.with_name(stem.name + ".json")))


def targets_of(
    sample_id: str, truth: Instances, crowd: bool, ground_truth: GroundTruth = "exact"
) -> tuple[list[int], list[Target]]:
    """Objects to click on, those with an empty mask left out, and their indices."""
    wanted = [i for i in range(len(truth)) if crowd or not truth.crowd[i]]
    masks = {i: truth.mask(i) for i in wanted}
    objects = [i for i in wanted if masks[i].any()]
    name = zlib.crc32(sample_id.encode())
    # What seeds an object's draws is its image and its id, whatever the order or the batch.
    keys = {i: (name, truth.ids[i] & 0xFFFFFFFF) for i in objects}
    points = {i: (float(x), float(y)) for i, (x, y) in enumerate(truth.extra.get("points", ()))}
    return objects, [
        Target(masks[i], truth.ignore, truth.boxes[i], keys[i], ground_truth, points.get(i))
        for i in objects
    ]


def click_on_all(
    model: Model, embedding: Embedding, sample_id: str, truth: Instances, rules: Rules,
    rounds: int, crowd: bool = False,
) -> Clicked:  # fmt: skip
    """Click on every object of an image, as many at a time as the model likes."""
    objects, targets = targets_of(sample_id, truth, crowd, rules.ground_truth)
    found = Clicked(
        objects,
        clicks=[[] for _ in objects],
        masks=[[] for _ in objects],
        candidates=[[] for _ in objects],
        predicted=[[] for _ in objects],
    )
    for start in range(0, len(objects), model.prompt_batch):
        batch = targets[start : start + model.prompt_batch]
        for state in click_rounds(model, embedding, batch, rules, rounds):
            _keep(found, state, start)
    return found


def _keep(found: Clicked, state: Round, start: int) -> None:
    """Add a round to what was found, masks as run lengths."""
    for row, rle in enumerate(encode(state.masks)):
        index = start + int(state.objects[row])
        found.clicks[index] = [(c.x, c.y, c.positive) for c in state.clicks[row]]
        found.masks[index].append(rle)
        if state.candidates is not None:
            found.candidates[index] = encode(state.candidates[row])
        if state.predicted is not None:
            found.predicted[index] = state.predicted[row].tolist()


def click_rounds(
    model: Model, embedding: Embedding, targets: list[Target], rules: Rules, rounds: int
) -> Iterator[Round]:
    """Prompt, look, click again, all objects of the batch together, one `Round` after another.

    An object without an error left to click on, or that has reached the IoU to stop at, leaves the
    batch: its mask stays as it is.
    """
    clicks: list[list[Click | None]] = [[] for _ in targets]
    live = np.arange(len(targets))
    seen: NDArray[np.bool_] | None = None
    logits: Any = None
    for number in range(rounds):
        going = np.zeros(len(live), dtype=bool)
        for row, index in enumerate(live):
            mask = None if seen is None else seen[row]
            click = _click(targets[index], mask, _made(clicks[index]), number, rules)
            blank = seen is not None and rules.small_error == "blank"
            clicks[index] += [click] if click or blank else []
            going[row] = click is not None or blank or (number == 0 and rules.first == "box")
        live, logits = live[going], logits if logits is None else logits[going]
        if not len(live):
            return
        fed_back = logits if rules.feedback else None
        prompts = _prompts([clicks[i] for i in live], [targets[i] for i in live], rules, fed_back)
        answer = model.predict(embedding, prompts, multimask=rules.multimask(number))
        taken = answer.most_confident()
        candidates = answer.binary() if number == 0 else None
        masks = taken.binary()[:, 0] if candidates is None else _confident(candidates, answer)
        predicted = answer.iou.double().cpu().numpy() if number == 0 else None
        yield Round(live, [_made(clicks[i]) for i in live], masks, candidates, predicted)
        on = [_below(targets[i], mask, rules.stop) for i, mask in zip(live, masks, strict=True)]
        live, logits = live[on], taken.logits[on]
        seen = masks[on] if rules.errors == "image" else _on_grid(taken)[on]


def _on_grid(answer: Masks) -> NDArray[np.bool_]:
    from sambench.masks.frame import answer_on_grid

    return answer_on_grid(answer)


def _made(clicks: Sequence[Click | None]) -> list[Click]:
    """The clicks without the blanks."""
    return [click for click in clicks if click is not None]


def _confident(candidates: NDArray[np.bool_], answer: Masks) -> NDArray[np.bool_]:
    """The most confident of candidates that are binary already."""
    best = answer.iou.argmax(dim=1).cpu().numpy()
    masks: NDArray[np.bool_] = candidates[np.arange(len(best)), best]
    return masks


def _below(target: Target, mask: NDArray[np.bool_], stop: float) -> bool:
    return stop > 1 or bool(iou(target.mask, mask, target.ignore) < stop)


def _click(
    target: Target, seen: NDArray[np.bool_] | None, past: list[Click], number: int, rules: Rules
) -> Click | None:
    """The click of one object in one round, None where there is nothing to click on."""
    rng = np.random.default_rng((rules.seed, *target.key, number))
    if seen is None:
        return _first(target, rules, rng)
    if rules.next == "mask-random":
        return random_click(target.mask, target.mask, rng)
    if rules.errors == "decoder":
        return _click_on_grid(target, seen, past, rules, rng)
    missed, extra = errors(target.mask, seen, target.ignore)
    return _correcting(missed, extra, target, past, rules, rng)


def _correcting(
    missed: NDArray[np.bool_], extra: NDArray[np.bool_], target: Target, past: list[Click],
    rules: Rules, rng: np.random.Generator,
) -> Click | None:  # fmt: skip
    """A click on missed or extra pixels, in pixels of where these were found."""
    if rules.next == "error-center":
        clicked = () if rules.repeat else [(c.x, c.y) for c in past]
        click = next_click(missed, extra, clicked=clicked)
        if click is None:
            return CORNER if rules.no_error == "corner" else None
        region = missed if click.positive else extra
        return missing(click, region, clicked, rules.shake, rng)
    wrong = missed | extra
    enough = wrong.sum() * _unit(target, rules) >= rules.min_error
    return random_click(wrong, missed, rng) if enough else None


def _unit(target: Target, rules: Rules) -> float:
    """What one wrong pixel counts for, of the unit of `min_error`."""
    if rules.errors == rules.error_unit:
        return 1
    from sambench.masks.frame import pixels_of_cell

    pixels = pixels_of_cell(target.size)
    return pixels if rules.error_unit == "image" else 1 / pixels


def _click_on_grid(
    target: Target, seen: NDArray[np.bool_], past: list[Click], rules: Rules,
    rng: np.random.Generator,
) -> Click | None:  # fmt: skip
    """As `_correcting`, on the decoder's grid; a cell's click is its first pixel."""
    from sambench.masks import frame

    touched = rules.ground_truth == "dilated"
    missed, extra = frame.errors_on_grid(target.annotated, seen, target.ignore, touched=touched)
    cells = [Click(*frame.to_cell(c.x, c.y, target.size), c.positive) for c in past]
    click = _correcting(missed, extra, target, cells, rules, rng)
    if click is None:
        return None
    return Click(*frame.of_cell(click.x, click.y, target.size), click.positive)


def _first(target: Target, rules: Rules, rng: np.random.Generator) -> Click | None:
    starts: dict[str, Callable[[], Click | None]] = {
        "center": lambda: _centre(target, rules, rng),
        "random": lambda: random_click(target.mask, target.mask, rng),
        "box": lambda: None,
        "annotated": lambda: target.point and Click(*target.point, positive=True),
    }
    return starts[rules.first]()


def _centre(target: Target, rules: Rules, rng: np.random.Generator) -> Click | None:
    if rules.center == "exact":
        click = first_click(target.mask)
        return click and missing(click, target.mask, (), rules.shake, rng)
    from sambench.masks import frame

    there = frame.enlarged(target.annotated)
    at = convolved_centre(there) if there.any() else (0, 0)
    return Click(*frame.to_image(*at, target.size), positive=True)


def _prompts(
    clicks: list[list[Click | None]], targets: list[Target], rules: Rules, logits: Any
) -> Prompts:
    """All clicks so far, padded with label -1, the boxes and the previous logits."""
    longest = max(len(past) for past in clicks)
    points = np.zeros((len(clicks), longest, 2))
    labels = np.full((len(clicks), longest), -1, dtype=np.int64)
    for row, past in enumerate(clicks):
        for column, click in enumerate(past):
            points[row, column] = (click.x, click.y) if click else (0, 0)
            labels[row, column] = click.positive if click else BLANK
    boxes = np.stack([t.box for t in targets]) if rules.first == "box" else None
    if not longest:
        return Prompts(boxes=boxes, masks=logits)
    return Prompts(points=points, labels=labels, boxes=boxes, masks=logits)
