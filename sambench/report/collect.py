"""Finding result files and what lies beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.records import ENDING, scan
from sambench.results import Result, read_result

PREDICTIONS = ".predictions"


@dataclass(frozen=True)
class Run:
    """A result file.

    Attributes:
        path: the file.
        result: its content.
    """

    path: Path
    result: Result

    @property
    def records_path(self) -> Path:
        """Where its records lie, if they were kept."""
        return self.path.with_name(self.path.stem + ENDING)

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
    return [path for path in sorted(folder.rglob("*.json")) if _is_result(path, folder)]


def _is_result(path: Path, folder: Path) -> bool:
    parents = path.relative_to(folder).parts[:-1]
    return not any(part.endswith(PREDICTIONS) or part == "published" for part in parents)


def read_runs(paths: Iterable[Path]) -> list[Run]:
    """All results below the paths; a file given twice counts once.

    Raises:
        UserError: a file is no result.
    """
    files = dict.fromkeys(file for path in paths for file in result_files(path))
    return [Run(file, read_result(file)) for file in files]


def read_records(run: Run) -> list[JSON]:
    """The records behind a result, in the dataset's order; none where they were not kept.

    Raises:
        UserError: the file is damaged.
    """
    if not run.records_path.is_file():
        return []
    index = scan(run.records_path)
    ordered = [id for id in index.header.get("ids", index.offsets) if id in index.offsets]
    # A run that was continued has records beyond the images of an earlier result.
    return index.read(ordered[: run.result.images])
