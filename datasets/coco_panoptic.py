"""COCO panoptic: each pixel is of a thing or of stuff, or of nothing that is annotated."""

import hashlib
import json
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sambench.data.images import image_size, read_rgb
from sambench.data.sources import data_root, require
from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard, T
from sambench.truths import Segments

from ._coco_file import inside
from ._files import FileDataset
from ._panoptic_file import PanopticFile, read_panoptic
from ._segments import from_numbers

EXPECTED = {"val2017": {"images": 5000}, "train2017": {"images": 118287}}


class CocoPanoptic(FileDataset):
    """COCO 2017 panoptic, and data of the same layout.

    A PNG holds the ids of segments, red + 256 green + 65536 blue; the JSON says what each is. Void
    is black, and crowd regions are as `iscrowd` says.

    Args:
        root: folder with ``annotations/panoptic_<split>.json``, ``annotations/panoptic_<split>/``
            and ``<split>/*.jpg``.
        split: val2017 or train2017.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="coco_panoptic",
        title="Microsoft COCO 2017 panoptic",
        licence="annotations CC-BY-4.0; images under Flickr's terms of use",
        citation="Kirillov et al., Panoptic Segmentation, CVPR 2019; Lin et al., Microsoft COCO, "
        "ECCV 2014",
        homepage="https://cocodataset.org",
        split="val2017",
        steps="unpack http://images.cocodataset.org/zips/val2017.zip and "
        "http://images.cocodataset.org/annotations/panoptic_annotations_trainval2017.zip, and in "
        "annotations/ the panoptic_val2017.zip of the latter, and give the folder as root=",
        layout="verified on real files",
        seen="2 images of the authors' example: 50 segments, 3 of them crowds; areas, "
        "categories and crowd flags are the JSON's, and categories equal the authors' "
        "two-channel maps at each pixel",
        expected=EXPECTED["val2017"],
    )
    truths = (Segments,)

    def __init__(self, root: str = "", split: str = "val2017") -> None:
        base = data_root("coco_panoptic", root)
        self.annotations = require(base / "annotations" / f"panoptic_{split}.json", type(self))
        self.masks = require(base / "annotations" / f"panoptic_{split}", type(self))
        self.images = require(base / split, type(self))
        self.card = replace(self.card, split=split, expected=EXPECTED.get(split, {}))

    @cached_property
    def file(self) -> PanopticFile:
        """The JSON, parsed and checked."""
        return read_panoptic(self.annotations, lambda at: inside(self.images, at))

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of the annotated images, in ascending order."""
        return tuple(self.file.images)

    @property
    def categories(self) -> dict[int, str]:
        """Category id -> name."""
        return {id: entry["name"].text() for id, entry in self.file.categories.items()}

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.file.images[id].image

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The map of segments of an image."""
        return (inside(self.masks, self.file.images[id].at["file_name"]),)

    def reading(self) -> JSON:
        """What the JSON says, which the maps alone do not."""
        listed = self.file.images.values()
        key = str if any(isinstance(image.id, str) for image in listed) else int
        annotations = {key(image.id): image.at.value for image in listed}
        categories = {id: entry.value for id, entry in self.file.categories.items()}
        text = json.dumps([annotations, categories], sort_keys=True)
        return {"json": hashlib.sha256(text.encode()).hexdigest()}

    def read_truth(self, id: str, kind: type[T]) -> T:
        """Segments of an image.

        Raises:
            UserError: the PNG is not of the image's size, or has a segment that the JSON does not
                list, or the other way round.
        """
        assert kind is Segments
        image, path = self.file.images[id], self.truth_paths(id)[0]
        numbers = colour_ids(read_rgb(path))
        if numbers.shape != image_size(image.image):
            raise UserError(
                f"{path} has size {numbers.shape}, but {image.image} has "
                f"{image_size(image.image)} (height, width); use the files that belong together."
            )
        differing = set(np.unique(numbers).tolist()) - {0} ^ set(image.segments)
        if differing:
            raise UserError(
                f"{path} and {self.annotations} differ in segment {min(differing)}; use the files "
                "that belong together."
            )
        return cast(T, from_numbers(numbers, image.segments, image.crowd))


def colour_ids(rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Colours (H, W, 3) -> ids (H, W): red + 256 green + 65536 blue."""
    ids: NDArray[np.int64] = rgb.astype(np.int64) @ np.array([1, 256, 65536])
    return ids
