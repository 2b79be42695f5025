"""The task that records or a result are of, made again.

A file can only name a task that is installed. One that came from a .py file is made again if the
user names that file: what a file of records says never causes an import.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from sambench.errors import UserError
from sambench.interfaces import JSON, Metric, Task
from sambench.registry import find, installed, names, option_types, plain, resolve
from sambench.store.code import digest_of, modules_of
from sambench.store.records import REMEDY, Index
from sambench.store.result import Result
from sambench.store.schema import parse

log = logging.getLogger(__name__)


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What the first line of records says besides the plan."""

    task: str
    label: str
    options: JSON
    choices: JSON
    model: JSON
    dataset: JSON
    plugins: dict[str, str] = {}


class Scores(msgspec.Struct, frozen=True):
    """The part of a plan that moves scores alone, as far as it tells whether code has changed."""

    code: str


class Plan(msgspec.Struct, frozen=True):
    """All that can move a number of a run, as far as it is about the task's scores."""

    scores: Scores


class Header(msgspec.Struct, frozen=True):
    """The first line of records, as far as making the task again needs it."""

    about: About
    plan: Plan


def task_class(name: str, origin: str, source: Path | str, own: Sequence[Path] = ()) -> type[Task]:
    """The class of a task that a file names.

    Args:
        name: of the task.
        origin: where it came from, as `registry.origin` says; "" if it was built in.
        source: the file, for the message.
        own: the .py files of tasks that the user named.

    Raises:
        UserError: it is not installed, and the user named no file for it.
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


@cache
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


def task_of_records(index: Index, own: Sequence[Path] = ()) -> Task:
    """The task that records are of, with its options.

    Raises:
        UserError: see `make_task`; or the records do not say what they are of.
    """
    header = parse(index.header, Header, str(index.path), f"its first line is damaged; {REMEDY}")
    about, origin = header.about, header.about.plugins.get("task", "")
    task = make_task(about.task, about.options, index.path, origin=origin, own=own)
    if digest_of(modules_of(task)) != header.plan.scores.code:
        log.warning(
            "%s was scored by another version of task %s; its metrics are computed by the one here",
            index.path, about.task,
        )  # fmt: skip
    return task


def task_of_result(result: Result, source: Path, own: Sequence[Path] = ()) -> Task:
    """The task that a result is of, with its options, as far as the protocol card has them.

    It has the SHA-256 of a file in place of the file: that one was given still tells the task what
    it measures.

    Args:
        result: read from the source.
        source: its file, for messages.
        own: the .py files of tasks that the user named.

    Raises:
        UserError: see `make_task`; or the task cannot do without the file.
    """
    origin = str(result.protocol.get("plugins", {}).get("task", ""))
    cls = task_class(result.task, origin, source, own)
    stated = result.protocol["task"]  # with choices that are not options
    options = {name: stated[name] for name in option_types(cls) if name in stated}
    return make_task(result.task, options, source, origin=origin, own=own)


def make_task(
    name: str,
    options: Mapping[str, Any],
    source: Path,
    *,
    origin: str = "",
    own: Sequence[Path] = (),
) -> Task:
    """The task that a file names, made again.

    Args:
        name: of the task.
        options: of the task, as JSON values.
        source: the file, for messages.
        origin: see `task_class`.
        own: see `task_class`.

    Raises:
        UserError: see `task_class`; or the options are not those of the task.
    """
    cls: Any = task_class(name, origin, source, own)
    try:
        task: Task = cls(**resolve(cls, name, options))
    except (TypeError, ValueError, OSError) as error:
        raise UserError(f"{source}: its options are not those of task {name} ({error}).") from None
    return task
