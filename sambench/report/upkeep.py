"""Keeping the committed leaderboard right: write it, or say what is wrong with it."""

from collections.abc import Iterator
from pathlib import Path

from sambench.errors import UserError
from sambench.files import read_json, write_text
from sambench.interfaces import JSON
from sambench.report.leaderboard import Board, make_boards
from sambench.report.published import published_folder, read_paper, read_published
from sambench.report.readme import has_block, readme_block, replace_block, results_readme
from sambench.store.paths import file_name
from sambench.store.run import find_runs
from sambench.store.schema import inconsistencies


def folder_boards(folder: Path) -> list[Board]:
    """Boards of a folder of results and of the published numbers in it.

    Records that lie there on one machine only must not move what is committed.
    """
    own = folder / "published"
    tables = read_published(own) if own.is_dir() else []
    return make_boards(find_runs([folder]), tables, records=False)


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
    """Write what is generated from a folder of results; returns the files that changed."""
    changed = []
    for path, text in generated(folder, readme).items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
            changed.append(path)
    return changed


def check(folder: Path, readme: Path | None = None) -> list[str]:
    """What is wrong with a folder of results, in sentences; empty if all is well."""
    found = [line for run in find_runs([folder]) for line in problems(run.path, folder)]
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
