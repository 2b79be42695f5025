"""Your own folders: which boundary maps belong to which image, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sambench.data.images import labels_of, read_label_pages
from sambench.errors import UserError
from sambench.truths import Boundaries

from ._files import IMAGES
from ._folder_files import MASKS, Owned, files_of, ids_of, key_of, kinds_in, owner_of

LAYOUTS = (
    "for x.jpg, x.png; or of several annotators x_1.png and x_2.png, x/1.png and x/2.png, or "
    "1/x.png and 2/x.png"
)
MOST_INSIDE = 0.1
"""More of the drawn pixels than this have all neighbours drawn: those are areas, not lines."""


def pair_boundaries(images: Path, maps: Path, without_mask: str) -> dict[str, Owned]:
    """Id -> image with its boundary maps, one for each annotator, sorted by path.

    Args:
        images: folder of images.
        maps: folder of boundary maps.
        without_mask: what an image without a map is: "" an error, "skip" left out.

    Raises:
        UserError: files do not belong together, or are of a kind that is not read.
    """
    if without_mask == "empty":
        raise UserError(
            "without_mask=empty is for masks: of an image without a map nobody drew boundaries; "
            "give without_mask=skip to leave it out."
        )
    by_id = ids_of(files_of(images, IMAGES, maps), images)
    if not by_id:
        raise UserError(f"{images} has no images; it holds {kinds_in(images)}.")
    found: dict[str, list[Path]] = {}
    for path in files_of(maps, MASKS, images):
        owner = _owner(key_of(path, maps), by_id)
        if not owner:
            raise UserError(
                f"{path} belongs to no image in {images}; take it away, or name it as folder takes "
                f"boundaries: {LAYOUTS}."
            )
        found.setdefault(owner, []).append(path)
    for id, paths in found.items():
        single = [path for path in paths if key_of(path, maps) == id]
        if single and len(paths) > 1:
            raise UserError(
                f"{id} has one map of its name, {single[0]}, and {len(paths) - 1} of annotators, "
                f"such as {next(path for path in paths if path not in single)}; keep one kind."
            )
    lacking = [id for id in by_id if id not in found]
    if lacking and not without_mask:
        raise UserError(
            f"{len(lacking)} of {len(by_id)} images have no boundary map in {maps}, first "
            f"{by_id[lacking[0]].name}: folder takes {LAYOUTS}; add it, or give without_mask=skip."
        )
    return {id: Owned(by_id[id], tuple(found[id])) for id in by_id if id in found}


def _owner(key: str, by_id: dict[str, Path]) -> str:
    """The image of a map: of its name, of its folder or the start of its name, or below a folder.

    The folder is the annotator's: the first one of the path.
    """
    below = key.partition("/")[2]
    return key if key in by_id else owner_of(key, by_id) or (below if below in by_id else "")


@dataclass(frozen=True)
class BoundaryReading:
    """How the values of boundary maps are read.

    Attributes:
        background: values that are not boundary.
        threshold: what is as bright or brighter is boundary; 0 for maps of two values.
        page: of files with several pages, from 1; 0 where they have one.
    """

    background: tuple[int, ...] = (0,)
    threshold: float = 0.0
    page: int = 0

    def read(self, paths: Sequence[Path], size: tuple[int, int]) -> Boundaries:
        """The boundaries of an image of size (H, W), one map for each annotator.

        Raises:
            UserError: a map is of another size, or what is drawn in it is open.
        """
        return Boundaries(tuple(self._drawn(path, size) for path in paths))

    def _drawn(self, path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
        pages = read_label_pages(path, size, self.page)
        if len(pages) > 1:
            raise UserError(f"{path} has {len(pages)} pages; choose one with page=N.")
        values = pages[0].values
        if pages[0].in_colour:
            raise UserError(f"{path} is in colour; a boundary map is grey, 0 and 255: convert it.")
        if values.shape != size:
            raise UserError(
                f"{path} has size {values.shape}, but its image {size} (height, width); they must "
                "be equal."
            )
        if self.threshold:
            drawn = values >= self.threshold
        elif pages[0].lossy:
            raise UserError(f"{path} is of a lossy format; give threshold=, or save maps as PNG.")
        else:
            drawn = self._of_two_values(labels_of(values, path), path)
        _refuse_areas(drawn, path)
        return drawn

    def _of_two_values(self, labels: NDArray[np.int64], path: Path) -> NDArray[np.bool_]:
        others = [int(v) for v in np.unique(labels) if v not in self.background]
        if len(others) > 1:
            raise UserError(
                f"{path} has {len(others)} values beside background ({others[0]}, {others[1]}, "
                "...), so what is boundary is open; give threshold=, or background=."
            )
        return ~np.isin(labels, self.background)


def _refuse_areas(drawn: NDArray[np.bool_], path: Path) -> None:
    """Refuse a map of filled regions, of thick lines, or of lines in the background's value."""
    inside = ndimage.binary_erosion(drawn, np.ones((3, 3), bool)).sum()
    if inside > MOST_INSIDE * drawn.sum():
        raise UserError(
            f"{path} has areas, not lines: {inside} of {int(drawn.sum())} pixels drawn have all "
            "their neighbours drawn; thin the lines to one pixel, give background= if lines are "
            "dark, or give regions as masks=."
        )
