"""Predictions from files, scored without a model and without torch.

They are those that a run saved, or made elsewhere in a format that the task reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sambench.download import sha256
from sambench.errors import UserError
from sambench.evaluation import check_fit, check_images, complete, opened
from sambench.interfaces import JSON, Dataset, Embedding, Masks, Model, ModelCard, Prompts, Task
from sambench.jobs import MANIFEST, Job, Settings, file_stem, finish
from sambench.loop import Sink, Timed, Todo, timed_record
from sambench.pipeline import Scored, Scorer, ahead, score_image, score_saved
from sambench.plan import describe
from sambench.records import differences
from sambench.results import Result, read_json


class Saved(Model):
    """Stands for the model whose predictions are in files; it cannot make new ones."""

    prompts = frozenset({"points", "boxes", "masks", "texts"})  # whatever was asked, was answered

    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def embed(self, images: Sequence[Any]) -> NoReturn:
        """Not possible."""
        raise UserError(f"{self.card.name} is known by its saved predictions only.")

    def predict(self, embedding: Embedding, prompts: Prompts, *, multimask: bool) -> Masks:
        """Not possible."""
        raise UserError(f"{self.card.name} is known by its saved predictions only.")


def manifest(folder: Path) -> dict[str, Any]:
    """What made the predictions of a folder; empty where they were made elsewhere."""
    path = folder / MANIFEST
    return dict(read_json(path)) if path.is_file() else {}


def saved_model(folder: Path, name: str = "") -> Saved:
    """The model behind predictions, named after their folder or file where nothing says more.

    Args:
        folder: one file an image, or one file of all images.
        name: to give it.

    Raises:
        UserError: the folder does not exist or is empty.
    """
    if folder.is_file():
        return Saved(ModelCard(name=name or folder.stem, weights_sha256=sha256(folder)))
    if not folder.is_dir() or not any(folder.iterdir()):
        raise UserError(f"{folder} holds no predictions; give the folder they are in.")
    made = manifest(folder).get("predictions")
    if made and not name:
        return Saved(ModelCard(**made["model"]))
    return Saved(ModelCard(name=name or folder.name, weights_sha256=_digest(folder)))


def rescore(
    name: str, task: Task, folder: Path, model: Saved, dataset: Dataset, settings: Settings
) -> Result:
    """Score the predictions of a folder.

    Args:
        name: of the task.
        task: scores and reads the predictions.
        folder: one prediction an image, named by its id; or one file of all images.
        model: what the result is filed under.
        dataset: gives the truth.
        settings: see `Settings`; nothing is saved again.

    Raises:
        UserError: the task and the dataset do not fit, the predictions are of another dataset, or
            records of another plan are in the way.
    """
    ids = settings.ids(dataset)
    check_fit(name, task, model, dataset)
    check_images([task], dataset, ids)
    whole = task.load_all(folder, dataset) if folder.is_file() else None
    header = _header(name, task, folder, model, dataset)
    with opened([header], [task], settings) as jobs:

        def work(todo: Sequence[Todo], sink: Sink) -> None:
            _score(
                jobs[0], folder if whole is None else whole, dataset, todo, settings.workers, sink
            )

        complete(jobs, ids, settings, work)
    return finish(jobs[0], ids, settings)


def _header(name: str, task: Task, folder: Path, model: Saved, dataset: Dataset) -> JSON:
    """What the run is: its predictions are those that were saved, whatever made them since.

    Raises:
        UserError: they are of another dataset, or were made with other options.
    """
    header = describe(name, task, model, dataset)
    saved = manifest(folder)
    made = saved.get("predictions")
    if made is None or made["model"] != header["plan"]["predictions"]["model"]:
        return header
    wanted = {**header["plan"]["predictions"], "code": made["code"]}
    differing = differences(made, wanted)
    if differing:
        raise UserError(f"{folder} holds other predictions than asked for: {'; '.join(differing)}.")
    about = {**header["about"], "model": saved["model"]}  # with where the model came from
    return {**header, "about": about, "plan": {**header["plan"], "predictions": made}}


def _score(
    job: Job,
    given: Path | Mapping[str, Any],
    dataset: Dataset,
    todo: Sequence[Todo],
    workers: int,
    sink: Sink,
) -> None:
    """Score images; given is the folder of their predictions, or the predictions by id."""
    processes: set[int] = set()

    def scored(key: Timed, outcome: Scored | Exception) -> None:
        if isinstance(outcome, Exception):
            sink.failed(0, key.id, outcome)
            return
        first = outcome.process not in processes
        processes.add(outcome.process)
        sink.scored(0, key.id, timed_record(key, outcome, first=first))

    def read(item: Todo) -> Any:
        return dataset.read_truth(item.id, job.task.truth)

    scorer = Scorer(workers, scored)
    try:
        for item, future in ahead(read, todo):
            try:
                truth = future.result()
            except Exception as error:  # noqa: BLE001 (whatever is wrong with an image is recorded)
                sink.failed(0, item.id, error)
                continue
            key = Timed(0, item.id, {}, 1, ())
            if isinstance(given, Path):
                scorer.submit(key, score_saved, job.task, given / file_stem(item.id), truth)
            else:
                scorer.submit(key, score_image, job.task, given[item.id], truth, None)
        scorer.finish()
    finally:
        scorer.close(keep=False)


def _digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(f"{path.name} {sha256(path)}\n".encode())
    return digest.hexdigest()
