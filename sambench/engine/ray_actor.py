"""What happens in an actor of a Ray cluster: a part of a run, and what goes back to the driver."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sambench.engine.environment import environment, peak_memory
from sambench.engine.evaluation import Tasks, headers_of
from sambench.engine.loop import Loop, Parts, WorkItem
from sambench.engine.models import load_model
from sambench.engine.settings import Settings
from sambench.engine.workers import Files
from sambench.errors import UserError
from sambench.interfaces import JSON, Dataset
from sambench.registry import import_files

if TYPE_CHECKING:
    from sambench.interfaces import Model

Event = tuple[int, str, JSON | Exception, Files]


@dataclass(frozen=True)
class Order:
    """What an actor is to hold.

    Attributes:
        model: name with options.
        device: for the model.
        files: plug-ins given by path.
        parts: tasks and dataset, pickled: they may come from those files.
        settings: of the run.
    """

    model: str
    device: str
    files: tuple[Path, ...]
    parts: bytes
    settings: Settings


class Worker:
    """The part of a run that happens in an actor."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._events: list[Event] = []

    def begin(self) -> tuple[list[JSON], JSON]:
        """Load model, tasks and dataset; returns what the run is, and where this is."""
        import_files(self._order.files)
        tasks: Tasks
        dataset: Dataset
        tasks, dataset = pickle.loads(self._order.parts)  # noqa: S301 (our own driver's)
        settings = self._order.settings
        model: Model = load_model(self._order.model, self._order.device)
        if settings.cache:
            model = settings.cache.stated(model)
        self._held = tasks, model, dataset
        return headers_of(tasks, model, dataset), environment(str(model.device))

    def work(self, todo: list[WorkItem]) -> tuple[list[Event], JSON]:
        """Do some images; returns what came of them, and the peak of memory so far."""
        tasks, model, dataset = self._held
        if not hasattr(self, "_loop"):
            parts = Parts(list(tasks.values()), model, dataset)
            self._loop = Loop(parts, self._order.settings, self)
        self._events = []
        self._loop.run(todo)
        return self._events, peak_memory(str(model.device), self._loop.worker_peak)

    def scored(self, task: int, id: str, line: JSON, files: Files) -> None:
        """Keep the line of a scored image until the driver fetches it."""
        self._events.append((task, id, line, files))

    def failed(self, task: int, id: str, error: Exception) -> None:
        """Keep why an image failed, as an error that the driver can unpickle."""
        self._events.append((task, id, portable(error), {}))


def portable(error: Exception) -> Exception:
    """An error as one that any process can read."""
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, error.strerror)
    text = str(error)
    return UserError(text if isinstance(error, UserError) else f"{type(error).__name__}: {text}")
