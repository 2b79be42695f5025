"""Predictions from files, scored without a model and without torch.

They are those that a run saved, or made elsewhere in a format that the task reads.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from sambench.download import sha256
from sambench.errors import UserError
from sambench.interfaces import Dataset, Embedding, Masks, Model, ModelCard, Prompts, Task
from sambench.jobs import MANIFEST, Job, Recorder, Settings, finish, open_job, progress_bar
from sambench.pipeline import Scorer, ahead, score_saved
from sambench.results import Result, read_json


class Saved(Model):
    """Stands for the model whose predictions are in files; it cannot make new ones."""

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
    """The model behind a folder of predictions, named after the folder where nothing says more.

    Raises:
        UserError: the folder does not exist or is empty.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        raise UserError(f"{folder} holds no predictions; give the folder they are in.")
    made_by = manifest(folder).get("model")
    if made_by and not name:
        return Saved(ModelCard(**made_by))
    return Saved(ModelCard(name=name or folder.name, weights_sha256=_digest(folder)))


def rescore(
    name: str, task: Task, folder: Path, model: Saved, dataset: Dataset, settings: Settings
) -> Result:
    """Score the predictions of a folder.

    Args:
        name: of the task.
        task: scores and reads the predictions.
        folder: one prediction an image, named by its id.
        model: what the result is filed under.
        dataset: gives the truth.
        settings: see `Settings`; nothing is saved again.

    Raises:
        UserError: the task and the dataset do not fit, or records of another plan are in the way.
    """
    ids = dataset.ids[: settings.limit or None]
    job = open_job(name, task, model, dataset, settings)
    start = time.perf_counter()
    try:
        _process(job, folder, dataset, ids, settings)
    finally:
        job.records.close()
    return finish(job, model, dataset, ids, settings, time.perf_counter() - start)


def _process(
    job: Job, folder: Path, dataset: Dataset, ids: tuple[str, ...], settings: Settings
) -> None:
    progress = progress_bar([job], ids, settings)
    recorder = Recorder(progress, [job])
    scorer = Scorer(settings.workers, recorder.scored)
    todo = [id for id in ids if job.needs(id)]
    try:

        def read(id: str) -> Any:
            return dataset.read_truth(id, job.task.truth)

        for id, future in ahead(read, todo):
            try:
                truth = future.result()
            except Exception as error:  # noqa: BLE001 (whatever is wrong with an image is recorded)
                recorder.failed(id, error)
                continue
            stem = folder / job.prediction_stem(id).name
            scorer.submit((job, id, {}), score_saved, job.task, stem, truth)
        scorer.finish()
    finally:
        scorer.close()
        progress.close()


def _digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(f"{path.name} {sha256(path)}\n".encode())
    return digest.hexdigest()
