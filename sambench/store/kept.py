"""The predictions that a run keeps beside its records: which they are, and their files.

A site draws a few images of a run. Unless something else is asked for, a run keeps the predictions
of such images: in turn of those with the worst scores, of a sample that is the same for every
model, so that models can be seen beside each other, and of those with the best. Which they are
follows from ids and scores alone, not from the order in which images were done, from shards, or
from how often the run was continued. What is kept moves no number and is no part of what a run is.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from math import isfinite
from pathlib import Path

from sambench.errors import UserError, choices
from sambench.files import parse_size, write_json, write_lines
from sambench.interfaces import JSON, Task
from sambench.shown import find_metric
from sambench.store.comparing import of_one_image
from sambench.store.manifests import read_manifest
from sambench.store.paths import MANIFEST, file_stem, files_by_stem
from sambench.store.records import Index
from sambench.store.run import Run

IMAGES = 120
"""Images whose predictions are kept for a site, which draws 60 unless it is asked for more."""
SIZE = 100_000_000
"""Bytes that they may take."""
SLACK = 2
"""While a run goes on, as many times more are there before some are removed."""
WHICH = ("drawn", "all", "none")


@dataclass(frozen=True)
class Keep:
    """Which predictions a run keeps.

    Attributes:
        which: "drawn": of images that a site may draw; "all"; or "none".
        size: bytes that drawn ones may take.
    """

    which: str = "drawn"
    size: int = SIZE

    def __str__(self) -> str:
        return self.which if self.which != "drawn" or self.size == SIZE else f"{self.size}B"


def parse_keep(text: str) -> Keep:
    """``drawn``, ``all``, ``none``, or how much room drawn ones may take, such as ``500MB``.

    Raises:
        UserError: it is none of these.
    """
    if text in WHICH:
        return Keep(text)
    try:
        return Keep(size=parse_size(text))
    except UserError:
        said = f"--predictions {text} is not known; {choices(text, WHICH)}"
        raise UserError(f"{said} Or give a size such as 500MB.") from None


def saves(task: Task, keep: Keep | None) -> bool:
    """Whether predictions are saved; a task need not know how, unless all are asked for."""
    if keep is None or keep.which == "none":
        return False
    return keep.which == "all" or type(task).save is not Task.save


def worth_a_look(scores: Mapping[str, float | None], *, lower: bool) -> list[str]:
    """All images, those first that a site should draw.

    Args:
        scores: by image id; None where an image has none.
        lower: whether the lower score is the better one.
    """
    sign = -1 if lower else 1
    known = sorted((sign * value, id) for id, value in scores.items() if value is not None)
    worst = [id for _, id in known]
    sample = sorted(scores, key=lambda id: hashlib.sha256(id.encode()).digest())
    turns = zip(worst, sample, reversed(worst), strict=False)  # a sample is of all, so never short
    return list(dict.fromkeys([*chain.from_iterable(turns), *sample]))


@dataclass
class Kept:
    """The predictions of a run, while it goes on or is merged; others may write beside it.

    Attributes:
        folder: where they lie.
        keep: which stay.
        task: tells what an image scores.
        index: the records of the run, or of its shard: only their images are looked after.
        files: of each image that has any, their bytes by name; slashes part folders in it.
    """

    folder: Path
    keep: Keep
    task: Task
    index: Index
    files: dict[str, dict[str, int]] = field(default_factory=dict)
    _scores: dict[str, float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stems = {file_stem(id): id for id in self.index.offsets}
        there = files_by_stem(self.folder) if self.folder.is_dir() else {}
        for stem in there.keys() & stems.keys():
            names = {path.relative_to(self.folder).as_posix(): path for path in there[stem]}
            self.files[stems[stem]] = {name: path.stat().st_size for name, path in names.items()}

    def put(self, id: str, files: Mapping[str, bytes]) -> None:
        """Keep the files of an image by their names, in place of any that are there.

        It comes before the record: an image that counts as done has its prediction.
        """
        if len(self.files) >= SLACK * IMAGES or self._bytes() > SLACK * self.keep.size:
            self.prune()
        self._remove([id])
        for name, content in files.items():
            write_lines(self.folder / name, [content], sync=False)
        if files:
            self.files[id] = {name: len(content) for name, content in files.items()}

    def prune(self) -> None:
        """Leave those that are to stay."""
        few = len(self.files) <= IMAGES and self._bytes() <= self.keep.size
        if self.keep.which != "drawn" or few:
            return
        room, chosen = self.keep.size, set()
        metric = find_metric(self.task.metrics, self.task.metric)
        for id in worth_a_look(self._scored(), lower=metric.lower_is_better)[:IMAGES]:
            size = sum(self.files[id].values())
            if size <= room:
                room -= size
                chosen.add(id)
        self._remove([id for id in self.files if id not in chosen])

    def _bytes(self) -> int:
        return sum(size for own in self.files.values() for size in own.values())

    def _scored(self) -> dict[str, float | None]:
        """The score of each image that is there; each is computed once."""
        new = [id for id in self.files if id in self.index.offsets and id not in self._scores]
        for id, record in zip(new, self.index.read(new), strict=True):
            value = of_one_image(self.task, self.task.metric, record)
            self._scores[id] = float(value) if isfinite(value) else None
        return {id: self._scores.get(id) for id in self.files}

    def _remove(self, ids: Iterable[str]) -> None:
        for id in ids:
            self._scores.pop(id, None)
            for name in self.files.pop(id, ()):
                (self.folder / name).unlink(missing_ok=True)
            own = self.folder / file_stem(id)
            if own.is_dir():  # what is not noted is of a run that was killed at it
                shutil.rmtree(own)


def open_kept(
    run: Run, task: Task, header: JSON, index: Index, keep: Keep, *, fresh: bool = False
) -> Kept:
    """Make the folder of a run's predictions, or take the one that is there.

    One that was to hold all predictions goes on to.

    Args:
        run: where it lies.
        task: of the run.
        header: what the run is.
        index: its records, or those of its shard.
        keep: which are to stay.
        fresh: discard those that are there.

    Raises:
        UserError: it holds those of another run.
    """
    folder, made = run.predictions, header["plan"]["predictions"]
    if fresh and folder.is_dir():
        shutil.rmtree(folder)
    before = read_manifest(folder)
    if before and before["predictions"] != made:
        raise UserError(f"{folder} holds predictions of another run; remove it.")
    if keep.which == "drawn" and before.get("kept") == "all":
        keep = Keep("all")
    if saves(task, keep) and before.get("kept") != str(keep):
        write_json(folder / MANIFEST, {**header["about"], "predictions": made, "kept": str(keep)})
    return Kept(folder, keep, task, index)
