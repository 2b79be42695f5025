"""What records were made from: whether it is still the same when a run is continued."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.files import file_stamp, sha256
from sambench.findings import Size
from sambench.interfaces import Dataset
from sambench.store.paths import file_stem, files_by_stem
from sambench.store.records import REMEDY, Provenance, RecordFile
from sambench.video.clips import Clip, ClipDataset

PREDICTION = "prediction "
"""How the content of a record begins that was made from a prediction's file, not from an image."""
READERS = 4
MANY = 8
"""Files of one prediction from which on their stamps are not listed in its record."""
log = logging.getLogger(__name__)


def read_item(dataset: Dataset, id: str) -> Any:
    """What a model is given of an id: its image (H, W, 3) uint8, or its clip, of no frame read."""
    return dataset.clip(id) if isinstance(dataset, ClipDataset) else dataset.read_image(id)


def size_of(item: Any) -> Size:
    """(H, W) of an image, or of the frames of a clip."""
    return item.size if isinstance(item, Clip) else (item.shape[0], item.shape[1])


def digest_item(item: Any) -> str:
    """SHA-256 over the pixels of an image, or over those of a clip, one frame at a time."""
    if not isinstance(item, Clip):
        return digest_pixels(item)
    whole = hashlib.sha256(repr(item.names).encode())
    for frame in item:
        whole.update(digest_pixels(frame).encode())
    return whole.hexdigest()


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
    """The images or clips of a dataset."""
    what = "clips" if isinstance(dataset, ClipDataset) else "images"
    return Sources(dataset.stamp, lambda id: digest_item(read_item(dataset, id)), what)


def digest_files(paths: Iterable[Path]) -> str:
    """SHA-256 over the files of a prediction."""
    digests = [sha256(path) for path in sorted(paths)]
    return PREDICTION + hashlib.sha256("\n".join(digests).encode()).hexdigest()


@dataclass
class PredictionFiles:
    """The files of a folder of predictions by image, however many each has."""

    folder: Path
    _files: dict[str, list[Path]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._files.update(files_by_stem(self.folder))

    def stamp(self, id: str) -> str | None:
        """Sizes and times of an image's files; of many, a digest of them."""
        stamps = [file_stamp(path) or "" for path in self._files.get(file_stem(id), [])]
        whole = "; ".join(stamps)
        return (whole if len(stamps) < MANY else hashlib.sha256(whole.encode()).hexdigest()) or None

    def digest(self, id: str) -> str:
        """SHA-256 over the content of an image's files."""
        return digest_files(self._files.get(file_stem(id), []))

    def sources(self) -> Sources:
        """As what records are made from."""
        return Sources(self.stamp, self.digest, "predictions")


def drop_changed(
    records: RecordFile, ids: Iterable[str], sources: Sources, *, moved: bool = False
) -> list[str]:
    """Drop the records that were made from something other than what is there now.

    Where size and time are unchanged, so is the content; otherwise the content is compared.

    Args:
        records: of a run.
        ids: of what to look at.
        sources: what is there now.
        moved: whether that lies elsewhere than what the records were made from.

    Returns:
        The ids of what changed, or can no longer be read.

    Raises:
        UserError: it moved and all of it changed: it is something else, which has the same name.
    """
    made = records.index.provenance
    known = [id for id in ids if id in made]
    doubtful = [id for id in known if not _same_stamp(made[id], sources.stamp(id))]

    def look(id: str) -> str:
        try:
            return sources.digest(id)
        except Exception as error:  # it is tried again later, and its reason recorded then
            log.debug("%s cannot be read any more", id, exc_info=error)
            return ""

    with ThreadPoolExecutor(READERS) as pool:
        found = dict(zip(doubtful, pool.map(look, doubtful), strict=True))
    changed = [id for id in doubtful if found[id] not in {made[id].image, made[id].prediction}]
    if moved and changed and changed == known:
        raise UserError(
            f"{records.path} holds a run with another plan (all {len(known)} {sources.what} of "
            "these names differ and lie elsewhere); give one of the two datasets a name=, "
            f"{REMEDY}."
        )
    same = [id for id in doubtful if found[id] == made[id].image]
    stamps = {id: stamp for id in same if (stamp := sources.stamp(id)) is not None}
    if stamps:
        records.restamp(stamps)
    if changed:
        records.forget(changed)
    return changed


def _same_stamp(made: Provenance, now: str | None) -> bool:
    return now is not None and made.stamp == now
