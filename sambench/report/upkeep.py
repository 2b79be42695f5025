"""Keeping the committed leaderboard right: write it, or say what is wrong with it.

Each result lies beside its records, packed; every number of it is computed again from them.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sambench.errors import UserError
from sambench.files import read_json, write_text
from sambench.interfaces import JSON
from sambench.report.leaderboard import Board, make_boards
from sambench.report.published import published_folder, read_paper, read_published
from sambench.report.readme import has_block, readme_block, replace_block, results_readme
from sambench.store.paths import file_name
from sambench.store.result import Result, read_result, write_result
from sambench.store.run import Run, find_runs
from sambench.store.schema import inconsistencies
from sambench.store.summary import recomputed


def folder_boards(folder: Path) -> list[Board]:
    """Boards of a folder of results and of the published numbers in it."""
    own = folder / "published"
    tables = read_published(own) if own.is_dir() else []
    return make_boards(find_runs([folder]), tables)


def published_for(paths: list[Path]) -> Path:
    """The published numbers for some paths: of the path that holds some, or the shipped ones."""
    own = [path / "published" for path in paths if (path / "published").is_dir()]
    return own[0] if own else published_folder()


def generated(folder: Path, readme: Path | None = None) -> dict[Path, str]:
    """Files that are generated from a folder of results, with the text they should have.

    Args:
        folder: the folder of results; its README.md is generated whole.
        readme: a README whose block is generated; that beside the folder if it has one.

    Raises:
        UserError: a result is not valid, or the README has no place for the block.
    """
    boards = folder_boards(folder)
    texts = {folder / "README.md": results_readme(boards)}
    place = folder.resolve().parent / "README.md" if readme is None else readme
    if readme is not None or (place.is_file() and has_block(place.read_text(encoding="utf-8"))):
        texts[place] = replace_block(place.read_text(encoding="utf-8"), readme_block(boards))
    return texts


def update(folder: Path, readme: Path | None = None) -> list[Path]:
    """Write what is generated from a folder of results; returns the files that changed.

    Records are packed, and every number is computed again from them: after a change of a metric or
    of the statistics this is all there is to do.

    Raises:
        UserError: a result or its records cannot be read.
    """
    changed = []
    for run in find_runs([folder]):
        changed += [packed] if (packed := run.compact()) else []
        anew = recomputed(Run(run.path))
        if _differing(read_result(run.path), anew):
            write_result(run.path, anew)
            changed.append(run.path)
    for path, text in generated(folder, readme).items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
            changed.append(path)
    return changed


def check(folder: Path, readme: Path | None = None) -> list[str]:
    """What is wrong with a folder of results, in sentences; empty if all is well."""
    runs = find_runs([folder])
    found = [line for run in runs for line in problems(run.path, folder)]
    found = found or [line for run in runs for line in miscounted(run)]
    for path in sorted((folder / "published").glob("*.json")):
        try:
            read_paper(path)
        except UserError as error:
            found.append(str(error))
    return found or list(_stale(folder, readme))


def problems(path: Path, folder: Path) -> list[str]:
    """What is wrong with a committed result, in sentences that name it; empty if it is right.

    Args:
        path: of the result.
        folder: of all results; its place in it is checked too.
    """
    try:
        data = read_json(path)
    except UserError as error:
        return [str(error)]
    return inconsistencies(data, str(path)) or list(_misplaced(data, path, folder))


def miscounted(run: Run) -> list[str]:
    """The numbers of a result that its records do not give, to nine digits, in sentences."""
    try:
        fields = _differing(run.result, recomputed(run))
    except UserError as error:
        return [str(error)]
    remedy = "put the right file there, or run sambench report FOLDER --update"
    return [
        f"{run.path}, {name}: its records give {new}, not {old}; {remedy}."
        for name, old, new in fields
    ]


def _differing(old: Result, new: Result) -> list[tuple[str, str, str]]:
    """Places in two results whose values differ, with both values."""
    return list(_apart(old.to_json(), new.to_json()))


def _apart(old: Any, new: Any, where: str = "$") -> Iterator[tuple[str, str, str]]:
    """Places in JSON values that differ; floats may in what rounding leaves open."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for key in old:
            yield from _apart(old[key], new[key], f"{where}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from _apart(*pair, f"{where}[{number}]")
    elif not _same(old, new):
        yield where, json.dumps(old)[:40], json.dumps(new)[:40]


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, float) and isinstance(new, float):
        return math.isclose(old, new, rel_tol=1e-9, abs_tol=1e-12)
    return bool(old == new)


def _misplaced(data: JSON, path: Path, folder: Path) -> Iterator[str]:
    """A result lies at <task>/<dataset>/<model>.json; options may follow the task's name."""
    dataset, model = file_name(data["dataset"]), file_name(data["model"])
    place = path.relative_to(folder)
    parts = place.parts
    task_fits = len(parts) == 3 and parts[0].split("-")[0] == data["task"].split("-")[0]
    if not task_fits or parts[1:] != (dataset, f"{model}.json"):
        wanted = f"{data['task']}/{dataset}/{model}.json"
        yield f"{path} lies at {place.as_posix()}, expected {wanted}; move it there."


def _stale(folder: Path, readme: Path | None) -> list[str]:
    texts = generated(folder, readme)
    current = {path: path.read_text(encoding="utf-8") if path.is_file() else "" for path in texts}
    stale = [path for path in texts if texts[path] != current[path]]
    return [f"{path} is not current; run sambench report {folder} --update." for path in stale]
