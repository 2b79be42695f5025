"""A layout of two folders, frames and masks, in the folder of a split: YouTube-VOS, MOSE, LVOS."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from sambench.data.sources import data_root, require
from sambench.errors import UserError

from ._clips import LabelClips, folders_in
from ._numbered import NumberReading


class SplitClips(LabelClips):
    """Clips of ``<split>/JPEGImages/<clip>/`` with masks in ``<split>/Annotations/<clip>/``."""

    clips: ClassVar[Mapping[str, int]]
    """How many clips each split has."""
    prompts: ClassVar[frozenset[str]]
    """Splits whose masks are published only as prompts: nothing can be scored here."""
    void: ClassVar[int] = 0

    def __init__(self, root: str, split: str) -> None:
        if split not in self.clips:
            raise UserError(f"split={split} is unknown; give {' or '.join(self.clips)}.")
        base = data_root(self.card.name, root) / split
        self.frames = require(base / "JPEGImages", type(self))
        self.masks = require(base / "Annotations", type(self))
        self.labels = NumberReading(void=self.void, prompts=split in self.prompts)
        note = (
            "Masks of this split are published only where objects are prompted; its server scores."
            if split in self.prompts
            else ""
        )
        expected = {"clips": self.clips[split]}
        self.card = replace(self.card, split=split, note=note, expected=expected)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of the clips, sorted."""
        return tuple(folders_in(self.masks))

    def frames_folder(self, id: str) -> Path:
        """Where the frames of a clip are."""
        return self.frames / id

    def masks_folder(self, id: str) -> Path:
        """Where its masks are."""
        return self.masks / id
