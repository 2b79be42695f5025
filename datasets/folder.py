"""Your own data: a folder of images and a folder of masks."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from sambench.errors import UserError
from sambench.images import read_labels
from sambench.interfaces import JSON, DatasetCard, Instances
from sambench.sources import require

from ._files import IMAGES, LABELS, InstanceFiles, by_stem, files_in
from ._instances import from_labels
from ._label_maps import from_single_masks


class Folder(InstanceFiles):
    """Images and masks that belong together by their names.

    For an image ``x.jpg`` the masks are one of

    * ``x.png``: 0 is background, every other value one object; a binary mask is one object;
    * ``x/*.png``: one file for each object, all values but background are the object;
    * ``x_*.png``: the same without a folder of its own.

    Args:
        images: folder of images.
        masks: folder of masks, in lossless formats.
        background: values that are background, separated by ``+``.
        ignore: values of pixels that do not count, separated by ``+``.

    Raises:
        UserError: a folder is missing or not given, or a value is no whole number.
    """

    card = DatasetCard(
        name="folder",
        title="your own images and masks",
        licence="as their owner says",
        citation="none",
        steps="give the folders as folder:images=DIR,masks=DIR",
        own=True,
    )
    neutral = frozenset({"images", "masks"})

    def __init__(
        self, images: str = "", masks: str = "", background: str = "0", ignore: str = ""
    ) -> None:
        if not (images and masks):
            raise UserError(f"folder needs both folders; {self.card.steps}.")
        self.images = require(Path(images).expanduser(), type(self))
        self.masks = require(Path(masks).expanduser(), type(self))
        self.background, self.ignore = _values(background), _values(ignore)
        name = self.images.resolve().name
        self.card = replace(self.card, name=name, title=f"images of {name}")

    @cached_property
    def _files(self) -> dict[str, tuple[Path, tuple[Path, ...]]]:
        """Id -> image and its masks."""
        images = by_stem(files_in(self.images, IMAGES))
        masks = self._masks_by_owner(set(images))
        lacking = [path for id, path in images.items() if not masks.get(id)]
        if lacking:
            raise UserError(
                f"{len(lacking)} of {len(images)} images have no mask in {self.masks}, first "
                f"{lacking[0].name}; add {lacking[0].stem}.png or take the image away."
            )
        if not images:
            raise UserError(f"{self.images} has no images ({', '.join(sorted(IMAGES))}).")
        return {id: (path, masks[id]) for id, path in images.items()}

    def _masks_by_owner(self, stems: set[str]) -> dict[str, tuple[Path, ...]]:
        """Id -> its masks; a mask without an image is an error."""
        found: dict[str, list[Path]] = {}
        for path in files_in(self.masks, LABELS):
            owner = _owner(path.stem, stems)
            if not owner:
                raise UserError(f"{path} belongs to no image in {self.images}; take it away.")
            found.setdefault(owner, []).append(path)
        for folder in sorted(self.masks / stem for stem in stems):
            if folder.is_dir():
                found.setdefault(folder.name, []).extend(files_in(folder, LABELS))
        for stem, paths in found.items():
            if len(paths) > 1 and any(self._is_label_map(path, stem) for path in paths):
                raise UserError(
                    f"{stem} has a label map and masks of single objects in {self.masks}; keep one."
                )
        return {stem: tuple(paths) for stem, paths in found.items()}

    def _is_label_map(self, path: Path, id: str) -> bool:
        """Whether the file holds all objects of its image."""
        return path.parent == self.masks and path.stem == id

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the images without ending, sorted as text."""
        return tuple(self._files)

    def reading(self) -> JSON:
        """Background and ignored values."""
        return {"background": list(self.background), "ignore": list(self.ignore)}

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self._files[id][0]

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """Files of its masks."""
        return self._files[id][1]

    def instances(self, id: str) -> Instances:
        """The objects of an image."""
        paths = self.truth_paths(id)
        if self._is_label_map(paths[0], id):
            return from_labels(read_labels(paths[0]), self.background, self.ignore)
        return from_single_masks(paths, self.background, self.ignore)


def _owner(stem: str, stems: set[str]) -> str:
    """The image that a mask belongs to: of its own name, else the longest that precedes a ``_``."""
    if stem in stems:
        return stem
    parts = stem.split("_")
    heads = ("_".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
    return next((head for head in heads if head in stems), "")


def _values(text: str) -> tuple[int, ...]:
    """``0+255`` -> (0, 255)."""
    try:
        return tuple(int(part) for part in text.split("+")) if text else ()
    except ValueError:
        raise UserError(f"{text} is no list of whole numbers; write them as 0+255.") from None
