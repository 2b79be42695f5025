"""Finding result files and what lies beside them."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.store.paths import PREDICTIONS, RECORDS
from sambench.store.plan import ids_digest
from sambench.store.records import Index, scan
from sambench.store.result import Result, read_result

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A result file.

    Attributes:
        path: the file.
        result: its content.
        own: the .py files of tasks that the user named.
    """

    path: Path
    result: Result
    own: tuple[Path, ...] = ()

    @property
    def records_path(self) -> Path:
        """Where its records lie, if they were kept."""
        return self.path.with_name(self.path.stem + RECORDS)

    @property
    def predictions(self) -> Path:
        """Where its predictions lie, if they were kept."""
        return self.path.with_name(self.path.stem + PREDICTIONS)


def result_files(folder: Path) -> list[Path]:
    """Result files below a folder, in order: no predictions, no published tables.

    Raises:
        UserError: the folder does not exist.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist; give a folder of results.")
    found = (path for path in sorted(folder.rglob("*.json")) if path.is_file())
    return [path for path in found if _is_result(path, folder)]


def _is_result(path: Path, folder: Path) -> bool:
    parents = path.relative_to(folder).parts[:-1]
    return not any(part.endswith(PREDICTIONS) or part == "published" for part in parents)


def read_runs(paths: Iterable[Path], own: Iterable[Path] = ()) -> list[Run]:
    """All results below the paths; a file given twice counts once.

    Raises:
        UserError: a file is no result.
    """
    files = dict.fromkeys(file for path in paths for file in result_files(path))
    return [Run(file, read_result(file), tuple(own)) for file in files]


def read_lines(run: Run) -> list[JSON]:
    """The lines of the records behind a result, in the dataset's order.

    None where they were not kept; nor, which is said, where they cannot be read or are of another
    run than the result.
    """
    if not run.records_path.is_file():
        return []
    try:
        index = scan(run.records_path)
    except UserError as error:
        log.warning("%s goes without its records: %s", run.path, error)
        return []
    if not index.header or not _belongs(index.header["about"], run.result):
        log.warning("%s is not the result of the records beside it, and goes without", run.path)
        return []
    ids = _images_of(run.result, index)
    if len(ids) != run.result.images:
        log.warning("%s is of other images than the records beside it, and goes without", run.path)
        return []
    return index.lines(ids)


def _images_of(result: Result, index: Index) -> list[str]:
    """The images that a result is of, in order; none where they cannot be told.

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


def _belongs(about: JSON, result: Result) -> bool:
    """Whether records are of the model, the dataset and the options of a result."""
    protocol = result.protocol
    pairs = [
        (about["model"], {k: v for k, v in protocol["model"].items() if k != "label"}),
        (about["choices"], protocol["task"]),
        (about["dataset"].get("fingerprint"), protocol["dataset"].get("fingerprint")),
    ]
    return all(first == second for first, second in pairs)
