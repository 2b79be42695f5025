"""Joining the records of shards, or of machines, to those of one run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from sambench.errors import UserError
from sambench.interfaces import JSON, Task
from sambench.jobs import beside, stem_of, summary
from sambench.metrics.statistics import RESAMPLES
from sambench.records import ENDING, Index, check_plan, scan
from sambench.registry import load
from sambench.results import Result, write_lines, write_result
from sambench.timing import MEASURED


@dataclass(frozen=True)
class Merged:
    """What joining gave.

    Attributes:
        path: the records file that was written.
        result: of all images that were asked for.
        task: that it is about.
    """

    path: Path
    result: Result
    task: Task


def find_records(places: Iterable[Path]) -> list[Index]:
    """All records files below some folders, or the files given.

    Raises:
        UserError: there are none, or one is damaged.
    """
    paths: dict[Path, None] = {}
    for place in places:
        if not place.exists():
            raise UserError(f"{place} does not exist; give a folder of records.")
        found = [place] if place.is_file() else sorted(place.rglob(f"*{ENDING}"))
        paths |= dict.fromkeys(path.resolve() for path in found)
    indices = [index for path in paths if (index := scan(path)).header]
    if not indices:
        raise UserError(f"no records below {', '.join(map(str, places))}; give their folder.")
    return indices


def task_of(header: JSON) -> Task:
    """The task of a run, made again from what its records say of it.

    Raises:
        UserError: it is not to be had here.
    """
    about = header["about"]
    task: Task = load("task", about["task"], **about["options"])
    return task


def merge(
    places: Iterable[Path], output: Path, *, limit: int = 0, resamples: int = RESAMPLES
) -> list[Merged]:
    """Join the records of every run that is found.

    Args:
        places: folders that hold records files, of shards or whole runs.
        output: where the joined records and results go.
        limit: only so many images, from the first; 0 is all.
        resamples: bootstrap resamples for the intervals.

    Raises:
        UserError: records of one run are of different plans, or of the same image and differ.
    """
    runs: dict[Path, list[Index]] = {}
    for index in find_records(places):
        runs.setdefault(stem_of(index.header, task_of(index.header), output), []).append(index)
    for indices in runs.values():
        _check(indices)
    return [_join(stem, indices, limit, resamples) for stem, indices in runs.items()]


def _check(indices: list[Index]) -> None:
    """Refuse files of different plans or images, and images with different records."""
    first = indices[0]
    seen: dict[str, Index] = {}
    for index in indices:
        check_plan(first, index.plan, f"{index.path} cannot join it")
        if index.header["ids"] != first.header["ids"]:
            raise UserError(f"{index.path} and {first.path} are of different lists of images.")
        for id in index.offsets.keys() & seen.keys():
            if _scores(index, id) != _scores(seen[id], id):
                raise UserError(f"{index.path} and {seen[id].path} differ in image {id}.")
        seen |= dict.fromkeys(index.offsets, index)


def _scores(index: Index, id: str) -> dict[str, Any]:
    return {key: value for key, value in index.read([id])[0].items() if key not in MEASURED}


def _join(stem: Path, indices: list[Index], limit: int, resamples: int) -> Merged:
    """Write one records file, each image once and in the dataset's order, and its result."""
    header = indices[0].header
    where = {id: index for index in reversed(indices) for id in index.offsets}
    failed = {id: why for index in indices for id, why in index.failed.items() if id not in where}
    sessions = [session for index in indices for session in index.sessions]
    path = beside(stem, ENDING)
    lines = chain(
        [_line(header)],
        (line for id in header["ids"] if id in where for line in where[id].lines([id])),
        (_line({"id": id, "failed": why}) for id, why in failed.items()),
        (_line({"session": session}) for session in sessions),
    )
    write_lines(path, lines)
    ids = tuple(header["ids"][: limit or None])
    task = task_of(header)
    result = summary(task, scan(path), ids, resamples, {})
    write_result(beside(stem, ".json"), result)
    return Merged(path, result, task)


def _line(value: JSON) -> bytes:
    return (json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n").encode()
