"""SA-V: clips of everyday scenes with masks of anything, whole objects and parts, six a second."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, cast

from sambench.data.images import Decoding
from sambench.data.json_input import At, read
from sambench.data.json_masks import check_runs, read_run_lengths
from sambench.data.sources import data_root, require
from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import JSON, DatasetCard, T
from sambench.shown import RLE
from sambench.video import Clip, ClipDataset, FileClip, Tracks

from ._clips import folders_in, in_time, listed, masks_of_frames
from ._files import IMAGES, files_in
from ._movie import Movie
from ._numbered import SingleReading

EVERY = 4
"""Of 24 frames a second of training videos six are annotated."""
ANNOTATORS = ("manual", "auto")
SEEN = (
    "run lengths, not video, of one training clip, which the authors give as an example: first "
    "frames and mean areas of its five objects are those that its file states"
)


class Sav(ClipDataset):
    """Clips with masks that may overlap.

    Of "val" and "test" frames are files, and each object has a folder of masks of its own, 0 and
    anything else, for every fourth frame; its number is the name of the folder, from 000. Of
    "train" frames are in ``<clip>.mp4``, of which every fourth is read, and masks are COCO run
    lengths in ``<clip>_manual.json`` or ``<clip>_auto.json``, a list for each of these frames.

    Args:
        root: folder of ``sav_val/`` and ``sav_test/``, each with its list of clips,
            ``JPEGImages_24fps/`` and ``Annotations_6fps/``; of "train" the folder of the files.
        split: "val", "test" or "train".
        by: of "train", masks that people drew ("manual") or a model made ("auto").

    Raises:
        UserError: a folder is missing, or an option is unknown.
    """

    card = DatasetCard(
        name="sav",
        title="SA-V, Segment Anything Video",
        licence="CC-BY-4.0",
        citation="Ravi et al., SAM 2: Segment Anything in Images and Videos, ICLR 2025",
        homepage="https://ai.meta.com/datasets/segment-anything-video",
        split="val",
        steps="fetch the archives of the homepage, which asks for consent, unpack them into one "
        "folder and give it as root=",
        layout="from documentation",
        expected={"clips": 155},
    )
    clips: ClassVar[Mapping[str, int]] = {"val": 155, "test": 150, "train": 50583}

    def __init__(self, root: str = "", split: str = "val", by: str = "manual") -> None:
        if split not in self.clips:
            raise UserError(f"split={split} is unknown; give {', '.join(self.clips)}.")
        if by not in ANNOTATORS:
            raise UserError(f"by={by} is unknown; give {' or '.join(ANNOTATORS)}.")
        base = data_root("sav", root)
        self.split, self.by = split, by
        self.base = base if split == "train" else base / f"sav_{split}"
        require(self.base, type(self))
        self.card = replace(self.card, split=split, expected={"clips": self.clips[split]})
        if split == "train":
            self.card = replace(self.card, layout="verified on real files", seen=SEEN)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the clips, in the order of the list; of "train" sorted."""
        if self.split != "train":
            return tuple(listed(self.base / f"sav_{self.split}.txt"))
        ending = f"_{self.by}.json"
        names = (path.name for path in files_in(self.base, (".json",)))
        return tuple(name.removesuffix(ending) for name in names if name.endswith(ending))

    def clip(self, id: str) -> Clip:
        """The frames of a clip: all 24 a second, of "train" the six that are annotated."""
        if self.split == "train":
            return Movie(self.base / f"{id}.mp4", EVERY)
        return FileClip(self._frames(id), Decoding())

    def _frames(self, id: str) -> list[Path]:
        folder = self.base / "JPEGImages_24fps" / id
        paths = in_time(files_in(folder, IMAGES))
        if not paths:
            raise UserError(f"{folder} has no frames; fetch them again.")
        return paths

    def image_path(self, id: str) -> Path:
        """File of the first frame, or of all."""
        return self.base / f"{id}.mp4" if self.split == "train" else self._frames(id)[0]

    def read_truth(self, id: str, kind: type[T]) -> T:
        """The tracks of a clip."""
        assert kind is Tracks
        return cast(T, self._from_json(id) if self.split == "train" else self._from_folders(id))

    def _from_folders(self, id: str) -> Tracks:
        """Each object's folder; frames without a file in it are not annotated."""
        clip = FileClip(self._frames(id), Decoding())
        tracks: dict[int, tuple[RLE | None, ...]] = {}
        for number, masks in self._folders(id, clip.names).items():
            own = SingleReading().tracks(clip, masks)
            if not own.masks:
                raise UserError(
                    f"{next(iter(masks.values())).parent} shows its object in no frame; fetch it "
                    "again."
                )
            tracks[number] = own.masks[1]
        return Tracks(clip.names, clip.size, tracks)

    def _folders(self, id: str, names: Sequence[str]) -> dict[int, dict[int, Path]]:
        """Object -> its masks by the places of their frames."""
        folder = self.base / "Annotations_6fps" / id
        objects = folders_in(folder)
        odd = [name for name in objects if not name.isdecimal()]
        if odd or not objects:
            what = f"the folder {odd[0]}, which numbers no object" if odd else "no object's folder"
            raise UserError(f"{folder} has {what}; objects are in folders 000, 001 and so on.")
        twice = [name for name in objects if [*map(int, objects)].count(int(name)) > 1]
        if twice:
            raise UserError(f"{folder} has {' and '.join(twice)}, both of one object; keep one.")
        return {int(name): masks_of_frames(folder / name, names, first=False) for name in objects}

    def _from_json(self, id: str) -> Tracks:
        """Run lengths: the list of a frame has one of each object."""
        top = read(self.base / f"{id}_{self.by}.json")
        size = top["video_height"].whole(1), top["video_width"].whole(1)
        ids = [each.whole(0) for each in top["masklet_id"].items()]
        if len(set(ids)) != len(ids):
            top["masklet_id"].fail("names an object twice")
        rows = top["masklet"].items()
        stated = top.get("video_frame_count")
        if stated and len(rows) != -(-stated.whole(1) // EVERY):
            top["masklet"].fail(
                f"has masks of {len(rows)} frames, where the video has {stated.whole()}, every "
                f"{EVERY}th of which is annotated", "fetch it again",
            )  # fmt: skip
        found: list[list[RLE]] = []
        for row in rows:
            own = row.items()
            if len(own) != len(ids):
                row.fail(f"has {len(own)} masks for the {len(ids)} objects of masklet_id")
            found.append(self._checked(own, size))
        names = tuple(f"{i * EVERY:05}" for i in range(len(rows)))
        masks = {number: tuple(row[place] for row in found) for place, number in enumerate(ids)}
        return Tracks(names, size, masks)

    @staticmethod
    def _checked(row: list[At], size: tuple[int, int]) -> list[RLE]:
        rles = [read_run_lengths(at, size) for at in row]
        check_runs(zip(row, rles, strict=True))
        return rles

    def truth_paths(self, id: str) -> tuple[Path, ...]:
        """The files that the tracks of a clip are read from."""
        if self.split == "train":
            return (self.base / f"{id}_{self.by}.json",)
        folders = self._folders(id, [path.stem for path in self._frames(id)])
        return tuple(path for masks in folders.values() for path in masks.values())

    def reading(self) -> JSON:
        """How files are understood."""
        return {"reader": "sav", "split": self.split, "by": self.by}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the reading, the clips, the names of frames and the annotations."""
        whole = hashlib.sha256(json.dumps(self.reading(), sort_keys=True).encode())
        for id in self.ids:
            train = self.split == "train"
            frames = [] if train else [path.stem for path in self._frames(id)]
            masks = [
                [path.parent.name, path.stem, sha256(path)] if not train else sha256(path)
                for path in self.truth_paths(id)
            ]
            whole.update(json.dumps([id, frames, masks]).encode())
        return whole.hexdigest()
