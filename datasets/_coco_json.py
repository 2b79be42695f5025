"""Datasets whose annotations are one COCO-format JSON, read image by image."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from sambench.data.images import read_rgb
from sambench.data.json_input import At
from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import JSON, Dataset, DatasetCard, T
from sambench.truths import Instances, Segments

from ._coco_file import Annotation, CocoFile, Layout, annotated_instances, inside, read_coco
from ._instances import without_empty
from ._segments import from_instances


def own_card(name: str, file: Path) -> DatasetCard:
    """The card of the user's own data in a file of COCO's format."""
    title = f"{file.name} (COCO format)"
    return DatasetCard(name, title, "as its owner says", "none", own=True)


class CocoJson(Dataset):
    """A dataset whose annotations are one COCO-format JSON; subclasses say where the files are.

    Images come in ascending order of their id. Boxes and areas are as annotated, or those of the
    mask where the file has none.

    Args:
        annotations: the JSON file.
        images: folder that the images' file names are relative to.
    """

    truths: tuple[type, ...] = (Instances,)
    outlined: ClassVar[bool] = True
    """Whether an annotation that encloses nothing is refused."""

    def __init__(self, annotations: Path, images: Path) -> None:
        self.annotations, self.images = annotations, images

    @cached_property
    def file(self) -> CocoFile:
        """The annotation file, parsed and checked."""
        return self.parse(self.annotations)

    def parse(self, path: Path) -> CocoFile:
        """Read an annotation file."""
        return read_coco(path, Layout(self.locate, outlined=self.outlined))

    def locate(self, entry: At) -> Path:
        """File of an image, from its entry in the annotation file."""
        return inside(self.images, entry["file_name"])

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Image ids as strings, in ascending order."""
        return tuple(self.file.images)

    @property
    def categories(self) -> dict[int, str]:
        """Category id -> name."""
        return self.file.categories

    def annotated(self, ids: Sequence[str]) -> tuple[int, int]:
        """Number of objects and of crowd regions in these images."""
        listed = [annotation for id in ids for annotation in self.selected(id)]
        crowds = sum(annotation.crowd for annotation in listed)
        return len(listed) - crowds, crowds

    @property
    def truth_files(self) -> tuple[Path, ...]:
        """The files that annotations are read from."""
        return (self.annotations,)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the JSON file and the ids in use."""
        text = json.dumps([*map(sha256, self.truth_files), list(self.ids)])
        return hashlib.sha256(text.encode()).hexdigest()

    def image_path(self, id: str) -> Path:
        """File of an image."""
        return self.file.images[id].path

    def read_image(self, id: str) -> NDArray[np.uint8]:
        """The image (H, W, 3) uint8 RGB; its size must be the annotated one."""
        path, size = self.image_path(id), self.file.images[id].size
        image = read_rgb(path, annotated=size)
        if image.shape[:2] != size:
            raise UserError(
                f"{path} has size {image.shape[:2]}, but {self.annotations} says {size} (height, "
                "width); use the images that belong to this file."
            )
        return image

    def read_truth(self, id: str, kind: type[T]) -> T:
        """Instances of an image, or segments: instances laid over each other, the rest void."""
        if kind is Segments:
            return cast(T, from_instances(self._instances(id)))
        assert kind is Instances
        return cast(T, self._instances(id))

    def selected(self, id: str) -> list[Annotation]:
        """The annotations of an image that count."""
        return self.file.annotations.get(id, [])

    def beside(self, id: str) -> JSON:
        """What goes to `Instances.extra`."""
        return {"image_id": self.file.images[id].id}

    def _instances(self, id: str) -> Instances:
        size = self.file.images[id].size
        return annotated_instances(size, self.selected(id), self.beside(id))


class PromptableCoco(CocoJson):
    """The same without annotations whose mask has no pixel: nothing could be clicked."""

    outlined = False

    def selected(self, id: str) -> list[Annotation]:
        """Annotations that have an outline."""
        return [annotation for annotation in super().selected(id) if annotation.outline]

    def _instances(self, id: str) -> Instances:
        return without_empty(super()._instances(id))
