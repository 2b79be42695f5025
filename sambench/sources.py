"""Where datasets are, on this machine and elsewhere: found, fetched and checked.

A dataset class says in ``sources`` what can be fetched without an account and whose SHA-256 is
published; where it has none, ``card.steps`` says what to do by hand.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from sambench.download import cache_dir, download, unpack
from sambench.errors import UserError
from sambench.interfaces import Boundaries, Dataset, Instances

RECORD = "fetched.txt"
"""Lists the SHA-256 and address of each source that was fetched and unpacked in full."""


@dataclass(frozen=True)
class Source:
    """One file to fetch.

    Attributes:
        url: https address.
        sha256: of the file, in hex; a source whose hash is not published is no source.
        unpack_to: folder below the dataset's root where the archive is unpacked, "" for the root
            itself; None keeps the file as it is, in the root.
    """

    url: str
    sha256: str
    unpack_to: str | None = ""

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
    for source in sources(dataset):
        line = f"{source.sha256}  {source.url}\n"
        if not (record.is_file() and line in record.read_text()):
            _fetch_one(source, folder)
            with record.open("a") as file:
                file.write(line)
    return folder


def _fetch_one(source: Source, folder: Path) -> None:
    file = download(source.url, folder / source.filename, source.sha256)
    if source.unpack_to is not None:
        unpack(file, folder / source.unpack_to)
        file.unlink()


def status(dataset: type[Dataset], root: str = "") -> str:
    """One of: ready; missing, can be fetched; missing, by hand."""
    try:
        dataset(**({"root": root} if root else {}))
    except UserError:
        return "missing, can be fetched" if sources(dataset) else "missing, by hand"
    return "ready"


def check(dataset: Dataset) -> list[str]:
    """Read everything once and tell what is wrong, one sentence each; empty if all is well."""
    problems: list[str] = []
    masks, with_masks = 0, 0
    for id in dataset.ids:
        try:
            sample = dataset[id]
        except UserError as error:
            problems.append(str(error))
            continue
        problems += [f"{id}: {problem}" for problem in _wrong(sample.truth, sample.image.shape)]
        if isinstance(sample.truth, Instances):
            masks, with_masks = masks + len(sample.truth), with_masks + bool(len(sample.truth))
    found = {"images": len(dataset), "images with masks": with_masks, "masks": masks}
    expected = dataset.card.expected
    return problems + [
        f"{dataset.card.name} has {found[key]} {key}, its card expects {expected[key]}"
        for key in found
        if key in expected and expected[key] != found[key]
    ]


def _wrong(truth: object, shape: tuple[int, ...]) -> Iterator[str]:
    """What is wrong with one truth beside an image of this shape."""
    if isinstance(truth, Instances):
        if truth.size != shape[:2]:
            yield f"the image has size {shape[:2]}, its masks {truth.size}"
        empty = [truth.ids[i] for i in range(len(truth)) if not truth.mask(i).any()]
        if empty:
            yield f"empty masks: annotations {', '.join(map(str, empty))}"
    elif isinstance(truth, Boundaries):
        sizes = {np.shape(drawn) for drawn in truth.annotators}
        if sizes != {shape[:2]}:
            yield f"the image has size {shape[:2]}, its boundaries {sorted(sizes)}"
