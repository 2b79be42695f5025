"""Your own folders: which mask files belong to which image."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from sambench.errors import UserError

from ._files import IMAGES, refuse_loop

log = logging.getLogger(__name__)
MASKS = IMAGES | {".npy", ".npz"}
WHOLE = ("_mask", "_masks", "_cp_masks", "_label", "_labels", "_seg", "_segmentation", "_gt")
"""What follows the image's name in the name of a file of all its objects."""
LAYOUTS = (
    "for x.jpg, one of x.png or x_mask.png (each value an object), x/ANY.png or x_ANY.png (a file "
    "for each object)"
)
LOSSY = frozenset({".jpg", ".jpeg", ".jfif", ".jpe"})
TABLES = frozenset({".csv", ".json", ".jsonl", ".tsv", ".txt", ".xlsx", ".xml", ".yaml", ".yml"})
NOTES = TABLES | {"", ".db", ".html", ".ini", ".ipynb", ".log", ".md", ".py", ".rst", ".sh", ".zip"}
"""Files that commonly lie beside images and are none."""
SKIPPED_FOLDERS = frozenset({"__MACOSX", "__pycache__"})


@dataclass(frozen=True)
class Owned:
    """An image with its masks.

    Attributes:
        image: its file.
        masks: their files.
        whole: whether the only one holds all objects.
    """

    image: Path
    masks: tuple[Path, ...] = ()
    whole: bool = True


def pair(images: Path, masks: Path, without_mask: str) -> dict[str, Owned]:
    """Id -> image and masks; an id is the path below the folder, without ending.

    Args:
        images: folder of images.
        masks: folder of masks, which may be the same, or below the other.
        without_mask: what an image without a mask is: "" an error, "empty" an image without
            objects, "skip" left out.

    Raises:
        UserError: files do not belong together, or are of a kind that is not read.
    """
    together = images.resolve() == masks.resolve()
    pictures = files_of(images, IMAGES | (MASKS if together else frozenset()), masks)
    labels = files_of(masks, MASKS, images)
    if together:
        pictures = _without_masks(pictures)
        labels = [path for path in labels if path not in set(pictures)]
    if not pictures:
        raise UserError(
            f"{images} has no images ({', '.join(sorted(IMAGES))}); it holds {kinds_in(images)}."
        )
    by_id = ids_of(pictures, images)
    owned = _owned(labels, masks, by_id, images, together)
    lacking = [id for id in by_id if id not in owned]
    if lacking and not without_mask:
        raise UserError(
            f"{len(lacking)} of {len(by_id)} images have no mask in {masks}, which holds "
            f"{kinds_in(masks)}, first {by_id[lacking[0]].name}: folder takes {LAYOUTS}; add it, "
            "or give without_mask=empty where there are no objects, or without_mask=skip."
        )
    if lacking:
        what = "count as images without objects" if without_mask == "empty" else "are left out"
        log.warning("%d of %d images have no mask and %s", len(lacking), len(by_id), what)
    kept = by_id if without_mask != "skip" else {id: by_id[id] for id in by_id if id in owned}
    return {id: owned.get(id, Owned(path)) for id, path in kept.items()}


def files_of(folder: Path, suffixes: Iterable[str], other: Path) -> list[Path]:
    """Files of a folder and those below it, sorted; not those of another folder below it.

    Raises:
        UserError: it cannot be listed, or a file is of another kind.
    """
    wanted, apart = frozenset(suffixes), other.resolve()
    below = folder.resolve() in apart.parents
    found = []
    for path in _walk(folder):
        if below and path.resolve().is_relative_to(apart):
            continue
        if path.suffix.lower() in wanted:
            found.append(path)
        elif path.suffix.lower() not in NOTES:
            raise UserError(
                f"{path} is of a kind that folder does not read there ("
                f"{', '.join(sorted(wanted))}); convert it to PNG, or take it away."
            )
    return sorted(found)


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be listed ({error.strerror}).") from None

    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give the folder of the files.")
    for base, below, names in os.walk(folder, onerror=refuse, followlinks=True):
        below[:] = [n for n in below if not n.startswith(".") and n not in SKIPPED_FOLDERS]
        for name in below:
            refuse_loop(Path(base, name))
        yield from (Path(base, name) for name in names if not name.startswith("."))


def key_of(path: Path, folder: Path) -> str:
    """The path below a folder without ending; accents composed alike."""
    relative = path.relative_to(folder)
    return normalize("NFC", (relative.parent / relative.stem).as_posix())


def ids_of(pictures: list[Path], folder: Path) -> dict[str, Path]:
    """Raises UserError: two images have the same name."""
    found: dict[str, Path] = {}
    for path in pictures:
        first = found.setdefault(key_of(path, folder), path)
        if first != path:
            raise UserError(f"{first} and {path} have the same name; rename one.")
    return found


def _without_masks(paths: list[Path]) -> list[Path]:
    """Of images and masks in one folder the images: x.png of x_mask.png, x.jpg of x.png."""
    stems = {str(path.with_suffix("")) for path in paths}
    lossy = {str(p.with_suffix("")) for p in paths if p.suffix.lower() in LOSSY}

    def is_mask(path: Path) -> bool:
        stem = str(path.with_suffix(""))
        if path.suffix.lower() not in IMAGES or any(b in stems for b in _bases(stem)):
            return True
        return stem in lossy and path.suffix.lower() not in LOSSY

    return [path for path in paths if not is_mask(path)]


def _bases(stem: str) -> list[str]:
    """Names of an image that a file of all its objects may stand for by its ending."""
    return [stem[: -len(word)] for word in WHOLE if stem.lower().endswith(word)]


def _owned(
    labels: list[Path], folder: Path, by_id: dict[str, Path], images: Path, together: bool
) -> dict[str, Owned]:
    """Id -> image with its masks.

    Raises:
        UserError: a mask has no image, or an image has two kinds of masks.
    """
    by_name = {normalize("NFC", p.relative_to(images).as_posix()): id for id, p in by_id.items()}
    wholes: dict[str, list[Path]] = {}
    singles: dict[str, list[Path]] = {}
    for path in labels:
        key = key_of(path, folder)
        whole = next((k for k in (key, *_bases(key)) if k in by_id or k in by_name), "")
        single = "" if together or whole else owner_of(key, by_id)
        if not whole and not single:
            raise UserError(
                f"{path} belongs to no image in {images}; take it away, or name it as folder takes "
                f"it: {LAYOUTS}."
            )
        found = wholes if whole else singles
        found.setdefault(by_name.get(whole, whole) or single, []).append(path)
    wholes = {id: _but_cellpose(paths) for id, paths in wholes.items()}
    for id, paths in wholes.items():
        if id in singles:
            raise UserError(
                f"{id} has a label map and masks of single objects in {folder} ({paths[0].name}, "
                f"{singles[id][0].name}); keep one."
            )
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths)
            raise UserError(f"{id} has {len(paths)} label maps in {folder}, {names}; keep one.")
    owned = {id: Owned(by_id[id], tuple(paths)) for id, paths in wholes.items()}
    return owned | {id: Owned(by_id[id], tuple(p), whole=False) for id, p in singles.items()}


def _but_cellpose(paths: list[Path]) -> list[Path]:
    """Without the _seg.npy in which Cellpose repeats the masks that lie beside it."""
    others = [path for path in paths if not path.name.lower().endswith("_seg.npy")]
    return others or paths


def owner_of(key: str, by_id: dict[str, Path]) -> str:
    """The image of a mask of one object: its folder, else the longest name that precedes a _."""
    folder, _, stem = key.rpartition("/")
    if folder in by_id:
        return folder
    parts = stem.split("_")
    heads = ("_".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
    named = (f"{folder}/{head}" if folder else head for head in heads)
    return next((name for name in named if name in by_id), "")


def kinds_in(folder: Path) -> str:
    """The kinds of files of a folder, counted."""
    kinds = Counter(path.suffix.lower() or "without ending" for path in _walk(folder))
    if not kinds:
        return "no files"
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    readers = kinds.keys() & TABLES
    return f"{counted} (`sambench list` shows readers of other formats)" if readers else counted
