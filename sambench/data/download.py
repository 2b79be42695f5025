"""Downloads: complete or not at all, with a progress bar, verified by SHA-256."""

import contextlib
import http.client
import os
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from sambench.errors import UserError
from sambench.files import sha256

CHUNK = 1 << 20
TIMEOUT = 60
"""Seconds without a byte after which a transfer counts as cut."""
ATTEMPTS = 5
"""How often in a row a transfer may be cut without a byte more than before."""


def cache_dir() -> Path:
    """Folder for what sambench downloads: ``$SAMBENCH_CACHE``, else ``~/.cache/sambench``."""
    default = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "sambench"
    return Path(os.environ.get("SAMBENCH_CACHE", default)).expanduser()


def download(url: str, target: Path, digest: str, *, anew: bool = False) -> Path:
    """Download url to target unless it is there already.

    The file appears under its name only when it is complete and right. A transfer that is cut goes
    on where it stopped, also in a later call; of two processes that want the same file one waits.

    Args:
        url: https address.
        target: where to put the file.
        digest: how its SHA-256 starts; "" takes any.
        anew: replace a file that is there even if its SHA-256 does not tell against it.

    Raises:
        UserError: the address cannot be reached or the content is not what it should be; the
            message says what to put where by hand.
    """
    before = _identity(target)
    if not anew and before is not None and sha256(target).startswith(digest):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with _locked(part) as file:
        if _identity(target) not in (None, before) and sha256(target).startswith(digest):
            part.unlink()  # another process was faster
            return target
        _bring(url, file, part, target)
        _check(url, part, target, digest)
        part.replace(target)
    return target


def _bring(url: str, file: IO[bytes], part: Path, target: Path) -> None:
    """Have a file's content come; what came of a transfer that fails is kept.

    Raises:
        UserError: it cannot be had.
    """
    try:
        _stream(url, file, part.stem)
        file.flush()
    except (OSError, http.client.HTTPException, ValueError) as error:
        if not part.stat().st_size:
            part.unlink()
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{url} cannot be downloaded ({_reason(error)}); try again, or fetch it elsewhere and "
            f"put it at {target}."
        ) from None


def _check(url: str, part: Path, target: Path, digest: str) -> None:
    """Discard a file that is not what it should be.

    Raises:
        UserError: it was not.
    """
    found = sha256(part)
    if not found.startswith(digest):
        part.unlink()
        raise UserError(
            f"{url} gave a file with SHA-256 {found}, expected {digest}; it was discarded: try "
            f"again or put the right file at {target}."
        )


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file it is that has this name now; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[IO[bytes]]:
    """Open a file to append to; only one process at a time has it, where the system can do that."""
    while True:
        file = part.open("ab")
        try:
            _lock(file.fileno())
            opened = os.fstat(file.fileno())
            if part.exists() and os.path.samestat(opened, part.stat()):
                yield file
                return
        finally:
            file.close()
        # The process that had it is done, and its file has another name or is gone.


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Wait until no other process is in here with that folder, where the system can do that."""
    if os.name == "nt":  # it opens no folders
        yield
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        _lock(file)
        yield
    finally:
        os.close(file)


def _lock(file: int) -> None:
    """Wait for a file that another process has locked."""
    try:
        import fcntl
    except ImportError:  # Windows has no fcntl
        return
    with contextlib.suppress(OSError):  # some network file systems have no locks
        fcntl.flock(file, fcntl.LOCK_EX)


def _reason(error: Exception) -> str:
    """Why a transfer failed, in one line."""
    inner = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
    words = str(inner).strip().splitlines() or [type(inner).__name__]
    return words[0][:200]


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows a redirection unless it leaves https."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Follow a redirect only to another https address.

        Raises:
            UserError: the new address is not https.
        """
        if not newurl.lower().startswith("https://"):
            raise UserError(
                f"{req.full_url} sends to {newurl}, which is not an https address; only those are "
                "downloaded."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class CutError(OSError):
    """A transfer ended before its end."""


_CUT = (CutError, http.client.IncompleteRead, ConnectionError, TimeoutError, urllib.error.URLError,
        ssl.SSLError)  # fmt: skip


def _stream(url: str, file: IO[bytes], name: str) -> None:
    """Bring a file to its whole length, showing progress on stderr.

    Args:
        url: https address.
        file: open to append; what it holds already is the beginning.
        name: to show.
    """
    if not url.startswith("https://"):
        raise UserError(f"{url} is not an https address; only those are downloaded.")
    left = ATTEMPTS
    with tqdm(unit="B", unit_scale=True, desc=name) as bar:
        transfer = _Transfer(url, file, bar)
        while True:
            had = file.tell()
            try:
                return transfer.receive()
            except _CUT as error:
                left = ATTEMPTS if file.tell() > had else left - 1
                refused = isinstance(error, urllib.error.HTTPError)
                if not left or refused or not file.tell():
                    raise


class _Transfer:
    """A file on its way: what is there of it, and which version of it that is.

    Args:
        url: https address.
        file: open to append.
        bar: shows the progress.
    """

    def __init__(self, url: str, file: IO[bytes], bar: Any) -> None:
        self._url, self._file, self._bar = url, file, bar
        self._version = ""

    def receive(self) -> None:
        """One request: append what is missing, or begin again if the server gives all of it.

        Raises:
            CutError: it ended too early.
            OSError, HTTPException, ValueError: whatever went wrong otherwise.
        """
        file = self._file
        with _opened(self._url, file.tell(), self._version) as answer:
            start, total = _extent(answer.status, answer.headers, file.tell())
            self._version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            if not start:
                file.truncate(0)
                file.seek(0)
            self._bar.total, self._bar.n = total, start
            while block := answer.read(CHUNK):
                file.write(block)
                self._bar.update(len(block))
        file.flush()
        if total is not None and file.tell() < total:
            raise CutError(f"the transfer was cut: {file.tell()} of {total} bytes came")
        if total is not None and file.tell() > total:
            raise ValueError(f"{file.tell()} bytes came, {total} were announced")


def _opened(url: str, start: int, version: str) -> Any:
    """The answer to a request for a file from a byte on, if it is of that version still."""
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and version and not version.startswith("W/"):
        headers["If-Range"] = version
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (https is checked)
    opener = urllib.request.build_opener(_OnlyHttps())
    try:
        return opener.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            return opener.open(url, timeout=TIMEOUT)  # nothing is left, or the file has changed
        raise


def _extent(status: int, headers: Message, had: int) -> tuple[int, int | None]:
    """The byte that an answer starts at, and the length of the whole file where it is told."""
    if status == http.client.PARTIAL_CONTENT:
        told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", "").strip())
        if told is None or int(told[1]) != had:
            raise ValueError(f"the server answers with Content-Range {headers['Content-Range']!r}")
        return had, None if told[2] == "*" else int(told[2])
    length = headers.get("Content-Length", "").strip()
    return 0, int(length) if length.isdecimal() else None
