"""What records were made from: whether it is still the same when a run is continued."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sambench.download import sha256
from sambench.interfaces import Dataset, file_stamp
from sambench.store.paths import file_stem
from sambench.store.records import Made, RecordFile

PREDICTION = "prediction "
"""How the content of a record begins that was made from a prediction's file, not from an image."""
READERS = 4
Verdict = tuple[str, str | None, bool]
"""Id, stamp, and whether the content is that of the record."""
log = logging.getLogger(__name__)


def digest_pixels(image: NDArray[np.uint8]) -> str:
    """SHA-256 over shape and pixels of an image (H, W, 3)."""
    digest = hashlib.sha256(str(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Sources:
    """Where what records are made from can be seen again.

    Attributes:
        stamp: of an id, without reading: see `Dataset.stamp`.
        digest: of an id, over the content.
        what: what it is, in the plural.
    """

    stamp: Callable[[str], str | None]
    digest: Callable[[str], str]
    what: str


def images_of(dataset: Dataset) -> Sources:
    """The images of a dataset."""
    return Sources(dataset.stamp, lambda id: digest_pixels(dataset.read_image(id)), "images")


@dataclass
class PredictionFiles:
    """The files of a folder of predictions by image, however many each has."""

    folder: Path
    _files: dict[str, list[Path]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in sorted(self.folder.iterdir()):
            self._files.setdefault(path.stem, []).append(path)

    def stamp(self, id: str) -> str | None:
        """Sizes and times of an image's files."""
        stamps = [file_stamp(path) for path in self._files.get(file_stem(id), [])]
        return "; ".join(stamp or "" for stamp in stamps) or None

    def digest(self, id: str) -> str:
        """SHA-256 over an image's files; of none if there are none."""
        digests = [sha256(path) for path in self._files.get(file_stem(id), [])]
        return PREDICTION + hashlib.sha256("\n".join(digests).encode()).hexdigest()

    def sources(self) -> Sources:
        """As what records are made from."""
        return Sources(self.stamp, self.digest, "predictions")


def drop_changed(records: RecordFile, ids: Iterable[str], sources: Sources) -> list[str]:
    """Let all records go that were made from something else than what is there now.

    Size and time decide where both are as they were; the content, where they are not.

    Returns:
        The ids of what changed, or can no longer be read.
    """
    made = records.index.made
    doubtful = [id for id in ids if id in made and not _same_stamp(made[id], sources.stamp(id))]

    def look(id: str) -> Verdict:
        try:
            same = sources.digest(id) == made[id].image
        except Exception as error:  # it is tried again later, and its reason recorded then
            log.debug("%s cannot be read any more", id, exc_info=error)
            same = False
        return id, sources.stamp(id), same

    with ThreadPoolExecutor(READERS) as pool:
        verdicts = list(pool.map(look, doubtful))
    stamps = {id: stamp for id, stamp, same in verdicts if same and stamp is not None}
    changed = [id for id, _, same in verdicts if not same]
    if stamps:
        records.restamp(stamps)
    if changed:
        records.forget(changed)
    return changed


def _same_stamp(made: Made, now: str | None) -> bool:
    return now is not None and made.stamp == now
