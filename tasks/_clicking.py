"""Clicking on all objects of an image at once: what `points` and `interactive` share."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import Embedding, Model, Prompts
from sambench.metrics.clicks import Click, errors, first_click, next_click, random_click

First = Literal["center", "random", "box"]
Next = Literal["error-center", "error-random", "mask-random"]
Choice = Literal["confident-then-single", "confident", "single"]


@dataclass(frozen=True)
class Rules:
    """How prompts are simulated and which mask is taken; the fields are options of the tasks."""

    first: First = "center"
    next: Next = "error-center"
    mask: Choice = "confident-then-single"
    feedback: bool = True
    repeat: bool = True
    min_error: int = 0
    seed: int = 0

    def multimask(self, round_number: int) -> bool:
        """Whether several candidates are asked for in a round, counted from 0."""
        return self.mask == "confident" or (self.mask != "single" and round_number == 0)


@dataclass(frozen=True)
class Round:
    """The state of B objects after one prompt each.

    Attributes:
        clicks: per object the clicks so far.
        masks: (B, H, W) bool, the mask taken; None before the first prompt.
        iou: (B,) float, its predicted IoU.
        candidates: (B, C, H, W) bool, all masks that the model gave; first round only.
    """

    clicks: list[list[Click]]
    masks: NDArray[np.bool_] | None
    iou: NDArray[np.float64]
    candidates: NDArray[np.bool_] | None


@dataclass(frozen=True)
class Target:
    """One object to be segmented; key makes its random draws its own."""

    mask: NDArray[np.bool_]
    ignore: NDArray[np.bool_] | None
    box: NDArray[np.float64]
    key: tuple[int, ...]


def target_key(sample_id: str, object_id: int) -> tuple[int, ...]:
    """What seeds the draws of an object: its image and its id, whatever the order or batch."""
    return zlib.crc32(sample_id.encode()), object_id & 0xFFFFFFFF


def click_rounds(
    model: Model, embedding: Embedding, targets: list[Target], rules: Rules, rounds: int
) -> Iterator[Round]:
    """Prompt, look, click again: one `Round` after another, all objects of the batch together."""
    state = Round([[] for _ in targets], None, np.zeros(len(targets)), None)
    logits: Any = None
    for number in range(rounds):
        state, idle = _clicked(state, targets, number, rules)
        prompts = _prompts(state.clicks, targets, rules, logits if rules.feedback else None)
        answer = model.predict(embedding, prompts, multimask=rules.multimask(number))
        best = answer.iou.argmax(dim=1)
        answered = answer.take(best)
        logits = answered.logits
        candidates = answer.binary() if number == 0 else None
        masks = _pick(candidates, best) if candidates is not None else answered.binary()[:, 0]
        iou = answered.iou[:, 0].double().cpu().numpy()
        if state.masks is not None and idle.any():
            # An object without an error left keeps its mask: there was nothing to click on.
            masks[idle], iou[idle] = state.masks[idle], state.iou[idle]
        state = Round(state.clicks, masks, iou, candidates)
        yield state


def _pick(candidates: NDArray[np.bool_], best: Any) -> NDArray[np.bool_]:
    picked: NDArray[np.bool_] = candidates[np.arange(len(candidates)), best.cpu().numpy()]
    return picked


def _clicked(
    state: Round, targets: list[Target], number: int, rules: Rules
) -> tuple[Round, NDArray[np.bool_]]:
    """The state with the clicks of this round added, and which objects got none, (B,) bool."""
    fresh = [
        _click(target, None if state.masks is None else state.masks[i], past, number, rules)
        for i, (target, past) in enumerate(zip(targets, state.clicks, strict=True))
    ]
    added = [past + ([new] if new else []) for past, new in zip(state.clicks, fresh, strict=True)]
    idle = np.array([new is None for new in fresh])
    return Round(added, state.masks, state.iou, None), idle


def _click(
    target: Target, seen: NDArray[np.bool_] | None, past: list[Click], number: int, rules: Rules
) -> Click | None:
    """The click of one object in one round, None where there is nothing to click on."""
    rng = np.random.default_rng((rules.seed, *target.key, number))
    if seen is None:
        return _first(target, rules.first, rng)
    if rules.next == "mask-random":
        return random_click(target.mask, target.mask, rng)
    if rules.next == "error-random":
        missed, extra = errors(target.mask, seen, target.ignore)
        wrong = missed | extra
        return random_click(wrong, target.mask, rng) if wrong.sum() >= rules.min_error else None
    clicked = () if rules.repeat else [(c.x, c.y) for c in past]
    return next_click(target.mask, seen, ignore=target.ignore, clicked=clicked)


def _first(target: Target, first: First, rng: np.random.Generator) -> Click | None:
    starts: dict[str, Callable[[], Click | None]] = {
        "center": lambda: first_click(target.mask),
        "random": lambda: random_click(target.mask, target.mask, rng),
        "box": lambda: None,
    }
    return starts[first]()


def _prompts(
    clicks: list[list[Click]], targets: list[Target], rules: Rules, logits: Any
) -> Prompts:
    """All clicks so far, padded with label -1, the boxes and the previous logits."""
    longest = max(len(past) for past in clicks)
    points = np.zeros((len(clicks), longest, 2), dtype=np.float32)
    labels = np.full((len(clicks), longest), -1, dtype=np.int64)
    for row, past in enumerate(clicks):
        for column, click in enumerate(past):
            points[row, column] = click.x, click.y
            labels[row, column] = click.positive
    boxes = np.stack([t.box for t in targets]) if rules.first == "box" else None
    if not longest:
        return Prompts(boxes=boxes, masks=logits)
    return Prompts(points=points, labels=labels, boxes=boxes, masks=logits)
