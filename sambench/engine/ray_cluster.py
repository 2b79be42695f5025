"""A run on a Ray cluster: images go to any number of actors, which may die and be replaced.

Each actor holds the model and does a few images at a time; this process alone hands them out and
writes the records. A record depends on its own image alone, so neither the number of actors nor
their order moves a number. What an actor had in hand when it died, or when nothing has come from it
for too long, is given to others; an image that several actors die or hang at counts as failed.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from sambench.engine.evaluation import (
    Tasks,
    check_images,
    check_truth,
    complete,
)
from sambench.engine.loop import Sink, WorkItem
from sambench.engine.models import wanted_device
from sambench.engine.progress import say
from sambench.engine.ray_actor import Order, Worker, portable
from sambench.engine.recorder import OpenRun, opened
from sambench.engine.settings import Settings
from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset, Task
from sambench.registry import imported_files
from sambench.store.records import differences
from sambench.store.sources import images_of

log = logging.getLogger(__name__)
CHUNK = 8
"""Images that an actor is given at a time, at most."""
IN_HAND = 2
"""Chunks that an actor has at a time, so that it never waits for the next."""
ATTEMPTS = 3
"""How many actors an image may kill before it counts as failed."""
PATIENCE = 1800.0
"""Seconds for a chunk of images: an actor from which nothing comes for longer hangs."""


@dataclass(frozen=True)
class OnRay:
    """The engine of a Ray cluster.

    Attributes:
        model: name with options; each actor loads it.
        device: for the model; auto uses the GPUs of the cluster, if it has any.
        actors: how many work at a time, as soon as the cluster has room for them.
        gpus: of each actor, in parts if several share one; None: one, if the device is a GPU.
        address: of the cluster; empty starts one on this machine.
        patience: seconds without anything from an actor, after which it is replaced.
    """

    model: str
    device: str
    actors: int
    gpus: float | None
    address: str = ""
    patience: float = PATIENCE

    def __post_init__(self) -> None:
        """Refuse a GPU by its number.

        Raises:
            UserError: says what to give.
        """
        kind, _, index = self._wanted().partition(":")
        if index not in {"", "0"}:
            raise UserError(
                f"{kind}:{index} is a GPU of one machine, and on Ray every actor has GPUs of its "
                f"own, counted from 0; give --device {kind}."
            )

    @property
    def place(self) -> str:
        """How many actors there are; where they compute, they say themselves."""
        return f"Ray: {self.actors} actor{'s' if self.actors > 1 else ''}"

    def _wanted(self) -> str:
        """The device, as far as it is known here."""
        try:
            return wanted_device(self.model, self.device)
        except UserError:  # an actor may be able to load what this process cannot, and says if not
            return self.device

    def share(self, ray: Any) -> tuple[str, float]:
        """The device of each actor, and how many GPUs it gets for itself."""
        wanted, there = self._wanted(), float(ray.cluster_resources().get("GPU", 0))
        kind = wanted.partition(":")[0]
        one = there > 0 if kind == "auto" else kind not in {"cpu", "mps"}
        gpus = float(one) if self.gpus is None else self.gpus
        if gpus * self.actors > there:
            log.warning(
                "the cluster has %g GPUs for %d actors of %g each: some wait; give fewer --actors, "
                "or a part of a GPU as --gpus",
                there, self.actors, gpus,
            )  # fmt: skip
        return ("cpu" if kind == "auto" and not gpus else self.device), gpus

    def check(self, name: str, task: Task, dataset: Dataset) -> None:
        """Check task and dataset; the prompts that the model takes are checked by the actors."""
        check_truth(name, task, dataset)

    def carry_out(self, tasks: Tasks, dataset: Dataset, settings: Settings) -> list[OpenRun]:
        """Bring the records of a run to completeness with the actors of a cluster.

        Raises:
            UserError: actors cannot do what is asked, or keep dying.
        """
        check_images(tasks.values(), dataset, settings.ids(dataset))
        parts = pickle.dumps((dict(tasks), dataset))
        quiet = replace(settings, progress=False)
        ray = _connected(self, settings)
        device, gpus = self.share(ray)
        order = Order(self.model, device, tuple(imported_files()), parts, quiet)
        with _Crew(ray, replace(self, gpus=gpus), order) as crew:
            headers, place = crew.first()
            say(f"the first actor is on {place['device']}", quiet=not settings.progress)
            if gpus and place["device"] == "cpu":
                log.warning("each actor holds %g GPUs and does not use them; give --gpus 0", gpus)
            with opened(headers, list(tasks.values()), settings) as runs:

                def work(todo: Sequence[WorkItem], sink: Sink) -> None:
                    crew.work(todo, sink)

                def cost() -> JSON:
                    where = {**place, "actors": self.actors}
                    return {"environment": where, "memory": dict(crew.peak)}

                complete(runs, settings.ids(dataset), settings, images_of(dataset), work, cost)
        return runs


def _connected(engine: OnRay, settings: Settings) -> Any:
    """Ray, connected to a cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise UserError(
            "--engine ray needs the package ray; install it with pip install 'sambench[ray]'."
        ) from None
    if ray.is_initialized():
        return ray
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    ending = signal.getsignal(signal.SIGTERM)
    try:
        if engine.address:
            ray.init(engine.address, **quiet)
        else:
            room = max(os.cpu_count() or 1, engine.actors * (1 + (settings.workers or 0)))
            ray.init("local", num_cpus=room, include_dashboard=False, **quiet)
    except ConnectionError as error:
        raise UserError(f"no Ray cluster answers at {engine.address} ({error}).") from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, ending)  # Ray puts its own there, which tells nobody
    return ray


class _Crew:
    """The actors of a run, and what each has in hand.

    Args:
        ray: connected.
        engine: how many actors, and what each gets.
        order: what each holds.
        clock: gives seconds.

    Attributes:
        peak: bytes of memory, by kind, of the actor that has used most of it so far.
    """

    def __init__(
        self,
        ray: Any,
        engine: OnRay,
        order: Order,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ray, self._order, self._clock = ray, order, clock
        self._size, self._patience = engine.actors, engine.patience
        self._heard: dict[int, float] = {}  # when something last came from an actor that has work
        room = {"num_cpus": 1 + (order.settings.workers or 0), "num_gpus": engine.gpus}
        self._actor = ray.remote(**room)(Worker)
        self._beginning: dict[Any, Any] = {}  # reference of `begin` -> actor
        self._in_hand: dict[Any, tuple[Any, list[WorkItem]]] = {}  # of `work` -> actor, its images
        self._ready: list[Any] = []
        self._headers: list[JSON] = []
        self._deaths: Counter[str] = Counter()
        self._deaths_in_a_row = 0
        self.peak: Counter[str] = Counter()

    def __enter__(self) -> _Crew:
        for _ in range(self._size):
            self._hire()
        return self

    def __exit__(self, *_: object) -> None:
        hired = [*self._ready, *self._beginning.values()]
        for actor in hired:
            self._ray.kill(actor)

    def first(self) -> tuple[list[JSON], JSON]:
        """What the run is and where, as the first actor says that has loaded everything."""
        while True:
            begun = self._begun(self._next([*self._beginning]) or self._never_begun())
            if begun is not None:
                self._headers = begun[0]
                return begun

    def work(self, todo: Sequence[WorkItem], sink: Sink) -> None:
        """Have images done by whoever is there."""
        size = max(1, min(CHUNK, len(todo) // (2 * IN_HAND * self._size)))
        queue = deque(list(todo[i : i + size]) for i in range(0, len(todo), size))
        while queue or self._in_hand:
            self._hand_out(queue)
            reference = self._next([*self._in_hand, *self._beginning])
            if reference in self._beginning:
                self._begun(reference)
            elif reference is not None:
                self.peak |= Counter(self._returned(reference, queue, sink))
            elif self._in_hand:
                self._give_up(queue, sink)
            else:
                self._never_begun()

    def _next(self, waiting: list[Any]) -> Any | None:
        """What is done first; None if for too long nothing came from an actor that has work."""
        since = [self._heard[id(actor)] for actor, _ in self._in_hand.values()]
        now = self._clock()
        left = max(0.0, min(since, default=now) + self._patience - now)
        done, _ = self._ray.wait(waiting, num_returns=1, timeout=left)
        return done[0] if done else None

    def _give_up(self, queue: deque[list[WorkItem]], sink: Sink) -> None:
        """Replace the actors that hang; others get their images."""
        now = self._clock()
        for actor in list({id(actor): actor for actor, _ in self._in_hand.values()}.values()):
            if now - self._heard[id(actor)] >= self._patience:
                first = next(ref for ref, (own, _) in self._in_hand.items() if own is actor)
                _, chunk = self._in_hand.pop(first)
                self._bury(actor, chunk, queue, sink)
                self._replace(
                    actor, TimeoutError(f"nothing came from it for {self._patience:g} seconds")
                )

    def _never_begun(self) -> NoReturn:
        """No actor is there, and for too long none has come.

        Raises:
            UserError: says so.
        """
        raise UserError(
            f"no actor loaded the model within {self._patience:g} seconds; does the cluster "
            "have room for one (--gpus, --workers)? If loading takes longer, give more --patience."
        )

    def _hire(self) -> None:
        actor = self._actor.remote(self._order)
        self._beginning[actor.begin.remote()] = actor

    def _begun(self, reference: Any) -> tuple[list[JSON], JSON] | None:
        """An actor has loaded everything, or died of it: then another is hired."""
        actor = self._beginning.pop(reference)
        try:
            begun: tuple[list[JSON], JSON] = self._got(reference)
        except self._ray.exceptions.RayActorError as error:
            self._replace(actor, error)
            return None
        for mine, theirs in zip(self._headers, begun[0], strict=False):
            differing = differences(mine, theirs)
            if differing:
                raise UserError(
                    f"a machine of the cluster would run something else: {'; '.join(differing)}."
                )
        self._ready.append(actor)
        return begun

    def _hand_out(self, queue: deque[list[WorkItem]]) -> None:
        """Give every actor work, first to those who have least."""
        busy = Counter(id(actor) for actor, _ in self._in_hand.values())
        for _ in range(IN_HAND * len(self._ready)):
            actor = min(self._ready, key=lambda each: busy[id(each)])
            if not queue or busy[id(actor)] >= IN_HAND:
                return
            chunk = queue.popleft()
            if not busy[id(actor)]:
                self._heard[id(actor)] = self._clock()
            self._in_hand[actor.work.remote(chunk)] = actor, chunk
            busy[id(actor)] += 1

    def _returned(self, reference: Any, queue: deque[list[WorkItem]], sink: Sink) -> JSON:
        """Record what an actor did; if it died, others get its images."""
        actor, chunk = self._in_hand.pop(reference)
        try:
            events, peak = self._got(reference)
        except self._ray.exceptions.RayActorError as error:
            self._bury(actor, chunk, queue, sink)
            self._replace(actor, error)
            return {}
        self._deaths_in_a_row = 0
        self._heard[id(actor)] = self._clock()
        for task, image, outcome, files in events:
            if isinstance(outcome, Exception):
                sink.failed(task, image, outcome)
            else:
                sink.scored(task, image, outcome, files)
        return dict(peak)

    def _got(self, reference: Any) -> Any:
        """What a call returned; what it raised, as the actor raised it."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise portable(error.cause) from error

    def _bury(
        self, actor: Any, chunk: list[WorkItem], queue: deque[list[WorkItem]], sink: Sink
    ) -> None:
        """Hand back what a dead actor had: the images it was at one by one, to find the guilty."""
        others = [ref for ref, (owner, _) in self._in_hand.items() if owner is actor]
        for reference in others:
            queue.appendleft(self._in_hand.pop(reference)[1])
        for item in reversed(chunk):
            self._deaths[item.id] += 1
            if len(chunk) == 1 and self._deaths[item.id] >= ATTEMPTS:
                for task in item.tasks:
                    reason = f"it killed {ATTEMPTS} actors or made them hang."
                    sink.failed(task, item.id, UserError(reason))
            else:
                queue.appendleft([item])

    def _replace(self, actor: Any, error: Exception) -> None:
        """Let a dead actor go and hire another, unless they all die."""
        log.warning("an actor died and is replaced: %s", str(error).partition("\n")[0])
        self._ready = [each for each in self._ready if each is not actor]
        self._ray.kill(actor)
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > 2 * self._size + ATTEMPTS:
            raise UserError(f"actors keep dying, the last one because of: {error}")
        self._hire()
