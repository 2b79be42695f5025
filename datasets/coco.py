"""COCO, and any annotation file of COCO's format with its folder of images."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, cast

from sambench.data.sources import Source, data_root, require
from sambench.errors import UserError
from sambench.interfaces import DatasetCard, T
from sambench.truths import Concepts, Instances, Segments

from ._coco_file import CocoFile, Picture
from ._coco_json import CocoJson, own_card
from ._concepts import from_categories

BUCKET = "https://s3.amazonaws.com/images.cocodataset.org"
"""The official server's storage, which also answers to https."""
EXPECTED = {
    "val2017": {"images": 5000, "masks": 36781},
    "train2017": {"images": 118287, "masks": 860001},
}
"""With crowd regions."""


class Coco(CocoJson):
    """COCO 2017 instances; or your own data in the same format.

    Every category is annotated in every image, so the name of one without annotations is a negative
    phrase. A category with a crowd region is not exhaustive: its instances are not separated.

    Args:
        root: folder with ``annotations/instances_<split>.json`` and ``<split>/*.jpg``.
        split: val2017 or train2017.
        annotations: your own file of COCO's format, instead of root and split.
        images: folder that the file names in it are relative to.

    Raises:
        UserError: files are missing, or only one of annotations and images is given.
    """

    truths: tuple[type, ...] = (Instances, Concepts, Segments)
    neutral = frozenset({"root", "annotations", "images"})
    card = DatasetCard(
        name="coco",
        title="Microsoft COCO 2017 instances",
        licence="annotations CC-BY-4.0; images under Flickr's terms of use",
        citation="Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014",
        homepage="https://cocodataset.org",
        split="val2017",
        steps=(
            "unpack http://images.cocodataset.org/zips/val2017.zip and "
            "http://images.cocodataset.org/annotations/annotations_trainval2017.zip in one folder "
            "and give it as root="
        ),
        layout="verified on real files",
        seen="215 images of train2017: masks, areas, boxes and categories are those of pycocotools",
        expected=EXPECTED["val2017"],
    )
    # Hashes as TensorFlow Datasets publishes them for the same files under images.cocodataset.org.
    sources: ClassVar[tuple[Source, ...]] = (
        Source(
            f"{BUCKET}/zips/val2017.zip",
            "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
            megabytes=816,
        ),
        Source(
            f"{BUCKET}/annotations/annotations_trainval2017.zip",
            "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
            megabytes=253,
        ),
    )

    def __init__(
        self, root: str = "", split: str = "val2017", annotations: str = "", images: str = ""
    ) -> None:
        if bool(annotations) != bool(images):
            raise UserError("annotations= and images= go together: give both or neither.")
        if annotations:
            file, folder = Path(annotations).expanduser(), Path(images).expanduser()
        else:
            base = data_root("coco", root)
            file, folder = base / "annotations" / f"instances_{split}.json", base / split
        super().__init__(require(file, type(self)), require(folder, type(self)))
        if annotations:
            self.card = own_card(file.stem, file)
        elif _is_coco(self.file.images.values(), split):
            self.card = replace(self.card, split=split, expected=EXPECTED.get(split, {}))
        else:
            self.card = own_card(base.resolve().name, file)

    def parse(self, path: Path) -> CocoFile:
        """Read an annotation file, in which each image has one entry."""
        found = super().parse(path)
        _refuse_file_twice(found.images.values())
        return found

    def read_truth(self, id: str, kind: type[T]) -> T:
        """Instances, segments or phrases; categories with a crowd region are not asked."""
        if kind is not Concepts:
            return super().read_truth(id, kind)
        truth = self._instances(id)
        absent = self.categories.keys() - set(truth.categories.tolist())
        crowds = truth.categories[truth.crowd].tolist()
        return cast(T, from_categories(truth, self.categories, absent=absent, unsure=crowds))


def _refuse_file_twice(images: Iterable[Picture]) -> None:
    """As merging two files does: each entry would count, with a part of the objects."""
    first: dict[Path, Picture] = {}
    for picture in images:
        other = first.setdefault(picture.path, picture)
        if other is not picture:
            picture.at["file_name"].fail(
                f"is {picture.at['file_name'].value}, which {other.at.place} names too",
                "give each image one entry",
            )


def _is_coco(images: Iterable[Picture], split: str) -> bool:
    """Whether images are COCO's, or a part of them: each says so itself, by its name and address.

    Whose data are laid out as COCO's are not called so.
    """
    return all(
        isinstance(picture.id, int)
        and picture.at.value["file_name"] == f"{picture.id:012d}.jpg"
        and str(picture.at.value.get("coco_url", "")).endswith(f"/{split}/{picture.id:012d}.jpg")
        for picture in images
    )
