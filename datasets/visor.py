"""EPIC-KITCHENS VISOR, hands and things in kitchens: number 14 of the 23 of Segment Anything."""

from functools import cached_property
from pathlib import Path

from sambench.data.json_input import At, read
from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard

from ._coco_file import inside
from ._files import files_in, place_of
from ._polygons import Outlined, OutlinedFiles, by_id, corners
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
        frames = (
            self._outlined(entry, source)
            for source in files_in(self.annotations, {".json"})
            for entry in read(source)["video_annotations"].items()
        )
        return by_id((frame.image.stem, frame) for frame in frames)

    def _outlined(self, entry: At, source: Path) -> Outlined:
        folder = self.images / source.stem.split("_")[0] / source.stem
        image = inside(folder, entry["image"]["name"])
        segments = [annotation["segments"].items() for annotation in entry["annotations"].items()]
        return Outlined(image, source, [[corners(part) for part in parts] for parts in segments])

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """All frames, video by video."""
        return tuple(self.outlined)

    def count(self, id: str) -> int:
        """Number of objects."""
        return len(self.outlined[id].objects)
