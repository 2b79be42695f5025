"""The task that records or a result are of, made again.

A file can only name a task that is installed. One that came from a .py file is made again if the
user names that file: what a file of records says never causes an import.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sambench.errors import UserError
from sambench.interfaces import Metric, Task
from sambench.registry import find, installed, names, plain, resolve
from sambench.store.code import digest_of, modules_of
from sambench.store.records import Index
from sambench.store.schema import has_types

ABOUT: dict[str, type] = {
    "task": str, "label": str, "options": dict, "choices": dict, "model": dict, "dataset": dict,
}  # fmt: skip
"""What the first line of records says besides the plan."""
log = logging.getLogger(__name__)


def task_class(name: str, origin: str, source: Path | str, own: Sequence[Path] = ()) -> type[Task]:
    """The class of a task that a file names.

    Args:
        name: of the task.
        origin: where it came from, as `registry.origin` says; "" if it was built in.
        source: the file, for the message.
        own: the .py files of tasks that the user named.

    Raises:
        UserError: it is none that is installed, and the user named no file for it.
    """
    files = {path.stem: path for path in own}
    if name in files:
        return find("task", str(files[name]))
    if origin.startswith(f"{name}.py,") or name not in names("task"):
        raise UserError(
            f"{source} is of the task {name}, which is not one of sambench's; if you have its "
            f"file and trust it, name it with --task {plain(name)}.py."
        )
    return installed("task", name)


def declared_metrics(name: str) -> tuple[Metric, ...]:
    """What the installed task of a name declares, for numbers that come without declarations.

    Of predictions made elsewhere, as published ones are, a task may measure something else; both
    are taken. Nothing is declared by a task that is not installed, or needs options.
    """
    if name not in names("task"):
        return ()
    try:
        cls: Any = installed("task", name)
        both = [*cls().metrics, *cls(**cls.foreign).metrics]
    except (UserError, TypeError, ValueError) as error:
        log.info("metrics of task %s are not known: %s", name, error)
        return ()
    return tuple({metric.name: metric for metric in both}.values())


def task_of(index: Index, own: Sequence[Path] = ()) -> Task:
    """The task that records are of, with its options.

    Raises:
        UserError: see `task_class`; or the options are not those of the task.
    """
    about = index.header.get("about")
    if not has_types(about, ABOUT) or not has_types(index.plan.get("scores"), {"code": str}):
        raise UserError(f"{index.path} does not say what its records are of; it is damaged.")
    assert about is not None
    name, origin = str(about["task"]), str(about.get("plugins", {}).get("task", ""))
    cls = task_class(name, origin, index.path, own)
    task = _made(cls, name, about["options"], index.path)
    code = modules_of(task)
    if digest_of(code) != index.plan["scores"]["code"]:
        log.warning(
            "%s was scored by other code of task %s than is here; its metrics are computed by this",
            index.path, name,
        )  # fmt: skip
    return task


def _made(cls: Any, name: str, options: Mapping[str, Any], source: Path) -> Task:
    try:
        task: Task = cls(**resolve(cls, name, options))
    except (TypeError, ValueError, OSError) as error:
        raise UserError(f"{source}: its options are not those of task {name} ({error}).") from None
    return task
