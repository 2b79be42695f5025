"""OVIS, objects that hide each other: number 11 of the 23 of Segment Anything."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sambench.data.json_input import At, read
from sambench.data.json_masks import check_runs
from sambench.data.sources import data_root, require
from sambench.interfaces import DatasetCard
from sambench.truths import Instances

from ._coco_file import distinct, inside, order, size_of
from ._files import InstanceFiles
from ._instances import from_rles, without_empty
from ._outlines import read_outline, to_rle
from ._subsample import Sampled


@dataclass(frozen=True)
class Frame:
    """One frame: its file and size, segmentations and their categories."""

    image: Path
    size: tuple[int, int]
    segmentations: list[At]
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
        top = read(self.source)
        tracks: dict[str, list[At]] = defaultdict(list)
        for track in top["annotations"].items():
            tracks[str(track["video_id"].id())].append(track)
        videos = sorted(distinct(top["videos"]), key=lambda video: order(video["id"].id()))
        found: dict[str, Frame] = {}
        for video in videos:
            found |= self._frames_of(video, tracks.pop(str(video["id"].id()), []))
        for strange in tracks.values():
            strange[0]["video_id"].fail("names a video that the file does not list")
        return found

    def _frames_of(self, video: At, tracks: list[At]) -> dict[str, Frame]:
        """Ids are the path without ending, with - for /."""
        size, files = size_of(video), video["file_names"].items()
        drawn = [self._drawn(track, len(files)) for track in tracks]
        categories = [track["category_id"].whole() for track in tracks]
        found: dict[str, Frame] = {}
        for i, file in enumerate(files):
            seen = [n for n, masks in enumerate(drawn) if masks[i].value is not None]
            id = Path(file.text()).with_suffix("").as_posix().replace("/", "-")
            if id in found:
                file.fail(f"is listed twice, or gets the id {id} of another frame", "rename one")
            found[id] = Frame(
                inside(self.images, file),
                size,
                [drawn[n][i] for n in seen],
                [categories[n] for n in seen],
            )
        return found

    @staticmethod
    def _drawn(track: At, frames: int) -> list[At]:
        """The segmentation of each frame."""
        masks = track["segmentations"].items()
        if len(masks) != frames:
            track.fail(f"has {len(masks)} segmentations for {frames} frames of its video")
        return masks

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
        outlines = [read_outline(at, frame.size) for at in frame.segmentations]
        check_runs(
            (at, outline)
            for at, outline in zip(frame.segmentations, outlines, strict=True)
            if isinstance(outline, dict)
        )
        rles = [to_rle(outline, frame.size) for outline in outlines]
        return without_empty(from_rles(frame.size, rles, categories=frame.categories))
