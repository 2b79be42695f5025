"""Your own data: folders as PASCAL VOC, labelme2voc or CVAT's "Segmentation mask" arrange them."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sambench.data.images import channels, grey_levels, read_label_pages, read_labels
from sambench.data.images.plausible import many_thin_colours
from sambench.data.sources import require
from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard
from sambench.truths import Instances

from ._colours import coded, read_codes, read_table
from ._instances import from_labels, from_rles
from ._listed import read_names
from ._own import OwnInstances, decoding_of, folder_of, images_by_id

VOID, VOID_COLOUR = 255, coded((224, 224, 192))
"""Pixels that do not count, in maps of one channel and in the colours that VOC gives numbers."""
BACKGROUND = ("_background_", "background")
IGNORED = "__ignore__"
"""The first line of labelme2voc's list of labels; it has no number of its own."""


class Voc(OwnInstances):
    """Objects of ``SegmentationObject``, an image for each in ``JPEGImages``.

    Maps have one channel (0 is background, 255 void, every other value an object) or colours
    (black, 224,224,192 void). Void does not count. Categories are read from ``SegmentationClass``
    where ``class_names.txt`` (one a line, the first is number 0) or ``labelmap.txt``
    (``name:r,g,b`` on each line) names them; else objects have none.

    Args:
        root: folder with SegmentationObject and JPEGImages.
        split: only the names in ``ImageSets/Segmentation/<split>.txt``; all maps if empty.
        orientation, intensity, page: what images leave open, as for folder.

    Raises:
        UserError: a folder is missing, or a list of names cannot be read.
    """

    card = DatasetCard(
        name="voc",
        title="your own annotations in PASCAL VOC's layout",
        licence="as their owner says",
        citation="none",
        steps="give the folder with JPEGImages and SegmentationObject as voc:root=DIR",
        layout="from documentation",
        own=True,
    )

    def __init__(
        self,
        root: str = "",
        split: str = "",
        orientation: str = "displayed",
        intensity: str = "",
        page: int = 0,
    ) -> None:
        self.root = folder_of(type(self), root)
        self.maps = require(self.root / "SegmentationObject", type(self))
        self.images = require(self.root / "JPEGImages", type(self))
        self.split = split
        self.decoding = decoding_of(orientation, intensity, page)
        self._names, self._by_colour = _names(self.root)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the maps, or of the split in the order of its file."""
        if self.split:
            lists = self.root / "ImageSets" / "Segmentation"
            return read_names(require(lists / f"{self.split}.txt", type(self)))
        found = tuple(images_by_id(self.maps))
        if not found:
            raise UserError(f"{self.maps} has no maps; {self.card.steps}.")
        return found

    @property
    def categories(self) -> Mapping[int, str]:
        """Number -> name."""
        return self._names

    def reading(self) -> JSON:
        """Names of the categories, and their colours if they are told by these."""
        return {
            "names": {str(number): name for number, name in self._names.items()},
            "colours": {str(code): number for code, number in self._by_colour.items()},
        }

    @cached_property
    def _images(self) -> dict[str, Path]:
        return images_by_id(self.images)

    def image_path(self, id: str) -> Path:
        """File of an image."""
        if id not in self._images:
            raise UserError(f"{self.images} has no image {id}; add it, or remove its map.")
        return self._images[id]

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The map of objects, and that of categories if they have names."""
        objects = self.maps / f"{id}.png"
        return (objects, self._class_map(id)) if self._names else (objects,)

    def _class_map(self, id: str) -> Path:
        return self.root / "SegmentationClass" / f"{id}.png"

    def instances(self, id: str) -> Instances:
        """Objects in ascending order of their value or colour."""
        path = self.truth_paths(id)[0]
        labels, void = _objects(path)
        if void == VOID < labels.max() and (labels == VOID).any():
            raise UserError(
                f"{path} has the value {VOID}, which is void, beside larger ones; give that object "
                "another number."
            )
        truth = from_labels(labels, ignore=(void,))
        if not self._names:
            return truth
        classes = self._classes(id)
        if classes.shape != labels.shape:
            raise UserError(
                f"{self._class_map(id)} has size {classes.shape}, {path} has {labels.shape}; they "
                "must be equal."
            )
        numbers = [self._class_of(id, value, classes[labels == value]) for value in truth.ids]
        return from_rles(
            truth.size, truth.rles, ids=truth.ids, categories=numbers, ignore=truth.ignore
        )

    def _classes(self, id: str) -> NDArray[np.int64]:
        """(H, W) numbers of categories, 0 for background and void."""
        path = self._class_map(id)
        if not self._by_colour:
            labels = read_labels(path)
            return np.where(labels == VOID, 0, labels)
        codes = read_codes(path)
        classes = np.zeros(codes.shape, dtype=np.int64)
        for code in map(int, np.unique(codes)):
            if code not in self._by_colour and code not in (0, VOID_COLOUR):
                raise UserError(
                    f"{path} has the colour {code >> 16},{code >> 8 & 255},{code & 255}, which "
                    f"{self.root / 'labelmap.txt'} does not name; add it."
                )
            classes[codes == code] = self._by_colour.get(code, 0)
        return classes

    def _class_of(self, id: str, value: int, classes: NDArray[np.int64]) -> int:
        found = [int(number) for number in np.unique(classes) if number]
        if len(found) != 1 or found[0] not in self._names:
            raise UserError(
                f"{self._class_map(id)}: object {value} has the categories {found or 'none'}, "
                "expected one that has a name; correct the maps."
            )
        return found[0]


def _objects(path: Path) -> tuple[NDArray[np.int64], int]:
    """Labels (H, W) of a map of objects, and which of them is void.

    Raises:
        UserError: it cannot be read, or its values or colours are those of smooth edges.
    """
    if channels(path) != 1:
        codes = read_codes(path)
        if many_thin_colours(np.where(codes == VOID_COLOUR, 0, codes)):
            raise UserError(
                f"{path} has {len(np.unique(codes))} colours, most of them only where others meet, "
                "as blended edges are; save it without smooth edges."
            )
        return codes, VOID_COLOUR
    labels = read_labels(path)
    (page,) = read_label_pages(path, labels.shape)
    why = "" if page.palette is not None else grey_levels(labels, labels == VOID)
    if why or (page.lossy and len(np.unique(labels)) > 1):
        raise UserError(
            f"{path} has {why or 'values that were changed by compression with loss'}, not an "
            "object each; save labels as PNG without smooth edges, or read them with "
            f"folder:images=DIR,masks={path.parent},ignore={VOID},objects=values if they are."
        )
    return labels, VOID


def _names(root: Path) -> tuple[dict[int, str], dict[int, int]]:
    """Number -> name, and colour -> number where categories are told by colours."""
    listed, table = root / "class_names.txt", root / "labelmap.txt"
    if not (root / "SegmentationClass").is_dir():
        return {}, {}
    if table.is_file():
        kept = [(c, n) for c, n in read_table(table).items() if n not in BACKGROUND]
        numbered = dict(enumerate(kept, 1))
        return (
            {number: name for number, (_, name) in numbered.items()},
            {coded(colour): number for number, (colour, _) in numbered.items()},
        )
    if listed.is_file():
        lines = listed.read_text(encoding="utf-8-sig").rstrip().splitlines()
        names = [line.strip() for line in lines if line.strip() != IGNORED]
        if "" in names:
            raise UserError(f"{listed} has a blank line among the names; remove it.")
        return {n: name for n, name in enumerate(names) if name not in BACKGROUND}, {}
    return {}, {}
