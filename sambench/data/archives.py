"""Archives: unpacked member by member, regular files and folders only, within limits.

Python's own filters for tar archives had holes by way of links, and zip archives have none, so no
link is followed or made here at all, whatever it points to; no archive of a dataset needs one.
"""

import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from sambench.errors import UserError

CHUNK = 1 << 20
MAX_MEMBERS = 5_000_000
FREE_BYTES, RATIO = 4 << 30, 100
"""An archive may unpack to 4 GiB and 100 times its own size: annotations shrink 20-fold at best."""
_DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, struct.error,
    RuntimeError, ValueError, OSError, IndexError, KeyError,
)  # fmt: skip
"""What the readers of archives raise for damaged ones."""


class BadArchive(UserError):  # noqa: N818 (a kind of UserError, which is what callers catch)
    """An archive that is damaged, or refused for what it holds: another copy may be right."""


@dataclass(frozen=True)
class _Member:
    """One entry of an archive.

    Attributes:
        name: as the archive has it.
        kind: "file", "folder", or what else it is, in words.
        open: gives its content.
    """

    name: str
    kind: str
    open: Callable[[], AbstractContextManager[IO[bytes]]]


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip or .tar(.gz, .xz, .bz2) into folder; nothing lands outside of it.

    Raises:
        BadArchive: it is damaged or too large when unpacked, or a member would escape the folder or
            is neither a file nor a folder.
        UserError: it cannot be written, for lack of room, say.
    """
    folder.mkdir(parents=True, exist_ok=True)
    room, count = FREE_BYTES + RATIO * archive.stat().st_size, 0
    try:
        for member in _members(archive):
            count += 1
            if count > MAX_MEMBERS:
                raise BadArchive(f"{archive} is refused, it holds more than {MAX_MEMBERS} files.")
            room -= _extract(member, archive, folder, room)
    except UserError:
        raise
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            reason = f"{error.strerror}: {error.filename or folder}"
            raise UserError(f"{archive} cannot be unpacked ({reason}).") from None
        words = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")
        raise BadArchive(f"{archive} is damaged ({words}); fetch it again.") from None
    if not count:
        raise BadArchive(f"{archive} is damaged (nothing is in it); fetch it again.")


def _extract(member: _Member, archive: Path, folder: Path, room: int) -> int:
    """Write one member below folder; returns its size in bytes.

    Raises:
        BadArchive: it would escape, is not a file, or is larger than room.
    """
    target = folder.joinpath(*_parts(member.name, archive))
    if member.kind == "folder":
        target.mkdir(parents=True, exist_ok=True)
        return 0
    if member.kind != "file":
        raise BadArchive(
            f"{archive} is refused, its member {member.name} is {member.kind}: only files and "
            "folders are unpacked."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with member.open() as source, target.open("wb") as sink:
        while block := source.read(CHUNK):
            written += len(block)
            if written > room:
                raise BadArchive(
                    f"{archive} is refused, unpacked it is larger than {RATIO} times its size."
                )
            sink.write(block)
    return written


def _parts(name: str, archive: Path) -> tuple[str, ...]:
    """The parts of a member's name, which is below the folder on any system.

    Raises:
        BadArchive: it would escape.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    drive = len(path.parts) > 0 and path.parts[0].endswith(":")
    if path.is_absolute() or ".." in path.parts or drive or "\0" in name:
        raise BadArchive(f"{archive} is refused, its member {name!r} would escape the folder.")
    return path.parts


def _members(archive: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            for entry in bundle.infolist():
                yield _Member(entry.filename, _kind_in_zip(entry), _opener(bundle, entry))
    else:
        with tarfile.open(archive, tarinfo=_Header) as tar:
            for header in tar:
                yield _Member(header.name, _kind_in_tar(header), _tar_opener(tar, header))
            while tar.fileobj is not None and tar.fileobj.read(CHUNK):
                pass  # to the end, where a compressed one has the sum to check it by


def _opener(
    bundle: zipfile.ZipFile, entry: zipfile.ZipInfo
) -> Callable[[], AbstractContextManager[IO[bytes]]]:
    return lambda: bundle.open(entry)


def _tar_opener(
    tar: tarfile.TarFile, entry: tarfile.TarInfo
) -> Callable[[], AbstractContextManager[IO[bytes]]]:
    def opened() -> IO[bytes]:
        content = tar.extractfile(entry)
        assert content is not None  # it is a regular file
        return content

    return opened


def _kind_in_zip(entry: zipfile.ZipInfo) -> str:
    """Archives made on Unix keep the type of a file in the upper half of its attributes."""
    mode = entry.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a device or the like"
    return "folder" if entry.is_dir() else "file"


def _kind_in_tar(entry: tarfile.TarInfo) -> str:
    if entry.issym() or entry.islnk():
        return "a link"
    if entry.isdir():
        return "folder"
    return "file" if entry.isfile() else "a device or the like"


class _Header(tarfile.TarInfo):
    """A member's header; a damaged one is an error, not the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> "_Header":
        """Read the next header.

        Raises:
            tarfile.ReadError: it is damaged, or the archive ends before its end is marked.
        """
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the mark of the end
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error} at byte {tarfile_.offset}") from None
