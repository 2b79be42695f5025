"""SA-Co Gold and Silver: images with noun phrases, of three annotators or one (SAM 3)."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from sambench.data.images import read_rgb
from sambench.data.json_input import At
from sambench.data.sources import data_root, require
from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import JSON, Dataset, DatasetCard, T
from sambench.truths import Concepts

from ._coco_file import CocoFile, Layout, Picture, annotated_instances, inside, read_coco

ANNOTATORS = {"gold": 3, "silver": 1}


class Saco(Dataset):
    """One subset of SA-Co: every image with all its noun phrases.

    The files are COCO's format with an entry in ``images`` for each pair of image and phrase:
    ``text_input`` is the phrase, ``is_instance_exhaustive`` whether all its instances are marked;
    a pair without annotations is a negative. Gold has three files of the same pairs, one for each
    annotator; a pair is exhaustive if all three say so. An image's id is its file name. The boxes
    and areas in the files are relative to the image's size, and not read. Annotations of a crowd
    are left out, as the authors' evaluator does.

    Args:
        subset: part and name as in the names of the files, such as gold_metaclip, gold_fg_food or
            silver_bdd100k.
        root: folder of the annotation files.
        images: folder that the images' file names are relative to; ``<root>/images`` if empty.

    Raises:
        UserError: there is no such subset, or files are missing.
    """

    truths = (Concepts,)
    card = DatasetCard(
        name="saco",
        title="SA-Co, Segment Anything with Concepts",
        licence="annotations as the SAM licence allows; images as their owners say",
        citation="Carion et al., SAM 3: Segment Anything with Concepts, arXiv 2511.16719, 2025",
        homepage="https://github.com/facebookresearch/sam3",
        steps=(
            "put the annotation files (gold_<subset>_merged_<a, b, c>_release_test.json, "
            "silver_<subset>_merged_test.json) of facebook/SACo-Gold and SACo-Silver on Hugging "
            "Face in one folder, the images in images/ below it, and give it as root="
        ),
        layout="from documentation",
    )

    neutral = frozenset({"root", "images", "subset"})  # the subset is its name

    def __init__(self, subset: str = "gold_metaclip", root: str = "", images: str = "") -> None:
        part = subset.partition("_")[0]
        if part not in ANNOTATORS:
            raise UserError(f"subset={subset} is unknown; give gold_<name> or silver_<name>.")
        base = require(data_root("saco", root), type(self))
        self.paths = tuple(sorted(base.glob(f"{subset}*_test.json")))
        if len(self.paths) != ANNOTATORS[part]:
            raise UserError(
                f"{base} has {len(self.paths)} files {subset}*_test.json, {part} needs "
                f"{ANNOTATORS[part]}; to get them: {self.card.steps}."
            )
        self.images = require(Path(images).expanduser() if images else base / "images", type(self))
        self.card = replace(self.card, name=f"saco_{subset}", split="test")

    @cached_property
    def files(self) -> tuple[CocoFile, ...]:
        """The file of each annotator, parsed.

        Raises:
            UserError: a file is malformed, or they are not of the same pairs.
        """
        layout = Layout(self.locate, boxes=False, categories=False)
        files = tuple(read_coco(path, layout) for path in self.paths)
        first = {id: _pair(files[0], id)[:2] for id in files[0].images}
        for file in files[1:]:
            if {id: _pair(file, id)[:2] for id in file.images} != first:
                raise UserError(
                    f"{file.path} and {files[0].path} have other pairs of image and phrase; give "
                    "the files of one release."
                )
        _require_one_size(files[0])
        return files

    def locate(self, entry: At) -> Path:
        """File of an image."""
        return inside(self.images, entry["file_name"])

    @cached_property
    def pairs(self) -> dict[str, list[str]]:
        """Image -> ids of its pairs, in ascending order."""
        found: dict[str, list[str]] = {}
        for id, entry in self.files[0].images.items():
            found.setdefault(entry.at["file_name"].text(), []).append(id)
        return found

    @cached_property
    def phrases(self) -> dict[str, tuple[str, str]]:
        """Id of a pair -> image and phrase: results are by pair."""
        return {id: _pair(self.files[0], id)[:2] for id in self.files[0].images}

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """File names of the images, in the order of their first pairs."""
        return tuple(self.pairs)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the annotation files."""
        return hashlib.sha256(json.dumps([*map(sha256, self.paths)]).encode()).hexdigest()

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self._first(id).path

    def read_image(self, id: str) -> NDArray[np.uint8]:
        """The image (H, W, 3) uint8 RGB; its size must be the annotated one."""
        path, size = self.image_path(id), self._first(id).size
        image = read_rgb(path, annotated=size)
        if image.shape[:2] != size:
            raise UserError(
                f"{path} has size {image.shape[:2]}, but {self.paths[0]} says {size} (height, "
                "width); use the images that belong to this file."
            )
        return image

    def read_truth(self, id: str, kind: type[T]) -> T:
        """The phrases asked of an image, with the masks of each annotator."""
        assert kind is Concepts
        pairs, size = self.pairs[id], self._first(id).size
        truth = Concepts(
            size,
            tuple(_pair(self.files[0], pair).phrase for pair in pairs),
            tuple(tuple(self._masks(pair, size)) for pair in pairs),
            np.array(
                [all(_pair(file, pair).exhaustive for file in self.files) for pair in pairs],
                dtype=bool,
            ),
        )
        return cast(T, truth)

    def _first(self, id: str) -> Picture:
        return self.files[0].images[self.pairs[id][0]]

    def _masks(self, pair: str, size: tuple[int, int]) -> Iterator[tuple[JSON, ...]]:
        """Instances of each annotator."""
        for file in self.files:
            marked = [a for a in file.annotations.get(pair, ()) if not a.crowd]
            yield annotated_instances(size, marked, {}).rles


class Pair(NamedTuple):
    """An image's file name, a phrase, and whether all its instances are marked."""

    name: str
    phrase: str
    exhaustive: bool


def _pair(file: CocoFile, id: str) -> Pair:
    entry = file.images[id].at
    exhaustive = entry["is_instance_exhaustive"].flag()
    return Pair(entry["file_name"].text(), entry["text_input"].text(), exhaustive)


def _require_one_size(file: CocoFile) -> None:
    first: dict[Path, Picture] = {}
    for picture in file.images.values():
        other = first.setdefault(picture.path, picture)
        if other.size != picture.size:
            picture.at.fail(f"is of size {picture.size}, and {other.at.place} of {other.size}")
