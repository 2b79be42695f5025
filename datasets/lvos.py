"""LVOS: clips of minutes, whose objects leave for long and come back."""

from collections.abc import Mapping
from typing import ClassVar

from sambench.interfaces import DatasetCard

from ._clips import VOID
from ._split_clips import SplitClips


class Lvos(SplitClips):
    """Clips whose masks are palette PNGs: the value is the object, 0 none, 255 void.

    Args:
        root: folder with ``train/``, ``val/`` and ``test/``, each with ``JPEGImages/`` and
            ``Annotations/``.
        split: "val", "train" or "test"; of "test" only the masks of first frames are published.

    Raises:
        UserError: a folder is missing, or the split is unknown.
    """

    card = DatasetCard(
        name="lvos",
        title="LVOS v2, long-term video object segmentation",
        licence="annotations CC-BY-4.0; data for non-commercial research",
        citation="Hong et al., LVOS: A Benchmark for Large-scale Long-term Video Object "
        "Segmentation, PAMI 2025",
        homepage="https://lingyihongfd.github.io/lvos.github.io",
        split="val",
        steps="unpack the archives of V2 that the homepage links into one folder and give it as "
        "root=",
        layout="from documentation",
    )
    clips: ClassVar[Mapping[str, int]] = {"val": 140, "train": 420, "test": 160}
    prompts = frozenset({"test"})
    void = VOID
    from_the_first = False

    def __init__(self, root: str = "", split: str = "val") -> None:
        super().__init__(root, split)
