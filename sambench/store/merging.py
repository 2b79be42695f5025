"""Joining the records of shards, or of machines, to those of one run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from sambench.errors import UserError
from sambench.files import GZIP, write_lines
from sambench.interfaces import JSON
from sambench.metrics.statistics import RESAMPLES
from sambench.store.kept import open_kept, parse_keep
from sambench.store.lines import as_line
from sambench.store.manifests import read_manifest
from sambench.store.paths import PREDICTIONS, RECORDS, beside, file_stem
from sambench.store.records import Index, check_plan, scan
from sambench.store.result import write_result
from sambench.store.run import Run, placed, predicted_in, records_below
from sambench.store.summary import summary
from sambench.store.tasks import task_of_records


def find_records(places: Iterable[Path]) -> list[Index]:
    """All records files below some folders, packed ones too, or the files given.

    Raises:
        UserError: there are none, or one is damaged.
    """
    paths: dict[Path, None] = {}
    for place in places:
        if not place.exists():
            raise UserError(f"{place} does not exist; give a folder of records.")
        found = [place] if place.is_file() else records_below(place)
        paths |= dict.fromkeys(path.resolve() for path in found)
    indices = [index for path in paths if (index := scan(path)).header]
    if not indices:
        raise UserError(f"no records below {', '.join(map(str, places))}; give their folder.")
    return indices


def merge(
    places: Iterable[Path],
    output: Path,
    *,
    limit: int = 0,
    resamples: int = RESAMPLES,
    own: Sequence[Path] = (),
) -> list[Run]:
    """Join the records of every run that is found.

    Args:
        places: folders that hold records files, of shards or whole runs.
        output: where the joined records and results go.
        limit: score only this many images, from the first; 0 for all.
        resamples: how many sets of images the intervals may look at; 0: no intervals.
        own: the .py files of tasks that are not installed.

    Raises:
        UserError: records of one run are of different plans, or of the same image and differ.
    """
    found: dict[Run, list[Index]] = {}
    for index in find_records(places):
        run = replace(placed(output, index.header, task_of_records(index, own)), own=tuple(own))
        found.setdefault(run, []).append(index)
    for indices in found.values():
        _check(indices)
    for run, indices in found.items():
        _join(run, indices, limit, resamples)
    return list(found)


def _check(indices: list[Index]) -> None:
    """Refuse files of different plans or images, and images with different records."""
    first = indices[0]
    seen: dict[str, Index] = {}
    for index in indices:
        check_plan(first, index.header, f"{index.path} cannot join it")
        if index.header["ids"] != first.header["ids"]:
            raise UserError(f"{index.path} and {first.path} are of different lists of images.")
        for id in index.offsets.keys() & seen.keys():
            if _scores(index, id) != _scores(seen[id], id):
                raise UserError(f"{index.path} and {seen[id].path} differ in image {id}.")
        seen |= dict.fromkeys(index.offsets, index)
    for index in indices:
        for id in index.doubtful.keys() & seen.keys() - index.offsets.keys():
            if _scores(index, id) != _scores(seen[id], id):
                raise UserError(f"{index.path} and {seen[id].path} differ in image {id}.")


def _scores(index: Index, id: str) -> tuple[Any, Any]:
    """What two records of one image must agree in; what was measured may differ."""
    line = index.lines([id])[0]
    return line["image"], line["record"]


def _join(run: Run, indices: list[Index], limit: int, resamples: int) -> None:
    """Write one records file, each image once and in the dataset's order, and its result."""
    header = indices[0].header
    where = {id: index for index in reversed(indices) for id in index.offsets}
    failed = {id: why for index in indices for id, why in index.failed.items() if id not in where}
    sessions = [session for index in indices for session in index.sessions]
    lines = chain(
        [as_line(header)],
        (line for id in header["ids"] if id in where for line in where[id].raw([id])),
        (as_line({"id": id, "failed": why}) for id, why in failed.items()),
        (as_line({"session": session}) for session in sessions),
    )
    write_lines(beside(run.stem, RECORDS), lines)
    _gather(run, header, where)
    ids = tuple(header["ids"][: limit or None])
    write_result(run.path, summary(run.task, run.index, ids, resamples, {}))


def _gather(run: Run, header: JSON, where: Mapping[str, Index]) -> None:
    """Bring the predictions of all parts together, and leave those that a run keeps.

    Args:
        run: with all records.
        header: what it is.
        where: the part with the record of each image.
    """
    folders = {index.path: _predictions_of(index) for index in where.values()}
    there = {folder: predicted_in(folder, header["plan"]) for folder in folders.values()}
    words = [read_manifest(folder).get("kept", "all") for folder in there if there[folder]]
    if not words:
        return
    keep = parse_keep("all" if "all" in words else words[0])
    for id, index in where.items():
        folder = folders[index.path]
        for path in there[folder].get(file_stem(id), ()) if folder != run.predictions else ():
            name = path.relative_to(folder)
            write_lines(run.predictions / name, [path.read_bytes()], sync=False)
    open_kept(run, run.task, header, run.index, keep).prune()


def _predictions_of(index: Index) -> Path:
    """The folder of predictions of a records file, which those of all shards share."""
    name = index.path.name.removesuffix(GZIP)
    name = re.sub(rf"(\.shard-\d+-of-\d+)?{re.escape(RECORDS)}$", "", name)
    return index.path.with_name(name + PREDICTIONS)
