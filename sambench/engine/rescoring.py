"""Predictions from files, scored without a model and without torch.

They were saved by a run, or made elsewhere in a format that the task reads.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NoReturn

from sambench.engine.clips import check_files
from sambench.engine.environment import Session
from sambench.engine.evaluation import check_fit, check_images, complete
from sambench.engine.loop import Lines, Pending, Sink, WorkItem
from sambench.engine.recorder import finish, opened
from sambench.engine.settings import Settings
from sambench.engine.workers import Scorer, ahead, score_image, score_saved
from sambench.errors import UserError
from sambench.files import file_stamp, sha256
from sambench.interfaces import (
    JSON,
    Dataset,
    Embedding,
    Masks,
    Model,
    ModelCard,
    Prompts,
    Task,
)
from sambench.prompts import KINDS
from sambench.store.manifests import read_manifest
from sambench.store.paths import SHORT, file_stem, files_by_stem
from sambench.store.plan import describe
from sambench.store.records import Provenance, differences
from sambench.store.result import Result
from sambench.store.sources import PredictionFiles, Sources, digest_files
from sambench.truths import require_sound
from sambench.video.interfaces import ClipTask, VideoModel

log = logging.getLogger(__name__)


class Saved(Model):
    """Stands for the model whose predictions are in files; it cannot make new ones.

    Args:
        card: of the model.
        manifest: what the run noted that saved the predictions; empty if they are from elsewhere.
    """

    prompts = frozenset({*KINDS, *VideoModel.prompts})  # whatever was asked, was answered

    def __init__(self, card: ModelCard, manifest: JSON | None = None) -> None:
        self.card, self.manifest = card, manifest or {}

    def embed(self, images: Sequence[Any]) -> NoReturn:
        """Not possible."""
        raise UserError(f"{self.card.name} is known by its saved predictions only.")

    def direct(self, method: str) -> Callable[..., Any] | None:
        """A method that was not called again, where no prompt made the predictions."""
        own = bool(method) and self.manifest.get("direct", method) == method
        return self.embed if own and ("direct" in self.manifest or not self.manifest) else None

    def predict(self, embedding: Embedding, prompts: Prompts, *, multimask: bool) -> Masks:
        """Not possible."""
        raise UserError(f"{self.card.name} is known by its saved predictions only.")


@dataclass(frozen=True)
class OneFile:
    """Predictions of all images from one file.

    Attributes:
        predictions: by image id.
        stamped: size and time of the file.
        content: digest of the file.
    """

    predictions: Mapping[str, Any]
    stamped: str | None
    content: str

    @classmethod
    def of(cls, path: Path, task: Task, dataset: Dataset) -> OneFile:
        """Read them, see `Task.load_all`.

        Raises:
            UserError: they cannot be read; the file is named.
        """
        try:
            found = task.load_all(path, dataset)
        except UserError as error:  # of masks that the task itself only compares
            raise (error if str(path) in str(error) else UserError(f"{path}: {error}")) from None
        return cls(found, file_stamp(path), digest_files([path]))

    def stamp(self, id: str) -> str | None:
        """Size and time of the file."""
        return self.stamped

    def digest(self, id: str) -> str:
        """SHA-256 of the predictions of an image."""
        return self.content

    def sources(self) -> Sources:
        """As what records are made from."""
        return Sources(self.stamp, self.digest, "predictions")


def saved_model(folder: Path, name: str = "") -> Saved:
    """The model behind predictions, named after their folder or file where nothing says more.

    Args:
        folder: one file per image, or one file for all images.
        name: to give it.

    Raises:
        UserError: the folder does not exist or is empty.
    """
    if folder.is_file():
        content = sha256(folder)
        return Saved(ModelCard(name or f"{folder.stem}-{content[:SHORT]}", weights_sha256=content))
    if not folder.is_dir() or not any(folder.iterdir()):
        raise UserError(f"{folder} holds no predictions; give the folder they are in.")
    made = read_manifest(folder)
    if made and not name:
        known = {field.name for field in fields(ModelCard)}
        card = ModelCard(**{k: v for k, v in made["model"].items() if k in known})
        return Saved(card, made)
    content = _digest(folder)
    return Saved(ModelCard(name or f"{folder.name}-{content[:SHORT]}", weights_sha256=content))


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
    ids, settings = settings.ids(dataset), replace(settings, predictions=None)
    check_fit(name, task, model, dataset)
    _check_whole(folder, model, ids)
    check_images([task], dataset, ids)
    own = task
    if not model.manifest and folder.is_dir():  # made elsewhere: how to read them shows in all
        own = task.surveyed([folder / file_stem(id) for id in dataset.ids])
    header = _header(name, own, folder, model, dataset)
    files = OneFile.of(folder, task, dataset) if folder.is_file() else PredictionFiles(folder)
    with opened([header], [task], settings) as runs:
        session = Session(model.device)

        def work(todo: Sequence[WorkItem], sink: Sink) -> None:
            workers = settings.settled(len(todo)).workers or 0
            scorer = Scorer(workers, Lines(sink).take)
            try:
                _score(own, files, dataset, todo, scorer, sink)
            finally:
                scorer.close(keep=False)
                session.worker_peak = scorer.peak

        complete(runs, ids, settings, files.sources(), work, session.cost)
    return finish(runs[0], ids, settings)


def _check_whole(folder: Path, model: Saved, ids: Sequence[str]) -> None:
    """Refuse a folder in which a run kept only what a site draws, unless that is all.

    Raises:
        UserError: it lacks images.
    """
    if not model.manifest or model.manifest.get("kept") == "all":
        return
    stems = files_by_stem(folder)
    there = [id for id in ids if file_stem(id) in stems]
    if len(there) < len(ids):
        raise UserError(
            f"{folder} holds predictions of {len(there)} of the {len(ids)} images, those that a "
            "site draws; run again with --predictions all, or name images that it has with --ids."
        )


def _header(name: str, task: Task, folder: Path, model: Saved, dataset: Dataset) -> JSON:
    """What the run is: its predictions are the saved ones, whatever made them.

    Raises:
        UserError: they are of another dataset, or were made with other options.
    """
    header = describe(name, task, model, dataset)
    saved = model.manifest
    if not saved:  # nobody says what else the model can do
        known = header["about"]["model"]
        stated = {key: known[key] for key in known.keys() - {"prompts", "methods"}}
        return {**header, "about": {**header["about"], "model": stated}}
    made, asked = saved["predictions"], header["plan"]["predictions"]
    # The model, and the code that was run, are those of then.
    asked = {
        **asked,
        "model": made["model"],
        "code": made["code"],
        "dataset": {**asked["dataset"], "code": made["dataset"].get("code")},
    }
    differing = differences(made, asked)
    if differing:
        raise UserError(f"{folder} holds other predictions than asked for: {'; '.join(differing)}.")
    # With what the model was called, and where it came from.
    about = {**header["about"], "model": saved["model"], "label": saved["label"]}
    return {**header, "about": about, "plan": {**header["plan"], "predictions": made}}


def _score(
    task: Task,
    files: PredictionFiles | OneFile,
    dataset: Dataset,
    todo: Sequence[WorkItem],
    scorer: Scorer,
    sink: Sink,
) -> None:
    unseen: dict[str, list[int]] = {}

    def read(item: WorkItem) -> tuple[Any, Provenance]:
        provenance = Provenance(files.digest(item.id), files.stamp(item.id))
        truth: Any = dataset.read_truth(item.id, task.truth)
        require_sound(truth, task.truth, None)
        if isinstance(task, ClipTask) and isinstance(files, PredictionFiles):
            unseen[item.id] = check_files(files.folder / file_stem(item.id), truth)
        return truth, provenance

    for item, future in ahead(read, todo):
        try:
            truth, provenance = future.result()
        except Exception as error:  # noqa: BLE001 (whatever is wrong with an image is recorded)
            sink.failed(0, item.id, error)
            continue
        pending = Pending(0, item.id, provenance, {})
        if isinstance(files, OneFile):
            scorer.submit(pending, score_image, task, files.predictions[item.id], truth)
        else:
            scorer.submit(pending, score_saved, task, files.folder / file_stem(item.id), truth)
    scorer.finish()
    if lost := [(number, id) for id, numbers in unseen.items() for number in numbers]:
        log.warning(
            "objects that are in no predicted file: %d, first object %d of clip %s; wherever they "
            "are to be seen, J and F are 0", len(lost), *lost[0],
        )  # fmt: skip


def _digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256(path)}\n".encode())
    return digest.hexdigest()
