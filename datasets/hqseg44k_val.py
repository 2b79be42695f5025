"""HQSeg-44K, validation: the images of four fine-grained sets as one, for clicks."""

from functools import cached_property
from pathlib import Path

from sambench.data.images import read_rgb
from sambench.data.sources import data_root
from sambench.interfaces import JSON, DatasetCard
from sambench.truths import Instances

from ._files import InstanceFiles
from ._fine import RELEASE, STEPS
from ._instances import encode, from_rles
from ._pairs import PairedFiles
from .coift import Coift
from .dis import Dis
from .hrsod import Hrsod
from .thinobject import Thinobject

PARTS = (Dis, Thinobject, Coift, Hrsod)


class Hqseg44kVal(InstanceFiles):
    """The 1537 images of dis, thinobject, coift and hrsod, each of which counts the same.

    SegNext's evaluation: any value but black is the object, and means are over all images. HQ-SAM's
    own takes what is brighter than 128 and the mean of the four sets' means: the suite hqseg44k.

    Args:
        root: the folder that holds ``DIS5K/`` and ``thin_object_detection/``.

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="hqseg44k_val",
        title="HQSeg-44K, validation images as one set",
        licence="as the authors of its parts say; for research",
        citation="Ke et al., Segment Anything in High Quality, NeurIPS 2023; as one set: Liu et "
        "al., Rethinking Interactive Image Segmentation, CVPR 2024",
        homepage=RELEASE,
        split="val",
        steps=STEPS,
        layout="from documentation",
        expected={"images": 1537, "masks": 1537},
    )

    def __init__(self, root: str = "") -> None:
        base = str(data_root(self.card.name, root))
        self.parts: dict[str, PairedFiles] = {part.card.name: part(base) for part in PARTS}

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Name of the part and of the image, such as dis/1#Accessories."""
        return tuple(f"{name}/{id}" for name, part in self.parts.items() for id in part.ids)

    def _part(self, id: str) -> tuple[PairedFiles, str]:
        name, _, own = id.partition("/")
        return self.parts[name], own

    def image_path(self, id: str) -> Path:
        """File of an image."""
        part, own = self._part(id)
        return part.image_path(own)

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The mask of an image."""
        part, own = self._part(id)
        return part.truth_paths(own)

    def reading(self) -> JSON:
        """How mask values are understood."""
        return {"reader": type(self).__name__}

    def instances(self, id: str) -> Instances:
        """One object."""
        brightest = read_rgb(self.truth_paths(id)[0]).max(axis=2)
        height, width = brightest.shape
        return from_rles((height, width), [encode(brightest)])
