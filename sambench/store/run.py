"""One run on disk: all that one task, model and dataset left in a folder.

Its files lie side by side, ``OUTPUT/<task>/<dataset>/<model>`` and an ending: the result ``.json``,
the records ``.records.jsonl`` (those of a shard ``.shard-1-of-4.records.jsonl``; packed ones, which
are only read, ``.records.jsonl.gz``), and the folder ``.predictions``. Each may be missing: a run
that goes on has no result yet, and a result that was handed on may have left its records behind.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sambench.errors import UserError
from sambench.files import GZIP, packed, write_lines
from sambench.interfaces import JSON, Task
from sambench.store.lines import as_line
from sambench.store.manifests import read_manifest
from sambench.store.paths import PREDICTIONS, RECORDS, beside, files_by_stem, stem_of
from sambench.store.plan import ids_digest
from sambench.store.records import Index, scan
from sambench.store.result import Result, read_result
from sambench.store.tasks import task_of_records, task_of_result

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run on disk; what it holds is read when it is first asked for, and then kept.

    Attributes:
        path: of its result, whose name ends in ``.json``; the rest lies beside it.
        own: the .py files of tasks that the user named.
    """

    path: Path
    own: tuple[Path, ...] = ()

    @property
    def stem(self) -> Path:
        """Path of all its files without their endings."""
        return self.path.with_suffix("")

    @property
    def records_path(self) -> Path:
        """Where its records lie, if they were kept: the compact ones where there are no others."""
        plain, compact = beside(self.stem, RECORDS), beside(self.stem, RECORDS + GZIP)
        return compact if compact.is_file() and not plain.is_file() else plain

    @property
    def predictions(self) -> Path:
        """The folder of its predictions, as far as they were kept."""
        return beside(self.stem, PREDICTIONS)

    @cached_property
    def predicted(self) -> dict[str, list[Path]]:
        """The files of the predictions that are kept, by the image's `file_stem`."""
        return predicted_in(self.predictions, self.index.plan)

    @property
    def records_files(self) -> list[Path]:
        """All files of records that are there: its own, and those of its shards."""
        folder = self.path.parent
        shards = sorted(folder.glob(f"*.shard-*{RECORDS}")) if folder.is_dir() else []
        named = [path for path in shards if path.name.rpartition(".shard-")[0] == self.stem.name]
        return [*([self.records_path] if self.records_path.is_file() else []), *named]

    @cached_property
    def result(self) -> Result:
        """Its result.

        Raises:
            UserError: it does not exist, or is not a result.
        """
        return read_result(self.path)

    @cached_property
    def index(self) -> Index:
        """What its records hold; nothing where they were not kept.

        Raises:
            UserError: the file does not hold records, or those of another version of the format.
        """
        return scan(self.records_path)

    @cached_property
    def task(self) -> Task:
        """Its task, made again: by its records, or by its result where they were not kept.

        Raises:
            UserError: the task is not installed and not among `own`, or cannot be made so.
        """
        if self.index.header:
            return task_of_records(self.index, self.own)
        return task_of_result(self.result, self.path, self.own)

    def compact(self) -> Path | None:
        """Pack its records, the same lines in a tenth of the space; their new path, if any were.

        Packed records are handed on: of the files that the task was given they keep the names.
        """
        plain = beside(self.stem, RECORDS)
        if not plain.is_file():
            return None
        compact = beside(plain, GZIP)
        header, _, rest = plain.read_bytes().partition(b"\n")
        write_lines(compact, [packed(_without_folders(header) + rest)])
        plain.unlink()
        return compact

    @property
    def name(self) -> str:
        """The model's label and where the records lie: two runs may be of the same model."""
        return f"{self.index.header['about']['label']} ({self.records_path})"

    def lines(self) -> list[JSON]:
        """The lines of the records behind the result, in the dataset's order.

        There are none where records were not kept; nor, with a warning, where they cannot be read
        or belong to another run than the result.
        """
        return self._lines

    @cached_property
    def _lines(self) -> list[JSON]:
        if not self.records_path.is_file():
            return []
        kept: dict[str, JSON] = {}
        try:
            if "index" not in vars(self):  # both are had by reading once
                vars(self)["index"] = scan(self.records_path, kept)
            ids = _images_of(self.result, self.index)
            return [kept[id] for id in ids] if kept else self.index.lines(ids)
        except UserError as error:
            log.warning("%s is used without its records: %s", self.path, error)
            return []


def predicted_in(folder: Path, plan: JSON) -> dict[str, list[Path]]:
    """The files of a folder of predictions by the image's `file_stem`; none if of another plan."""
    made = read_manifest(folder)
    if not made or made["predictions"] != plan.get("predictions"):
        return {}
    return files_by_stem(folder)


def placed(output: Path, header: JSON, task: Task) -> Run:
    """The run that records with this header belong to, below a folder of all runs."""
    about = header["about"]
    stem = stem_of(about["task"], task, about["dataset"]["label"], about["label"], output)
    return Run(beside(stem, ".json"))


def find_runs(places: Iterable[Path], own: Iterable[Path] = ()) -> list[Run]:
    """All runs that have a result, in order; a file given twice counts once.

    Predictions and the tables of papers are left out.

    Args:
        places: folders of results, or such files.
        own: the .py files of tasks that are not installed.

    Raises:
        UserError: a folder does not exist.
    """
    files = dict.fromkeys(file for place in places for file in _results_in(place))
    return [Run(file, tuple(own)) for file in files]


def result_path(path: Path) -> Path:
    """The path of a result, of which the records may have been named instead."""
    name = path.name.removesuffix(GZIP)
    if not name.endswith(RECORDS):
        return path
    return path.with_name(name.removesuffix(RECORDS) + ".json")


def read_run(path: Path, own: Sequence[Path] = ()) -> Run:
    """The run with records that a path names.

    Args:
        path: of its result, of its records, or of the folder that holds the one of them.
        own: the .py files of tasks that are not installed.

    Raises:
        UserError: there are no records, or records of several runs.
    """
    if path.is_dir():
        found = records_below(path)
        if len(found) != 1:
            raise UserError(f"{path} holds {len(found)} runs with records; name one result.")
        path = found[0]
    run = Run(result_path(path), tuple(own))
    if not run.index.header:
        raise UserError(
            f"{run.records_path} holds no records; give a result with its records next to it."
        )
    return run


def records_below(folder: Path) -> list[Path]:
    """All files of records below a folder; of packed ones those that do not lie there unpacked."""
    plain = set(folder.rglob(f"*{RECORDS}"))
    packed = (
        path for path in folder.rglob(f"*{RECORDS}{GZIP}") if path.with_suffix("") not in plain
    )
    return sorted([*plain, *packed])


def _results_in(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise UserError(f"{place} does not exist; give a folder of results.")
    found = (path for path in sorted(place.rglob("*.json")) if path.is_file())
    return [path for path in found if _is_result(path, place)]


def _is_result(path: Path, folder: Path) -> bool:
    parents = path.relative_to(folder).parts[:-1]
    return not any(part.endswith(PREDICTIONS) or part == "published" for part in parents)


def _images_of(result: Result, index: Index) -> list[str]:
    """The images of records that a result is of, in order.

    Raises:
        UserError: the records are of another run, or of other images.
    """
    if not index.header or not _belongs(index.header["about"], result):
        raise UserError("it is not the result of the records next to it.")
    ids = _images_stated(result, index)
    if len(ids) != result.images:
        raise UserError("it covers other images than the records next to it.")
    return ids


def _images_stated(result: Result, index: Index) -> list[str]:
    """The images that a result says it is of; none where records do not tell them.

    A result knows the digest of their ids: they are the first of all, or those with records. Where
    it does not, they are the first with records.
    """
    known = [str(id) for id in index.header["ids"]]
    asked = str(result.protocol["dataset"].get("images", "")).partition(" ")[0]
    tried = [id for id in known if id in index.offsets or id in index.failed]
    scored = [id for id in known if id in index.offsets]
    digest = result.protocol["dataset"].get("ids")
    if digest is None or not asked.isdecimal():
        return scored[: result.images]
    for ids in (known[: int(asked)], tried, scored):
        if ids_digest(ids) == digest:
            return [id for id in ids if id in index.offsets and id not in result.failed]
    return []


def _without_folders(header: bytes) -> bytes:
    """The first line of records, with the names of files in place of their paths."""
    whole = json.loads(header)
    options = whole["about"]["options"]
    paths = {k: v for k, v in options.items() if isinstance(v, str) and Path(v).is_absolute()}
    if not paths:
        return header + b"\n"
    options.update({name: Path(path).name for name, path in paths.items()})
    return as_line(whole)


def _belongs(about: JSON, result: Result) -> bool:
    """Whether records are of the model, the dataset and the options of a result."""
    protocol = result.protocol
    pairs = [
        (about["model"], {k: v for k, v in protocol["model"].items() if k != "label"}),
        (about["choices"], protocol["task"]),
        (about["dataset"].get("fingerprint"), protocol["dataset"].get("fingerprint")),
    ]
    return all(first == second for first, second in pairs)
