"""How a run is carried out: which images, by how many processes, and what is kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sambench.data.text_lists import read_lines
from sambench.engine.embedding_cache import CacheOptions
from sambench.engine.sharding import Shard
from sambench.errors import UserError
from sambench.interfaces import Dataset
from sambench.metrics.statistics import RESAMPLES
from sambench.store.kept import Keep
from sambench.video.clips import items_of

FEW = 5
"""Images that are scored beside no model: to begin a process takes a second."""


@dataclass(frozen=True)
class Settings:
    """How a run is carried out; nothing here moves a number.

    Attributes:
        output: folder for records and results.
        limit: score only this many images, from the first; 0 for all.
        only: ids of the images to score; empty is all.
        workers: processes that score beside the model; 0 scores in between; None is what suits
            this machine and the number of images, see `settled`.
        batch: images embedded at a time; 0 is as many as the model likes.
        resamples: how many sets of images the intervals may look at; 0: no intervals.
        fresh: discard the records of an earlier run.
        predictions: which are kept beside the records; None leaves those that are there alone.
        progress: show on stderr how far the run is.
        shard: do only this part of the images, in a records file of its own.
        cache: keep embeddings on disk.
    """

    output: Path = Path("runs")
    limit: int = 0
    only: tuple[str, ...] = ()
    workers: int | None = 0
    batch: int = 0
    resamples: int = RESAMPLES
    fresh: bool = False
    predictions: Keep | None = Keep()  # noqa: RUF009 (it is frozen)
    progress: bool = True
    shard: Shard | None = None
    cache: CacheOptions | None = None

    def settled(self, images: int) -> Settings:
        """With a number of workers for so many images where none was given.

        That is all cores but the one that drives the model; none for a few images, which are scored
        before another process would have begun.
        """
        if self.workers is not None:
            return self
        cores = os.cpu_count() or 1
        return replace(self, workers=0 if images <= FEW else max(1, min(8, cores - 1)))

    def ids(self, dataset: Dataset) -> tuple[str, ...]:
        """The images that all shards together are to score, in the dataset's order.

        Raises:
            UserError: there are none, two have the same id, or one asked for is not there.
        """
        if not dataset.ids:
            raise UserError(
                f"dataset {dataset.card.name} has no {items_of(dataset)}; check its options."
            )
        if len(set(dataset.ids)) != len(dataset.ids):
            raise UserError(
                f"dataset {dataset.card.name} gives two {items_of(dataset)} the same id."
            )
        ids = chosen(dataset, self.only) if self.only else dataset.ids
        return ids[: self.limit or None]


def read_ids(path: Path) -> tuple[str, ...]:
    """Ids of images, one a line; empty lines do not count, and an id given twice counts once.

    Raises:
        UserError: the file does not exist, or holds no id.
    """
    ids = tuple(dict.fromkeys(read_lines(path)))
    if not ids:
        raise UserError(f"{path} holds no ids; write one per line.")
    return ids


def chosen(dataset: Dataset, only: Sequence[str]) -> tuple[str, ...]:
    """Those images of a dataset that are asked for, in the dataset's order.

    Raises:
        UserError: names one that the dataset does not have.
    """
    known, wanted = set(dataset.ids), set(only)
    unknown = [id for id in only if id not in known]
    if unknown:
        raise UserError(
            f"{len(unknown)} of {len(only)} ids are not in dataset {dataset.card.name}, first "
            f"{unknown[0]}; give ids of this dataset, such as {dataset.ids[0]}, one per line."
        )
    return tuple(id for id in dataset.ids if id in wanted)
