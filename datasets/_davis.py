"""The layout of DAVIS: folders of frames and of masks for a resolution, and lists of clips."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from sambench.data.sources import data_root, require
from sambench.errors import UserError
from sambench.interfaces import DatasetCard

from ._clips import LabelClips, folders_in, listed

RESOLUTION = "480p"
"""What every published number is measured at."""
ALL = "all"


def card(name: str, title: str, citation: str, layout: str, seen: str = "") -> DatasetCard:
    """What both years have in common."""
    return DatasetCard(
        name=name,
        title=f"{title}, {RESOLUTION}",
        licence="CC-BY-NC-4.0",
        citation=citation,
        homepage="https://davischallenge.org",
        split="val",
        steps=f"unpack the archive of TrainVal, {RESOLUTION}, from the homepage and give its "
        "folder DAVIS as root=",
        layout=layout,
        seen=seen,
    )


class Davis(LabelClips):
    """Clips of one year, see there."""

    clips: ClassVar[Mapping[str, int]]
    """How many clips each split has."""
    lists: ClassVar[tuple[str, ...]]
    """Where the list of a split may be, below root."""

    def __init__(self, root: str = "", split: str = "val") -> None:
        if split not in (*self.clips, ALL):
            raise UserError(f"split={split} is unknown; give {', '.join(self.clips)} or {ALL}.")
        base = data_root(self.card.name, root)
        self.frames = require(base / "JPEGImages" / RESOLUTION, type(self))
        self.masks = require(base / "Annotations" / RESOLUTION, type(self))
        self.base, self.split = base, split
        expected = {} if split == ALL else {"clips": self.clips[split]}
        self.card = replace(self.card, split=split, expected=expected)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the clips in the order of the list, or sorted."""
        if self.split == ALL:
            return tuple(folders_in(self.masks))
        parts = ("train", "val") if self.split == "trainval" else (self.split,)
        return tuple(name for part in parts for name in listed(self._list(part)))

    def _list(self, split: str) -> Path:
        places = [self.base / place.format(split) for place in self.lists]
        found = next((path for path in places if path.is_file()), None)
        if found is None:
            raise UserError(
                f"{places[0]}, the list of clips, is missing; take it from the archive, or give "
                f"split={ALL} for every clip that has masks."
            )
        return found

    def frames_folder(self, id: str) -> Path:
        """Where the frames of a clip are."""
        return self.frames / id

    def masks_folder(self, id: str) -> Path:
        """Where its masks are."""
        return self.masks / id
