"""JSON files from other programs: parsed strictly, each value read with its type and range.

A value of another type that can only mean one thing is read as meant: a number written as text, a
whole number written with a decimal point. Anything else is refused with its place in the file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sambench.errors import UserError

NOT_JSON = (
    (b"\x1f\x8b", "is compressed with gzip; decompress it"),
    (b"PK\x03\x04", "is a ZIP archive; unpack it"),
    (b"BZh", "is compressed with bzip2; decompress it"),
    (b"\xfd7zXZ", "is compressed with xz; decompress it"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself; run git lfs pull"),
    (b"<", "is a web page or XML, not JSON; fetch the file itself"),
)
"""What files of another kind begin with, and what to do about them."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
LARGEST = 2**53
"""Every whole number up to here is exact as a float too."""


class At:
    """A JSON value together with where it stands, for messages.

    Attributes:
        value: as parsed.
    """

    __slots__ = ("_key", "_parent", "value")

    def __init__(self, value: Any, parent: At | Path, key: str | int = "") -> None:
        self.value = value
        self._parent = parent
        self._key = key

    @property
    def path(self) -> Path:
        """The file."""
        return self._parent if isinstance(self._parent, Path) else self._parent.path

    @property
    def place(self) -> str:
        """Where in the file, such as ``annotations[12].bbox[2]``; empty for the whole of it."""
        if isinstance(self._parent, Path):
            return ""
        before = self._parent.place
        if isinstance(self._key, int):
            return f"{before}[{self._key}]"
        return f"{before}.{self._key}" if before else self._key

    def fail(self, problem: str, remedy: str = "correct the file") -> NoReturn:
        """Refuse the value, in the sentence ``<file>: <place> (id 7) <problem>; <remedy>``.

        Raises:
            UserError: always.
        """
        place = f": {self.place}{self._owner()}" if self.place else ""
        raise UserError(f"{self.path}{place} {problem}; {remedy}.")

    def expected(self, what: str, remedy: str = "correct the file") -> NoReturn:
        """Refuse the value because it is something else.

        Raises:
            UserError: always.
        """
        verb = "is" if self.place else "holds"
        self.fail(f"{verb} {_shown(self.value)}, expected {what}", remedy)

    def _owner(self) -> str:
        """The id of the innermost object that the value belongs to."""
        at: At | Path = self
        while isinstance(at, At):
            if isinstance(at.value, dict) and isinstance(at._key, int):
                id = at.value.get("id")
                return f" (id {id})" if isinstance(id, int | str) else ""
            at = at._parent
        return ""

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def __getitem__(self, key: str) -> At:
        """A member of an object.

        Raises:
            UserError: it is not an object, or lacks the member.
        """
        try:
            return At(self.value[key], self, key)
        except KeyError:
            self.fail(f'has no "{key}"', "add it")
        except TypeError:
            self.expected("an object")

    def get(self, key: str) -> At | None:
        """A member of an object, or None where it is missing or null."""
        value = self.value.get(key) if isinstance(self.value, dict) else self[key].value
        return None if value is None else At(value, self, key)

    def members(self) -> Iterator[tuple[str, At]]:
        """Names and values of an object."""
        if not isinstance(self.value, dict):
            self.expected("an object")
        return ((key, At(value, self, key)) for key, value in self.value.items())

    def items(self, what: str = "a list") -> list[At]:
        """The values of a list."""
        if not isinstance(self.value, list):
            self.expected(what)
        return [At(value, self, index) for index, value in enumerate(self.value)]

    def number(self, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number from low to high; text that spells one is read as it."""
        value = self.value
        if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
            value = float(value)
        if not isinstance(value, int | float) or isinstance(value, bool) or not _finite(value):
            self.expected("a number")
        if not low <= value <= high:
            self.expected(_range("a number", low, high))
        return float(value)

    def whole(self, low: int = -LARGEST, high: int = LARGEST) -> int:
        """A whole number from low to high."""
        value = self.value
        if type(value) is int and low <= value <= high:
            return value
        value = self.number()
        if not value.is_integer() or not low <= value <= high:
            self.expected(_range("a whole number", low, high))
        return int(value)

    def text(self) -> str:
        """Text that is not blank."""
        if not isinstance(self.value, str) or not self.value.strip():
            self.expected("text")
        return self.value

    def id(self) -> int | str:
        """What names an entry: a whole number, or text."""
        value = self.value
        if type(value) is int:
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
            self.expected("a whole number or a name as id")
        return value

    def flag(self) -> bool:
        """Yes or no: true or false, 1 or 0."""
        if isinstance(self.value, bool):
            return self.value
        if self.value not in (0, 1, "0", "1"):
            self.expected("0 or 1")
        return int(self.value) == 1

    def numbers(self, count: int | None = None, what: str = "a list of numbers") -> list[float]:
        """A list of finite numbers, of the length asked for."""
        values = self.value
        if not isinstance(values, list) or count not in (None, len(values)):
            self.expected(what)
        if set(map(type, values)) <= {int, float} and _finite(*values):
            return values
        return [item.number() for item in self.items()]


def read(path: Path) -> At:
    """Parse a JSON file.

    Raises:
        UserError: it cannot be read, is not JSON, or has a member twice in one object, of which
            parsers keep one or the other.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    for start, problem in NOT_JSON:
        if data[: len(start) + 3].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(start):
            raise UserError(f"{path} {problem}.")
    try:
        return At(json.loads(data, object_pairs_hook=_object), path)
    except _TwiceError as error:
        raise UserError(
            f'{path} has "{error}" twice in one object; keep the one that is meant.'
        ) from None
    except RecursionError:
        raise UserError(f"{path} is nested too deeply to be read; correct the file.") from None
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({_reason(error)}).") from None


class _TwiceError(Exception):
    """A member that an object has twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return found


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"{error}; save it as UTF-8"
    if not isinstance(error, json.JSONDecodeError):
        return f"{error}; correct it"
    if not error.doc.strip():
        return "it is empty; fetch it again"
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string"):
        return f"it ends too early, at line {error.lineno}; fetch it again"
    if error.msg == "Extra data":
        return f"a second value follows at line {error.lineno}; make one list of them"
    return f"{error}; correct it or fetch it again"


def _finite(*values: float) -> bool:
    try:
        return all(map(math.isfinite, values))
    except OverflowError:  # a whole number that no float can hold
        return False


def _range(what: str, low: float, high: float) -> str:
    if high in (math.inf, LARGEST):
        return f"{what} of at least {low:g}" if low not in (-math.inf, -LARGEST) else what
    return f"{what} from {low:.9g} to {high:.9g}"


def _shown(value: Any) -> str:
    """A value in few words."""
    if isinstance(value, dict | list):
        kind = "an object" if isinstance(value, dict) else f"a list of {len(value)}"
        return kind if len(value) > 4 else f"{kind} {_short(value)}"
    return _short(value)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()
    return text if len(text) <= 60 else f"{text[:57]}..."


def names(entries: Sequence[Any], most: int = 3) -> str:
    """The first few of many, for a message."""
    rest = f" and {len(entries) - most} more" if len(entries) > most else ""
    return ", ".join(map(str, entries[:most])) + rest
