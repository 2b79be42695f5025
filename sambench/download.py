"""Files from elsewhere: downloaded with a progress bar, checked by SHA-256, unpacked safely."""

import hashlib
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from sambench.errors import UserError

CHUNK = 1 << 20


def cache_dir() -> Path:
    """Folder for what sambench downloads: ``$SAMBENCH_CACHE``, else ``~/.cache/sambench``."""
    default = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "sambench"
    return Path(os.environ.get("SAMBENCH_CACHE", default)).expanduser()


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


def download(url: str, target: Path, digest: str) -> Path:
    """Download url to target unless it is there already; digest is how its SHA-256 starts.

    The file appears under its name only when it is complete and right.

    Raises:
        UserError: the address cannot be reached or the content is not what it should be; the
            message says what to put where by hand.
    """
    if target.is_file() and sha256(target).startswith(digest):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        _stream(url, part)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        part.unlink(missing_ok=True)
        raise UserError(
            f"{url} cannot be downloaded ({reason}); fetch it elsewhere and put it at {target}."
        ) from None
    found = sha256(part)
    if not found.startswith(digest):
        part.unlink()
        raise UserError(
            f"{url} gave a file with SHA-256 {found}, expected {digest}; it was discarded: "
            f"try again or put the right file at {target}."
        )
    part.replace(target)
    return target


def _stream(url: str, part: Path) -> None:
    """Copy url to a file, showing progress on stderr."""
    if not url.startswith("https://"):
        raise UserError(f"{url} is not an https address; only those are downloaded.")
    with urllib.request.urlopen(url, timeout=60) as answer, part.open("wb") as file:  # noqa: S310 (https checked above)
        total = int(answer.headers.get("Content-Length") or 0) or None
        with tqdm(total=total, unit="B", unit_scale=True, desc=part.stem) as bar:
            while block := answer.read(CHUNK):
                file.write(block)
                bar.update(len(block))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip or .tar(.gz, .xz, .bz2) into folder; nothing lands outside of it.

    Raises:
        UserError: the archive is damaged, or a member would escape the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder)
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        raise UserError(f"{archive} is refused, a member would escape {folder}: {error}") from None
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{archive} is damaged ({error}); fetch it again.") from None


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as bundle:
        for member in bundle.infolist():
            name = PurePosixPath(member.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts:
                raise UserError(
                    f"{archive} is refused, its member {member.filename} would escape {folder}."
                )
            target = folder.joinpath(*name.parts)
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with bundle.open(member) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
