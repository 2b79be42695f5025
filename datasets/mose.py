"""MOSE: clips of crowded scenes, whose objects are hidden and come back."""

from collections.abc import Mapping
from typing import ClassVar

from sambench.interfaces import DatasetCard

from ._split_clips import SplitClips


class Mose(SplitClips):
    """Clips whose masks are palette PNGs: the value is the object, 0 none.

    Args:
        root: folder with ``train/`` and ``valid/``, each with ``JPEGImages/`` and ``Annotations/``.
        split: "train" or "valid"; of "valid" only the masks of first frames are published.

    Raises:
        UserError: a folder is missing, or the split is unknown.
    """

    card = DatasetCard(
        name="mose",
        title="MOSE, complex video object segmentation",
        licence="CC-BY-NC-SA-4.0",
        citation="Ding et al., MOSE: A New Dataset for Video Object Segmentation in Complex "
        "Scenes, ICCV 2023",
        homepage="https://henghuiding.github.io/MOSE",
        split="valid",
        steps="unpack train.tar.gz and valid.tar.gz of the homepage into one folder and give it as "
        "root=",
        layout="from documentation",
    )
    clips: ClassVar[Mapping[str, int]] = {"valid": 311, "train": 1507}
    prompts = frozenset({"valid"})

    def __init__(self, root: str = "", split: str = "valid") -> None:
        super().__init__(root, split)
