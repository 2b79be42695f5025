"""Is a result file valid? The checks behind docs/result-schema.md."""

from collections.abc import Iterator
from pathlib import Path

from sambench.errors import UserError
from sambench.files import read_json
from sambench.interfaces import JSON
from sambench.store.paths import file_name
from sambench.store.schema import content_problems


def problems(path: Path, folder: Path | None = None) -> list[str]:
    """What is wrong with a result file, in sentences that name it; empty if it is valid.

    Args:
        path: the file.
        folder: the folder of results that it is committed to; its place in it is checked too.
    """
    try:
        data = read_json(path)
    except UserError as error:
        return [str(error)]
    found = list(content_problems(data))
    if not found and folder is not None:
        found = list(_place(data, path.relative_to(folder)))
    return [f"{path}: {problem}" for problem in found]


def _place(data: JSON, place: Path) -> Iterator[str]:
    """A result lies at <task>/<dataset>/<model>.json; options may follow the task's name."""
    dataset, model = file_name(data["dataset"]), file_name(data["model"])
    wanted = f"{data['task']}/{dataset}/{model}.json"
    parts = place.parts
    task_fits = len(parts) == 3 and parts[0].split("-")[0] == data["task"].split("-")[0]
    if not task_fits or parts[1:] != (dataset, f"{model}.json"):
        yield f"lies at {place.as_posix()}, expected {wanted}"
