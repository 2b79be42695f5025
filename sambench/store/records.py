"""The records of a run: a file to which one line is appended for each image.

The first line, the header, says what the run is and the format's version. Each other line is one of

* ``{"id", "image", "stamp", "record", "seconds", ...}``: an image was scored. ``image`` is the
  SHA-256 of what it was made from, ``stamp`` its size and time (see `Dataset.stamp`), ``record``
  what the task made of it, ``prediction`` the digest of the prediction if that was saved, and all
  others are measurements of the engine;
* ``{"id", "failed"}``: it could not be, and why;
* ``{"stamps"}``: new stamps, by id, of images whose content is the same;
* ``{"changed"}``: ids of images whose content changed: their records above count no more;
* ``{"ids"}``: the images of the dataset, where others have come or gone since the header;
* ``{"session"}``: what a session cost.

A line is written whole and synced before its image counts as done. What a kill or a full disk
leaves of the last line is cut off; a damaged line amid others costs its image alone. That of a
scored image ends in ``"crc"``, the CRC-32 of what goes before it: one changed digit is damage too.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sambench.errors import UserError
from sambench.files import open_bytes
from sambench.interfaces import JSON
from sambench.store.lines import as_json, as_line, is_whole, parsed

FORMAT = 2
"""Version of the format; raise it when what is written can no longer be read as before."""
REMEDY = "give another --output, or --fresh to discard it"
KINDS: dict[str, dict[str, type]] = {
    "scored": {"id": str, "image": str, "record": dict, "seconds": dict},
    "failed": {"id": str, "failed": str},
    "stamps": {"stamps": dict},
    "changed": {"changed": list},
    "ids": {"ids": list},
    "session": {"session": dict},
}
"""Kinds of lines after the first, by their fields."""
SESSION: dict[str, Any] = {"wall": int | float, "memory": dict, "environment": dict}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Provenance:
    """What an image's record was made from.

    Attributes:
        image: SHA-256 of the content.
        stamp: its size and time, if known.
        prediction: digest of the prediction that was saved meanwhile, "" if none was.
    """

    image: str
    stamp: str | None = None
    prediction: str = ""


@dataclass(frozen=True)
class Index:
    """What a records file holds, without the records themselves.

    Attributes:
        path: the file.
        header: its first line, with the ids of now; empty if not even that was finished.
        offsets: where the line of each scored image begins, in bytes.
        provenance: what the record of each scored image was made from.
        failed: the last reason of each image that failed and was not scored since.
        sessions: what each session cost.
        damaged: numbers of the lines that cannot be read, counted from 1.
        doubtful: where those of them begin that name an image, by its id.
        end: where the last whole line ends.
    """

    path: Path
    header: JSON = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    provenance: dict[str, Provenance] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    sessions: list[JSON] = field(default_factory=list)
    damaged: tuple[int, ...] = ()
    doubtful: dict[str, int] = field(default_factory=dict)
    end: int = 0

    def keep(self, line: JSON, start: int, lines: dict[str, JSON] | None = None) -> None:
        """Enter the line of a scored image, which begins at that byte; into `lines`, too."""
        id = line["id"]
        if lines is not None:
            lines[id] = line
        self.offsets[id] = start
        stamp, prediction = line.get("stamp"), line.get("prediction", "")
        self.provenance[id] = Provenance(line["image"], stamp, prediction)
        self.failed.pop(id, None)

    def restamp(self, stamps: Mapping[str, str]) -> None:
        """Enter new stamps of scored images."""
        for id, stamp in stamps.items():
            if id in self.provenance:
                self.provenance[id] = replace(self.provenance[id], stamp=stamp)

    def drop(self, ids: Iterable[str]) -> None:
        """Let images count as not done."""
        for id in ids:
            self.offsets.pop(id, None)
            self.provenance.pop(id, None)

    @property
    def plan(self) -> JSON:
        """All that can move a number of the run."""
        return dict(self.header.get("plan", {}))

    def raw(self, ids: Iterable[str]) -> Iterator[bytes]:
        """The lines of some scored images as they stand in the file; of a doubtful one, that."""
        offsets = {**self.doubtful, **self.offsets}
        with open_bytes(self.path) as file:
            for id in ids:
                file.seek(offsets[id])
                yield file.readline()

    def lines(self, ids: Iterable[str]) -> list[JSON]:
        """The lines of some scored images: what the engine noted, and the task's record."""
        return [as_json(line) for line in self.raw(ids)]

    def read(self, ids: Iterable[str]) -> list[JSON]:
        """The task's records of some scored images."""
        return [line["record"] for line in self.lines(ids)]


def scan(path: Path, lines: dict[str, JSON] | None = None) -> Index:
    """Read a records file, however it was left; what is missing or empty holds nothing.

    A damaged line is skipped and said: its image counts as not done. The last line of each image
    that was ever scored goes into `lines`, where that is given.

    Raises:
        UserError: it is not a file of records, or of another version of the format.
    """
    index, end, damaged = Index(path), 0, []
    if not path.is_file():
        return index
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            if number == 1:
                index.header.update(_header(line, path))
            elif not _enter(index, line, end, lines):
                damaged.append(number)
            end += len(line)
    if damaged:
        numbers = ", ".join(map(str, damaged[:10])) + (", ..." if len(damaged) > 10 else "")
        log.warning("%s: line %s is damaged; what it held is scored again", path, numbers)
    return replace(index, damaged=tuple(damaged), end=end)


def _header(line: bytes, path: Path) -> JSON:
    """The first line.

    Raises:
        UserError: it is damaged, of another version, or the file holds something else.
    """
    header = parsed(line)
    if header is None:
        raise UserError(f"{path} begins with a damaged line, so its run is unknown; {REMEDY}.")
    if not isinstance(header.get("plan"), dict) or not isinstance(header.get("ids"), list):
        raise UserError(f"{path} is not a file of records; give another --output.")
    version = header.get("format", 1)
    if version != FORMAT:
        raise UserError(
            f"{path} has records of format {version}, and this sambench reads format {FORMAT}; "
            f"read it with the version that wrote it, or {REMEDY}."
        )
    return header


def _enter(index: Index, data: bytes, start: int, lines: dict[str, JSON] | None) -> bool:
    """Add one line to an index, if it can be read.

    A later line of an image counts, and a score beats a failure.
    """
    line = parsed(data)
    if line is None:
        return False
    if not is_whole(data, line):
        if _has(line, KINDS["scored"]):
            index.doubtful[line["id"]] = start
        return False
    kind = next((k for k, fields in KINDS.items() if _has(line, fields)), "")
    if kind == "scored":
        index.keep(line, start, lines)
    elif kind == "failed" and line["id"] not in index.offsets:
        index.failed[line["id"]] = line["failed"]
    elif kind == "stamps":
        index.restamp(line["stamps"])
    elif kind == "changed":
        index.drop(line["changed"])
    elif kind == "ids":
        index.header["ids"] = line["ids"]
    elif kind == "session" and _has(line["session"], SESSION):
        index.sessions.append(line["session"])
    else:
        return kind == "failed"
    return True


def _has(line: JSON, fields: Mapping[str, Any]) -> bool:
    """Whether a line has the fields of a kind, of the right types."""
    return all(isinstance(line.get(name), wanted) for name, wanted in fields.items())


class RecordFile:
    """The records of one run, open for appending by this process alone.

    Args:
        path: the .jsonl file; made when missing.
        header: what the run is, see `plan.describe`.
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
            self.index = self._begin({"format": FORMAT, **header}, fresh=fresh)
        except BaseException:
            os.close(self._file)
            raise

    def __contains__(self, id: str) -> bool:
        return id in self.index.offsets

    def append(self, id: str, line: JSON) -> None:
        """Write the line of a scored image and sync it: from here on it cannot be lost."""
        self.index.keep({"id": id, **line}, self._append({"id": id, **line}))

    def fail(self, id: str, reason: str) -> None:
        """Note that an image failed and why; a later run tries it again."""
        self._append({"id": id, "failed": reason})

    def forget(self, ids: Sequence[str]) -> None:
        """Count images as not done: their records were made from something else."""
        self._append({"changed": list(ids)})
        self.index.drop(ids)

    def restamp(self, stamps: Mapping[str, str]) -> None:
        """Note new stamps of images whose content is the same."""
        self._append({"stamps": dict(stamps)})

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
        check_plan(index, header)
        if index.header["ids"] != header["ids"]:
            self._append({"ids": header["ids"]})
            index.header["ids"] = header["ids"]
        return index

    def _append(self, line: JSON) -> int:
        """Write a line and sync it; returns where it begins. A line that fails leaves nothing."""
        data = as_line(line)
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


def check_plan(index: Index, header: JSON, remedy: str = REMEDY) -> None:
    """Refuse to mix records of different plans.

    Args:
        index: the records.
        header: of what is to join them.
        remedy: what to do then.

    Raises:
        UserError: it names the fields in which they differ.
    """
    plan = json.loads(json.dumps(header["plan"]))
    differing = differences(index.plan, plan)
    if differing:
        changed = _changed_modules(index.header.get("code", {}), header.get("code", {}))
        raise UserError(
            f"{index.path} holds a run with another plan ({'; '.join([*differing, *changed])}); "
            f"{remedy}."
        )


def _changed_modules(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The modules whose code differs, as a sentence; none where all are the same."""
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [f"changed code: {', '.join(sorted(names))}"] if names else []


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
    except ImportError:  # Windows has no fcntl
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
