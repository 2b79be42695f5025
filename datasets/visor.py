"""EPIC-KITCHENS VISOR, hands and things in kitchens: number 14 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.interfaces import JSON, DatasetCard
from sambench.sources import data_root, require

from ._coco_json import read_json
from ._files import files_in, place_of, read_as
from ._polygons import Outlined, OutlinedFiles, ring
from ._subsample import Sampled


class Visor(Sampled, OutlinedFiles):
    """Sparsely annotated frames of the validation videos, each an image of its own.

    Args:
        root: folder with ``annotations/val/*.json`` and ``rgb_frames/val/P01/P01_107/*.jpg``, or
            the one with ``GroundTruth-SparseAnnotations/``.
        sample: "sa23" for about 10,000 masks, "all" for everything.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="visor",
        title="EPIC-KITCHENS VISOR",
        licence="CC-BY-NC-4.0",
        citation="Darkhalil et al., EPIC-KITCHENS VISOR Benchmark: VIdeo Segmentations and Object "
        "Relations, NeurIPS 2022",
        homepage="https://epic-kitchens.github.io/VISOR",
        split="val",
        steps="download GroundTruth-SparseAnnotations as the homepage tells, unpack each zip of "
        "rgb_frames/val in a folder of its name, give GroundTruth-SparseAnnotations as root=",
        layout="from documentation",
        expected={"images of the paper": 1864, "masks of the paper": 10141},
    )

    def __init__(self, root: str = "", sample: str = "sa23") -> None:
        super().__init__(sample)
        places = ("", "GroundTruth-SparseAnnotations")
        base = place_of("annotations", data_root("visor", root), places)
        self.annotations = require(base / "annotations" / "val", type(self))
        self.images = require(base / "rgb_frames" / "val", type(self))

    @cached_property
    def outlined(self) -> dict[str, Outlined]:
        """Ids are the names of the frames: P01_107_frame_0000000140."""
        found = {}
        for source in files_in(self.annotations, {".json"}):
            content = read_json(source)
            with read_as(source, "annotation file of VISOR"):
                for entry in content["video_annotations"]:
                    name = entry["image"]["name"]
                    found[Path(name).stem] = self._outlined(entry, name, source)
        return found

    def _outlined(self, entry: JSON, name: str, source: Path) -> Outlined:
        video = source.stem
        image = self.images / video.split("_")[0] / video / name
        segments = [annotation["segments"] for annotation in entry["annotations"]]
        return Outlined(image, source, [[ring(points) for points in parts] for parts in segments])

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """All frames, video by video."""
        return tuple(self.outlined)

    def count(self, id: str) -> int:
        """Number of objects."""
        return len(self.outlined[id].objects)
