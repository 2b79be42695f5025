"""LVIS: COCO's images with over a thousand categories, federated annotation."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from sambench.data.json_input import At
from sambench.data.sources import Source, data_root, require
from sambench.errors import UserError
from sambench.interfaces import JSON, DatasetCard, T
from sambench.truths import Concepts, Instances

from ._coco_file import CocoFile, inside
from ._coco_json import CocoJson, own_card
from ._concepts import from_categories

COCO = "https://s3.amazonaws.com/images.cocodataset.org/zips"
PRESENT = "present"
FEDERATED = ("neg_category_ids", "not_exhaustive_category_ids")
FREQUENCIES = frozenset("rcf")


class Lvis(CocoJson):
    """LVIS instances; ``extra`` of a truth holds what its federated evaluation needs.

    ``extra``: image_id; neg_category_ids, categories known to be absent;
    not_exhaustive_category_ids, categories of which instances may be unmarked; frequency, for
    each annotation r, c or f (rare, common or frequent in training).

    As phrases: the names of the categories that an image shows, and of its negative ones.

    Args:
        root: folder with ``lvis_<version>_<split>.json``, ``train2017/`` and ``val2017/``.
        split: val or train.
        version: v1 or v0.5.
        annotations: the annotation file, where it has another name or place.
        images: folder that holds ``train2017/`` and ``val2017/``, where that is not root.
        subset: "present" leaves out all images whose file is missing; the result is then another
            dataset than LVIS, with its own fingerprint.

    Raises:
        UserError: files are missing, or subset is neither empty nor "present".
    """

    card = DatasetCard(
        name="lvis",
        title="LVIS v1",
        licence="annotations CC-BY-4.0; images under Flickr's terms of use",
        citation="Gupta et al., LVIS: A Dataset for Large Vocabulary Instance Segmentation, 2019",
        homepage="https://www.lvisdataset.org",
        split="val",
        steps=(
            "unpack https://dl.fbaipublicfiles.com/LVIS/lvis_v1_val.json.zip in one folder with "
            "COCO's train2017 and val2017 and give it as root="
        ),
        layout="v0.5 verified on real files, v1 from documentation",
        seen="v0.5: 100 validation entries, 64 of them with images: 977 masks with the "
        "file's negative and not exhaustive categories and frequencies",
        expected={"images": 19809, "masks": 244707},
    )
    truths: tuple[type, ...] = (Instances, Concepts)
    # The hashes of the images are those that TensorFlow Datasets publishes.
    sources: ClassVar[tuple[Source, ...]] = (
        Source(
            "https://dl.fbaipublicfiles.com/LVIS/lvis_v1_val.json.zip",
            "2bf946b92c3037f53c172d80017f5b74ea035f00a21b20e0766b3b638b2363f9",
            megabytes=192,
        ),
        Source(
            f"{COCO}/val2017.zip",
            "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
            megabytes=816,
        ),
        Source(
            f"{COCO}/train2017.zip",
            "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
            megabytes=19337,
        ),
    )

    neutral = frozenset({"root", "annotations", "images"})

    def __init__(
        self,
        root: str = "",
        split: str = "val",
        version: str = "v1",
        annotations: str = "",
        images: str = "",
        subset: str = "",
    ) -> None:
        if subset not in ("", PRESENT):
            raise UserError(f"subset={subset} is unknown; leave it out or give subset=present.")
        base = data_root("lvis", root)
        file = (
            Path(annotations).expanduser() if annotations else base / f"lvis_{version}_{split}.json"
        )
        folder = Path(images).expanduser() if images else base
        super().__init__(require(file, type(self)), require(folder, type(self)))
        self.subset = subset
        if annotations:
            self.card = own_card(file.stem, file)
        elif (split, version, annotations, subset) != ("val", "v1", "", ""):
            named = " ".join(filter(None, [annotations and file.name, split, subset]))
            self.card = replace(self.card, title=f"LVIS {version}", split=named, expected={})

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Image ids, in ascending order; with subset=present those whose file exists."""
        ids = tuple(self.file.images)
        if self.subset == PRESENT:
            ids = tuple(id for id in ids if self.image_path(id).is_file())
        return ids

    def parse(self, path: Path) -> CocoFile:
        """Read an annotation file, and check what the federated evaluation needs."""
        file = super().parse(path)
        if not file.categories:
            raise UserError(f"{file.path} has no categories; give an annotation file of LVIS.")
        used = {a.category for annotations in file.annotations.values() for a in annotations}
        for id in sorted(used):
            _frequency(file.category_entries[id])
        for picture in file.images.values():
            for key in FEDERATED:
                _categories(picture.at[key], file)
        return file

    @cached_property
    def frequencies(self) -> dict[int, str]:
        """Category id -> r, c or f: in 1 to 10, 11 to 100 or more training images."""
        return {id: _frequency(entry) for id, entry in self.file.category_entries.items()}

    def locate(self, entry: At) -> Path:
        """File of an image: COCO's address tells the folder, the entry's file name does not."""
        parts = entry["coco_url"].text().split("/")[-2:]
        if len(parts) != 2:
            entry["coco_url"].expected("an address that ends in <folder>/<file>")
        return inside(self.images, entry["coco_url"], "/".join(parts))

    def read_image(self, id: str) -> NDArray[np.uint8]:
        """The image (H, W, 3) uint8 RGB, from its folder of COCO."""
        path = self.image_path(id)
        if not path.is_file():
            raise UserError(
                f"{path} is missing: LVIS {self.card.split} needs COCO {path.parent.name} images; "
                f"add them, or take the images that are there with subset={PRESENT}."
            )
        return super().read_image(id)

    def read_truth(self, id: str, kind: type[T]) -> T:
        """Instances or phrases; categories not exhaustively annotated are not asked."""
        if kind is not Concepts:
            return super().read_truth(id, kind)
        truth = self._instances(id)
        absent = truth.extra["neg_category_ids"]
        unsure = truth.extra["not_exhaustive_category_ids"]
        return cast(T, from_categories(truth, self.categories, absent=absent, unsure=unsure))

    def beside(self, id: str) -> JSON:
        """The federated categories of an image, and the frequency bucket of each annotation."""
        entry = self.file.images[id].at
        extra: dict[str, Any] = {
            key: tuple(_categories(entry[key], self.file)) for key in FEDERATED
        }
        extra["frequency"] = tuple(
            self.frequencies[annotation.category] for annotation in self.selected(id)
        )
        return super().beside(id) | extra


def _frequency(entry: At) -> str:
    frequency = entry["frequency"].text()
    if frequency not in FREQUENCIES:
        entry["frequency"].expected("r, c or f")
    return frequency


def _categories(at: At, file: CocoFile) -> list[int]:
    """Ids of categories, all of them known."""
    ids = [item.whole() for item in at.items("a list of category ids")]
    for id in ids:
        if id not in file.categories:
            at.fail(f"names category {id}, which the categories do not list")
    return ids
