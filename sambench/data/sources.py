"""Where datasets are, on this machine and elsewhere: found, fetched and checked.

A dataset class says in ``sources`` what can be fetched without an account and can be checked: by a
published SHA-256, or by the known contents of a part of it. Where it has none, ``card.steps`` says
what to do by hand.
"""

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sambench.data.archives import BadArchive, unpack
from sambench.data.download import cache_dir, download, only_one
from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import Dataset

log = logging.getLogger(__name__)
READY = "ready"
RECORD = "fetched.txt"
"""Lists the SHA-256 and address of each source that was fetched and unpacked in full."""


@dataclass(frozen=True)
class Source:
    """One file to fetch.

    Attributes:
        url: https address.
        sha256: of the file, in hex; "" where none is published, then `contents` vouches for it.
        unpack_to: folder below the dataset's root where the archive is unpacked, "" for the root
            itself; None keeps the file as it is, in the root.
        contents: `digest` of files in the archive that are known, by pattern.
        megabytes: about how large the file is; 0 where that is not known.
    """

    url: str
    sha256: str
    unpack_to: str | None = ""
    contents: Mapping[str, str] = field(default_factory=dict)
    megabytes: int = 0

    def __post_init__(self) -> None:
        if not self.sha256 and not self.contents:
            raise ValueError(f"{self.url} needs a SHA-256, of itself or of its contents")

    @property
    def filename(self) -> str:
        """Last part of the address."""
        return Path(urlsplit(self.url).path).name


def data_root(name: str, root: str = "") -> Path:
    """Folder of a dataset: root, else ``$SAMBENCH_DATA/<name>``, else in the cache folder."""
    if root:
        return Path(root).expanduser()
    return Path(os.environ.get("SAMBENCH_DATA", cache_dir() / "data")).expanduser() / name


def sources(dataset: type[Dataset]) -> tuple[Source, ...]:
    """What can be fetched for a dataset; empty where it takes steps by hand."""
    found: tuple[Source, ...] = getattr(dataset, "sources", ())
    return found


def download_size(dataset: type[Dataset]) -> str:
    """About how much is fetched for a dataset, such as "1.1 GB"; "" where that is not known."""
    sizes = [source.megabytes for source in sources(dataset)]
    if not sizes or not all(sizes):
        return ""
    total = sum(sizes)
    return f"{total} MB" if total < 1000 else f"{total / 1000:.1f} GB"


def remedy(dataset: type[Dataset]) -> str:
    """What to do when a dataset's files are missing, as the end of a sentence."""
    card = dataset.card
    if sources(dataset):
        return f"run `sambench data fetch {card.name}` or give the right folder as root="
    return f"to get it: {card.steps}" + (f" (homepage: {card.homepage})" if card.homepage else "")


def require(path: Path, dataset: type[Dataset]) -> Path:
    """The path itself, which must exist.

    Raises:
        UserError: it does not; the message says how to get the dataset.
    """
    if not path.exists():
        raise UserError(f"{dataset.card.name} needs {path}, which is missing; {remedy(dataset)}.")
    return path


def fetch(dataset: type[Dataset], root: str = "") -> Path:
    """Download and unpack a dataset; what was fetched before is not fetched again.

    Raises:
        UserError: it takes steps by hand (the message says which), an address cannot be reached,
            a hash is wrong or an archive is refused.
    """
    card, folder = dataset.card, data_root(dataset.card.name, root)
    if not sources(dataset):
        raise UserError(f"{card.name} cannot be fetched by a command; {remedy(dataset)}.")
    record = folder / RECORD
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder):
        for source in sources(dataset):
            line = f"{source.sha256}  {source.url}\n"
            if not (record.is_file() and line in record.read_text()):
                _fetch_one(source, folder)
                with record.open("a") as file:
                    file.write(line)
    return folder


def _fetch_one(source: Source, folder: Path) -> None:
    """Download and unpack a source; a file of before that turns out to be none is replaced.

    Raises:
        UserError: what came is not what it should be; if no SHA-256 vouches for it, it is removed.
    """
    target = folder / source.filename
    there = target.is_file()
    file = download(source.url, target, source.sha256)
    try:
        _unpack(source, file, folder)
    except BadArchive as error:
        if source.sha256:
            raise
        if not there:
            file.unlink()
            raise
        log.warning("%s It was there already, and is fetched anew.", error)
        download(source.url, target, "", anew=True)
        try:
            _unpack(source, file, folder)
        except BadArchive:
            file.unlink()
            raise


def _unpack(source: Source, file: Path, folder: Path) -> None:
    """Put the files of an archive where they belong, once all are there and known."""
    if source.unpack_to is None:
        return
    with tempfile.TemporaryDirectory(dir=folder) as unpacked:
        unpack(file, Path(unpacked))
        _check_contents(source, Path(unpacked))
        target = folder / source.unpack_to
        target.mkdir(parents=True, exist_ok=True)
        shutil.copytree(unpacked, target, dirs_exist_ok=True, copy_function=shutil.move)
    file.unlink()


def digest(folder: Path, pattern: str) -> str:
    """SHA-256 over the names and contents of the files of a pattern, sorted by name."""
    total = hashlib.sha256()
    for path in sorted(folder.glob(pattern)):
        total.update(path.name.encode() + b"\0" + bytes.fromhex(sha256(path)))
    return total.hexdigest()


def _check_contents(source: Source, unpacked: Path) -> None:
    """Compare the files of an archive with what is known of them.

    Raises:
        BadArchive: they are others.
    """
    for pattern, expected in source.contents.items():
        if digest(unpacked, pattern) != expected:
            raise BadArchive(
                f"{source.url} gave an archive whose {pattern} are not the known files; it was "
                "discarded: try again, or get the dataset elsewhere."
            )


def status(dataset: type[Dataset], root: str = "") -> str:
    """One of: ready; missing, can be fetched; missing, by hand."""
    try:
        dataset(**({"root": root} if root else {}))
    except UserError:
        return "missing, can be fetched" if sources(dataset) else "missing, by hand"
    return READY
