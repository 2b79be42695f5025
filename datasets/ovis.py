"""OVIS, objects that hide each other: number 11 of the 23 of Segment Anything."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sambench.interfaces import JSON, DatasetCard, Instances
from sambench.sources import data_root, require

from ._coco_json import read_json, to_rle
from ._files import InstanceFiles, read_as
from ._instances import from_rles, without_empty
from ._subsample import Sampled


@dataclass(frozen=True)
class Frame:
    """One frame: its file and size, segmentations and their categories."""

    image: Path
    size: tuple[int, int]
    segmentations: list[Any]
    categories: list[int]


class Ovis(Sampled, InstanceFiles):
    """Frames of the training videos, each an image of its own.

    Args:
        root: folder with ``annotations_train.json`` and ``train/``.
        sample: "sa23" for about 10,000 masks, "all" for everything.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="ovis",
        title="Occluded Video Instance Segmentation",
        licence="CC-BY-NC-SA-4.0",
        citation="Qi et al., Occluded Video Instance Segmentation: A Benchmark, IJCV 2022",
        homepage="https://songbai.site/ovis",
        split="train",
        steps="unpack train.zip of the homepage beside annotations_train.json, give their folder "
        "as root=",
        layout="from documentation",
        expected={"images of the paper": 2044, "masks of the paper": 10011},
    )

    def __init__(self, root: str = "", sample: str = "sa23") -> None:
        super().__init__(sample)
        base = data_root("ovis", root)
        self.source = require(base / "annotations_train.json", type(self))
        self.images = require(base / "train", type(self))

    @cached_property
    def _frames(self) -> dict[str, Frame]:
        content = read_json(self.source)
        with read_as(self.source, "annotation file of OVIS"):
            tracks = defaultdict(list)
            for track in content["annotations"]:
                tracks[track["video_id"]].append(track)
            found: dict[str, Frame] = {}
            for video in sorted(content["videos"], key=lambda video: video["id"]):
                found |= self._frames_of(video, tracks[video["id"]])
        return found

    def _frames_of(self, video: JSON, tracks: list[JSON]) -> dict[str, Frame]:
        """Ids are the path without ending, with - for /."""
        size = (int(video["height"]), int(video["width"]))
        found = {}
        for i, name in enumerate(video["file_names"]):
            seen = [track for track in tracks if track["segmentations"][i] is not None]
            id = Path(name).with_suffix("").as_posix().replace("/", "-")
            found[id] = Frame(
                self.images / name,
                size,
                [track["segmentations"][i] for track in seen],
                [track["category_id"] for track in seen],
            )
        return found

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """Frames, video by video."""
        return tuple(self._frames)

    def count(self, id: str) -> int:
        """Number of objects in view."""
        return len(self._frames[id].segmentations)

    def image_path(self, id: str) -> Path:
        """File of a frame."""
        return self._frames[id].image

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The annotation file."""
        return (self.source,)

    def instances(self, id: str) -> Instances:
        """Objects in view, in the order of their tracks."""
        frame = self._frames[id]
        with read_as(self.source, "annotation file of OVIS"):
            rles = [to_rle(segmentation, *frame.size) for segmentation in frame.segmentations]
        return without_empty(from_rles(frame.size, rles, categories=frame.categories))
