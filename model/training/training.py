"""A training from its start, or from where it stopped, to its files: model, state, log, curves."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from sambench.engine.embedding_cache import CacheOptions
from sambench.engine.progress import Progress
from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset, Model

from ..sam import Sam
from . import state
from .distributed import Team, team
from .features import FrozenFeatures
from .log import CURVES, LOG, as_line, draw, open_log
from .mae import sam_from_mae
from .recipe import Recipe as Recipe
from .text_recipe import TextRecipe as TextRecipe
from .trainer import Trainer

TRAINED, HELD_OUT = "trained_ids.txt", "held_out_ids.txt"
FILES = (state.STATE, state.MODEL, LOG, TRAINED, HELD_OUT, *CURVES)
"""All that a training leaves; the state first, without which the others are nothing to go on from.
"""


@dataclass(frozen=True)
class Training:
    """A training: of what, on what, to where.

    Attributes:
        recipe: how to train.
        dataset: what on.
        ids: which of its images.
        output: folder for checkpoints, logs and curves.
        save_every: steps between two states on disk.
        fresh: discard what an earlier training left there.
        cache: where embeddings of a frozen encoder are kept, beside memory.
        held_out: images that are kept for evaluation; they are only written down.
        progress: show on stderr how far it is.
        texts: how to teach texts, if they are what is taught.
    """

    recipe: Recipe
    dataset: Dataset
    ids: tuple[str, ...]
    output: Path
    save_every: int = 50
    fresh: bool = False
    cache: CacheOptions | None = None
    held_out: tuple[str, ...] = ()
    progress: bool = True
    texts: TextRecipe | None = None

    def __post_init__(self) -> None:
        if not self.ids:
            raise UserError("there are no images to train on; check --ids and --hold-out.")
        if self.recipe.whole and self.cache:
            raise UserError(
                "with --whole embeddings change each step; leave --embedding-cache out."
            )

    def train(self, model: Model) -> list[JSON]:
        """Train a model, which is changed; returns all lines of the log (of the first process).

        Raises:
            UserError: the model cannot be trained, an earlier training there was another one or
                still goes on, or an image cannot be read; what was done is kept.
        """
        sam = fit_to_train(model)
        self.output.mkdir(parents=True, exist_ok=True)
        with (
            team(sam.device) as processes,
            state.alone(self.output) if processes.first else nullcontext(),
        ):
            frozen = None
            if not self.recipe.whole:
                frozen = FrozenFeatures(sam, self.cache.open(sam) if self.cache else None)
            trainer = self._trainer(sam, processes, frozen)
            if not self.fresh:
                trainer.resume(self.output)
            if processes.first:
                return self._write(trainer)
            for _ in trainer.run():
                pass
            return []

    def _trainer(self, sam: Sam, processes: Team, frozen: FrozenFeatures | None) -> Trainer:
        given = sam, self.dataset, self.ids, self.recipe, processes, frozen
        if self.texts is None:
            return Trainer(*given)
        from .text_trainer import TextTrainer  # it imports transformers

        return TextTrainer(*given, texts=self.texts)

    def _write(self, trainer: Trainer) -> list[JSON]:
        """Do the steps that are left, and keep what they give."""
        steps, path = self.recipe.steps, self.output / LOG
        self._prepare(begins=not trainer.step)
        lines = open_log(path, trainer.step)
        with (
            Progress(steps, trainer.step, show=self.progress, unit="step") as progress,
            path.open("a", encoding="utf-8") as log,
        ):
            try:
                while trainer.step < steps:
                    start = time.monotonic()
                    sums = trainer.accumulate()
                    with uninterrupted():  # a step, its line and its state go together
                        line = trainer.learn(sums)
                        lines.append({**line, "seconds": round(time.monotonic() - start, 3)})
                        log.write(as_line(lines[-1]))
                        log.flush()
                        if trainer.step % self.save_every == 0 and trainer.step < steps:
                            trainer.save(self.output)
                    progress.update()
            finally:
                if trainer.step and trainer.between_steps:
                    with uninterrupted():
                        trainer.save(self.output)
        draw(lines, self.output)
        return lines

    def _prepare(self, *, begins: bool) -> None:
        """Remove what an earlier training left, if this one begins; write down the images."""
        for name in FILES if begins else ():
            (self.output / name).unlink(missing_ok=True)
        state.discard_parts(self.output)
        for name, ids in ((TRAINED, self.ids), (HELD_OUT, self.held_out)):
            if ids:
                text = "".join(f"{id}\n" for id in ids)
                (self.output / name).write_text(text, encoding="utf-8")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Within, Ctrl-C waits; it takes effect at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Ctrl-C is the main thread's
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def from_mae(path: Path, output: Path, seed: int, device: str) -> Sam:
    """A SAM whose encoder is MAE's and whose other weights are random; see `sam_from_mae`."""
    output.mkdir(parents=True, exist_ok=True)
    return Sam(str(sam_from_mae(path, output, seed)), device=device)


def fit_to_train(model: Model) -> Sam:
    """The model, if its network is this package's SAM in float32.

    Raises:
        UserError: it is not.
    """
    if not isinstance(model, Sam):
        raise UserError(
            f"{model.card.name} cannot be trained; give minisam, mobile_sam, sam_vit_b, sam_vit_l, "
            "sam_vit_h or sam:checkpoint=FILE."
        )
    if model.precision != "float32":
        raise UserError(f"weights learn in float32, not {model.precision}; give --bf16 instead.")
    if model.compiled:
        raise UserError("a compiled model cannot be trained; leave compiled=true out.")
    return model
