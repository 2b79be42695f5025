"""The loop: a step is a batch of images, an image some objects, an object some rounds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset
from sambench.store.code import digest_of, modules_of
from sambench.truths import Instances

from ..nn.precision import widest
from ..sam import Sam
from . import state
from .distributed import Team
from .features import FrozenFeatures, Image, LearnedFeatures
from .interaction import Interaction, Round
from .losses import FOCAL_WEIGHT
from .objects import choose
from .optimizer import make_optimizer, rate, set_rate, trainable
from .pixels import DIGEST, SeenPixels
from .recipe import Recipe
from .regularization import dropout

CHUNK = {"cpu": 8}
"""Users at a time: few stay in a processor's caches; a GPU takes all."""
ORDER, OBJECTS, USERS, ENCODER, DECODER = range(5)
"""What a random generator is for: the second number of its seed."""
SUMS = ("loss", "focal", "dice", "iou_error", "first_iou", "last_iou", "masks", "empty")
"""What a step adds up: the first six are sums over objects, then objects, and images without."""


@dataclass
class Trainer:
    """Trains a model, which it changes, on some images of a dataset.

    Attributes:
        model: of SAM's own architecture, in float32.
        dataset: whose truth is `Instances`.
        ids: images to train on.
        recipe: how.
        team: the processes that share the work.
        frozen: the features of the encoder if that does not learn.
        step: how many are done.
        between_steps: whether the model is as some number of steps left it.
    """

    model: Sam
    dataset: Dataset
    ids: tuple[str, ...]
    recipe: Recipe
    team: Team = field(default_factory=Team)
    frozen: FrozenFeatures | None = None
    step: int = 0
    between_steps: bool = True

    def __post_init__(self) -> None:
        recipe, net = self.recipe, self.model.net
        self.parameters = self._learning()
        for parameter in self.parameters.values():
            parameter.requires_grad = True
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer = make_optimizer(
            net, self.parameters, lr=recipe.lr, weight_decay=recipe.weight_decay,
            layer_decay=recipe.layer_decay,
        )  # fmt: skip
        self.pixels = SeenPixels(self.dataset, self.ids)
        self._drawn = torch.zeros(recipe.batch, DIGEST, dtype=torch.uint8)  # of this step's images
        self._features = self._choose_features()
        chunk = CHUNK.get(torch.device(self.model.device).type, recipe.masks)
        self._interaction = Interaction(
            net, recipe.clicks, chunk, recipe.every_iou, self._arithmetic()
        )

    def _learning(self) -> dict[str, nn.Parameter]:
        """The parameters that learn, by name.

        Raises:
            UserError: the dataset has nothing to learn from.
        """
        if Instances not in self.dataset.truths:
            raise UserError(f"dataset {self.dataset.card.name} has no object masks to train on.")
        return trainable(self.model.net, whole=self.recipe.whole)

    def _choose_features(self) -> Callable[[str, Callable[[], Image]], Tensor]:
        if self.recipe.whole:
            return LearnedFeatures(self.model, self._arithmetic(), self.recipe.drop_path)
        return self.frozen or FrozenFeatures(self.model)

    def _arithmetic(self) -> AbstractContextManager[object]:
        if not self.recipe.bf16:
            return nullcontext()
        return torch.autocast(torch.device(self.model.device).type, torch.bfloat16)

    def plan(self) -> JSON:
        """All that moves a number: two trainings of one plan give the same model."""
        return {
            **self.recipe.to_json(),
            "weights": self.model.card.weights_sha256,
            "dataset": self.dataset.card.name,
            "fingerprint": self.dataset.fingerprint,
            "images": hashlib.sha256("\n".join(self.ids).encode()).hexdigest(),
            "code": digest_of(modules_of(self.model, self.dataset, also=(type(self).__module__,))),
        }

    def run(self) -> Iterator[JSON]:
        """Do what is left of the steps; after each, a line for the log."""
        while self.step < self.recipe.steps:
            yield self.learn(self.accumulate())

    def learn(self, sums: dict[str, float]) -> JSON:
        """One step of the optimizer, after `accumulate`; returns the line for the log.

        Raises:
            UserError: the loss is not a number; the model is as before the step.
        """
        lr = self.recipe.lr * rate(self.step, self.recipe.steps, self.recipe.warmup)
        set_rate(self.optimizer, lr)
        if not all(np.isfinite(value) for value in sums.values()):
            raise UserError(
                f"the loss is not a number at step {self.step + 1}; give a smaller --lr, or leave "
                "--bf16 out."
            )
        self.between_steps = False
        self.optimizer.step()
        self.pixels.note([self.id_at(place) for place in range(self.recipe.batch)], self._drawn)
        self.step += 1
        self.between_steps = True
        return {"step": self.step, "lr": lr, **_means(sums)}

    def accumulate(self) -> dict[str, float]:
        """The gradient of the whole batch, over all processes; returns the sums of `SUMS`.

        Raises:
            UserError: an image or its truth cannot be read, or an image has changed.
        """
        for parameter in self.parameters.values():
            assert parameter.grad is not None
            parameter.grad.zero_()
        self._drawn = torch.zeros_like(self._drawn, device=self.model.device)
        sums = dict.fromkeys(SUMS, 0.0)
        for place in self.team.mine(self.recipe.batch):
            self._image(place, sums)
        device = self.model.device
        totals = torch.tensor(list(sums.values()), dtype=widest(device), device=device)
        grads = [parameter.grad for parameter in self.parameters.values()]
        self.team.add_up(grad for grad in grads if grad is not None)
        self.team.add_up([totals])
        self.team.add_up([self._drawn])
        return dict(zip(SUMS, totals.tolist(), strict=True))

    def id_at(self, place: int) -> str:
        """The image at a place of this step's batch; every epoch has an order of its own."""
        number = self.step * self.recipe.batch + place
        epoch, index = divmod(number, len(self.ids))
        order = np.random.default_rng([self.recipe.seed, ORDER, epoch]).permutation(len(self.ids))
        return self.ids[int(order[index])]

    def _image(self, place: int, sums: dict[str, float]) -> None:
        """Add the gradient of one image."""
        recipe, id = self.recipe, self.id_at(place)
        random = np.random.default_rng([recipe.seed, OBJECTS, self.step, place])
        objects = choose(self.dataset.read_truth(id, Instances), recipe.masks, random)
        sums["masks"] += len(objects)
        sums["empty"] += not len(objects)
        if not len(objects):
            return
        with self._seeded(ENCODER, place):
            features = self._features(id, partial(self._read, id, place))
        leaf = features.detach().requires_grad_(recipe.whole)
        with self._seeded(DECODER, place), dropout(self.model.net, recipe.dropout):
            seeds = (recipe.seed, USERS, self.step, place)
            rounds = self._interaction.rounds(leaf, objects, random, seeds)
            self._learn(rounds, len(objects), recipe.clicks + 2, sums)
        if recipe.whole:
            features.backward(leaf.grad)  # type: ignore[no-untyped-call]  # torch's

    def _read(self, id: str, place: int) -> Image:
        """An image, of which it is kept what it was."""
        image, digest = self.pixels.read(id)
        self._drawn[place] = digest
        return image

    def _learn(
        self, rounds: Iterable[Round], count: int, last: int, sums: dict[str, float]
    ) -> None:
        """Backpropagate the rounds of one image: the mean over its objects and rounds.

        Args:
            rounds: of all objects.
            count: how many objects there are.
            last: number of the last round.
            sums: what is added to.
        """
        share = 1 / (count * (last + 1) * self.recipe.batch)
        for turn in rounds:
            terms = turn.terms
            (terms.total.sum() * share).backward()  # type: ignore[no-untyped-call]  # torch's
            for name, part in (("focal", terms.focal), ("dice", terms.dice)):
                sums[name] += float(part.detach().sum()) / (last + 1)
            sums["iou_error"] += float(terms.iou.detach().sum()) / (last + 1)
            for name, number in (("first_iou", 0), ("last_iou", last)):
                sums[name] += float(turn.quality.sum()) * (turn.number == number)
        sums["loss"] = FOCAL_WEIGHT * sums["focal"] + sums["dice"] + sums["iou_error"]

    @contextmanager
    def _seeded(self, purpose: int, place: int) -> Iterator[None]:
        """Within, torch's generator depends on purpose, step and the image's place alone.

        What the decoder drops is therefore the same wherever its features came from.
        """
        device = torch.device(self.model.device)
        seed = np.random.default_rng([self.recipe.seed, purpose, self.step, place])
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(int(seed.integers(2**62)))
            yield

    def save(self, folder: Path) -> None:
        """Write the model under its official names, and what it takes to go on, after a step."""
        about = {"step": self.step, "plan": self.plan()}
        state.save(folder / state.MODEL, self._weights(), {**about, **self._note()})
        packed = state.pack(self.parameters, self.optimizer, self.pixels.digests)
        state.save(folder / state.STATE, packed, about)

    def _weights(self) -> dict[str, Tensor]:
        """What the file of the model holds."""
        return self.model.net.state_dict()

    def _note(self) -> JSON:
        """What the file of the model says beside its plan."""
        return {}

    def resume(self, folder: Path) -> None:
        """Go on from what `save` wrote, if it did.

        Raises:
            UserError: it is of another plan, which is told, or damaged; or an image is not what it
                was.
        """
        path = folder / state.STATE
        for file in (folder / state.MODEL, path):  # the process may have ended between the two
            if file.is_file():
                self._check_plan(file)
        if not path.is_file():
            return
        step = state.read_about(path)["step"]
        state.restore(path, self.parameters, self.optimizer, self.pixels.digests, step)
        self.step = step
        seen = self.pixels.seen()
        for index in self.team.mine(len(seen)):
            self.pixels.read(seen[index])

    def _check_plan(self, path: Path) -> None:
        plan, other = self.plan(), state.read_about(path).get("plan", {})
        changed = [name for name in plan if name in other and plan[name] != other[name]]
        if changed:
            name = changed[0]
            raise UserError(
                f"{path.parent} holds a training with {name} {other[name]}, not {plan[name]}; "
                "give the same options, another --output, or --fresh to begin again."
            )
        if plan.keys() != other.keys():
            raise UserError(
                f"{path.parent} holds a training of another version of sambench; give another "
                "--output, or --fresh to begin again."
            )


def _means(sums: dict[str, float]) -> JSON:
    """Means over the objects of a step, for the log; None where there were none."""
    count = sums["masks"]
    means = {name: sums[name] / count if count else None for name in SUMS[:6]}
    return {**means, "masks": int(count), "images_without_masks": int(sums["empty"])}
