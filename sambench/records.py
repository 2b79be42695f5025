"""The records of a run: a file to which one line is appended for each image.

The first line says what the run is; every other one is a record (``{"id": ..., ...}``), a failure
(``{"id": ..., "failed": reason}``), or what a session cost (``{"session": ...}``). A line is
written whole and synced before its image counts as done. What a kill or a full disk leaves of a
line is no record: it is cut off.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sambench.errors import UserError
from sambench.interfaces import JSON

ENDING = ".records.jsonl"
REMEDY = "give another --output, or --fresh to discard it"


@dataclass(frozen=True)
class Index:
    """What a records file holds, without the records themselves.

    Attributes:
        path: the file.
        header: its first line; empty if not even that was finished.
        offsets: where the line of each scored image begins, in bytes.
        failed: the last reason of each image that failed and was not scored since.
        sessions: what each session cost.
        end: where the last whole line ends.
    """

    path: Path
    header: JSON = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    sessions: list[JSON] = field(default_factory=list)
    end: int = 0

    @property
    def plan(self) -> JSON:
        """All that can move a number of the run."""
        return dict(self.header.get("plan", {}))

    def lines(self, ids: Iterable[str]) -> Iterator[bytes]:
        """The lines of some scored images, as they stand in the file."""
        with self.path.open("rb") as file:
            for id in ids:
                file.seek(self.offsets[id])
                yield file.readline()

    def read(self, ids: Iterable[str]) -> list[JSON]:
        """The records of some scored images."""
        return [json.loads(line) for line in self.lines(ids)]


def scan(path: Path) -> Index:
    """Read a records file, however it was left; what is missing or empty holds nothing.

    Raises:
        UserError: a whole line is no record, or the file is none of ours.
    """
    index = Index(path)
    end = 0
    if not path.is_file():
        return index
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                _enter(index, _parse(line, path), end)
                end += len(line)
    return Index(path, index.header, index.offsets, index.failed, index.sessions, end)


def _enter(index: Index, line: JSON, start: int) -> None:
    """Add one line to an index; a later line of an image counts, and a score beats a failure."""
    if start == 0:
        if "plan" not in line:
            raise UserError(f"{index.path} is no file of records; give another --output.")
        index.header.update(line)
    elif "session" in line:
        index.sessions.append(line["session"])
    elif "failed" not in line:
        index.offsets[line["id"]] = start
        index.failed.pop(line["id"], None)
    elif line["id"] not in index.offsets:
        index.failed[line["id"]] = line["failed"]


def _parse(line: bytes, path: Path) -> JSON:
    try:
        parsed = json.loads(line)
    except ValueError:
        raise UserError(f"{path} has a damaged line; use --fresh to start it again.") from None
    if not isinstance(parsed, dict) or not ({"id", "plan", "session"} & set(parsed)):
        raise UserError(f"{path} is no file of records; give another --output.")
    return parsed


class RecordFile:
    """The records of one run, open for appending by this process alone.

    Args:
        path: the .jsonl file; made when missing.
        header: what the run is, its ``plan`` among it.
        fresh: discard what is there.

    Raises:
        UserError: the file holds records of another plan, whose differing fields are named; or
            another process is writing it.
    """

    def __init__(self, path: Path, header: JSON, *, fresh: bool = False) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            _lock(self._file, path)
            self.index = self._begin(header, fresh=fresh)
        except BaseException:
            os.close(self._file)
            raise

    def __contains__(self, id: str) -> bool:
        return id in self.index.offsets

    def append(self, record: JSON) -> None:
        """Write one record and sync it to disk: from here on it cannot be lost."""
        self.index.offsets[record["id"]] = self._append(record)

    def fail(self, id: str, reason: str) -> None:
        """Note that an image failed and why; a later run tries it again."""
        self._append({"id": id, "failed": reason})

    def note(self, session: JSON) -> None:
        """Note what this session cost."""
        self.index.sessions.append(session)
        self._append({"session": session})

    def close(self) -> None:
        """Close the file, and let others write it."""
        os.close(self._file)

    def _begin(self, header: JSON, *, fresh: bool) -> Index:
        index = Index(self.path) if fresh else scan(self.path)
        os.ftruncate(self._file, index.end)
        self._end = index.end
        if not index.header:
            self._append(header)
            _sync_folder(self.path.parent)
            return Index(self.path, header)
        check_plan(index, header["plan"])
        return index

    def _append(self, line: JSON) -> int:
        """Write a line and sync it; returns where it begins. A line that fails leaves nothing."""
        data = (json.dumps(line, allow_nan=False, separators=(",", ":")) + "\n").encode()
        start = self._end
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, start)
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        self._end = start + len(data)
        return start


def check_plan(index: Index, plan: JSON, remedy: str = REMEDY) -> None:
    """Refuse to mix records of different plans.

    Args:
        index: the records.
        plan: of what is to join them.
        remedy: what to do then.

    Raises:
        UserError: it names the fields in which they differ.
    """
    differing = differences(index.plan, json.loads(json.dumps(plan)))
    if differing:
        raise UserError(
            f"{index.path} holds a run with another plan ({'; '.join(differing)}); {remedy}."
        )


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Fields in which two JSON values differ, as sentences ``field: old, now new``."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [
            line
            for key in keys
            for line in differences(old.get(key), new.get(key), f"{where}.{key}".lstrip("."))
        ]
    return [] if old == new else [f"{where}: {_short(old)}, now {_short(new)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _lock(file: int, path: Path) -> None:
    """Refuse to write a file that another process is writing."""
    try:
        import fcntl
    except ImportError:  # there is none on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f"{path} is being written by another run; wait for it, or give another --output."
        ) from None
    except OSError:
        return  # some network file systems have no locks


def _sync_folder(folder: Path) -> None:
    """Make a new file's name as durable as its content, where the system can."""
    with contextlib.suppress(OSError):
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
