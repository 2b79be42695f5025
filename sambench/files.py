"""Files: JSON and text, read or written whole, and the SHA-256 of what they hold."""

import gzip
import hashlib
import io
import json
import os
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from sambench.errors import UserError

GZIP = ".gz"
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hex.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file to read: what it holds, or where its name ends in .gz, what that unpacks to.

    Raises:
        UserError: it is packed, and cut short or damaged.
    """
    if path.suffix != GZIP:
        return path.open("rb")
    try:
        return io.BytesIO(gzip.decompress(path.read_bytes()))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(
            f"{path} cannot be unpacked, it is cut short or damaged ({error}); fetch it again."
        ) from None


def packed(data: bytes) -> bytes:
    """Bytes as a gzip file has them; the same every time."""
    return gzip.compress(data, mtime=0)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: it is missing or malformed.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}).") from None


def write_text(path: Path, text: str, *, sync: bool = True) -> None:
    """Write a file so that it is there whole or not at all, see `write_lines`."""
    write_lines(path, [text.encode()], sync=sync)


def write_lines(path: Path, lines: Iterable[bytes], *, sync: bool = True) -> None:
    """Write a file piece by piece so that it is there whole or not at all.

    Args:
        path: of the file; its folder is made when missing.
        lines: what it is to hold.
        sync: have it survive a power cut, too, which takes up to a tenth of a second.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with part.open("wb") as file:
            file.writelines(lines)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, value: Any, *, sync: bool = True) -> None:
    """Write JSON so that the file is there whole or not at all, see `write_lines`."""
    write_text(path, json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n", sync=sync)


def as_text(value: Any) -> Any:
    """Run lengths are bytes, which JSON does not have: make them text, at any depth."""
    if isinstance(value, dict):
        return {key: as_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_text(item) for item in value]
    return value.decode("ascii") if isinstance(value, bytes) else value


def file_stamp(path: Path) -> str | None:
    """Size of a file, and the times of its last change and of its name's; None if it is missing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def parse_size(text: str) -> int:
    """``20GB`` -> bytes; kB, MB, GB and TB are powers of 1000.

    Raises:
        UserError: it is not a size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", text.strip().lower())
    if not match:
        raise UserError(f"{text!r} is not a size; give one such as 20GB or 500MB.")
    return int(float(match[1]) * UNITS[match[2]])
