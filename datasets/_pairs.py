"""Datasets of one folder of images and one of masks, paired by name."""

from functools import cached_property
from pathlib import Path

from sambench.data.sources import data_root, require
from sambench.errors import UserError
from sambench.interfaces import JSON

from ._files import IMAGES, LABELS, InstanceFiles, by_stem, files_in


class PairedFiles(InstanceFiles):
    """An image and a mask file of the same name for each id.

    Args:
        root: folder with the two folders below.
        images: folder of images, relative to root.
        masks: folder of masks, relative to root.
        subset: "present" leaves out masks whose image is missing.
    """

    def __init__(self, root: str, images: str, masks: str, subset: str = "") -> None:
        if subset not in ("", "present"):
            raise UserError(f"subset={subset} is unknown; leave it out or give subset=present.")
        base = data_root(self.card.name, root)
        self.images = require(base / images, type(self))
        self.masks = require(base / masks, type(self))
        self.subset = subset

    @cached_property
    def _image_files(self) -> dict[str, Path]:
        return by_stem(files_in(self.images, IMAGES))

    @cached_property
    def masks_by_id(self) -> dict[str, Path]:
        """Name without ending -> mask file, sorted by name."""
        return by_stem(files_in(self.masks, LABELS))

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the masks without ending, sorted as text."""
        wanted = self.masks_by_id
        return tuple(id for id in wanted if not self.subset or id in self._image_files)

    def reading(self) -> JSON:
        """How mask values are understood."""
        return {"reader": type(self).__name__}

    def image_path(self, id: str) -> Path:
        """File of an image."""
        if id not in self._image_files:
            raise UserError(
                f"{self.images} has no image {id}; add it, or take the images that are there with "
                "subset=present."
            )
        return self._image_files[id]

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The mask of an image."""
        return (self.masks_by_id[id],)
