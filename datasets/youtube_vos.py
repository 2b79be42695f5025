"""YouTube-VOS: clips of which every fifth frame is annotated, with objects that come later."""

from collections.abc import Mapping
from typing import ClassVar

from sambench.interfaces import DatasetCard

from ._split_clips import SplitClips


class YoutubeVos(SplitClips):
    """Clips whose masks are palette PNGs: the value is the object, 0 none.

    Frames are those of ``JPEGImages``: every fifth in the usual archive, all of them where the
    archive of all frames is put in its place.

    Args:
        root: folder with ``train/`` and ``valid/``, each with ``JPEGImages/`` and ``Annotations/``.
        split: "train" or "valid"; of "valid" only the first mask of each object is published.

    Raises:
        UserError: a folder is missing, or the split is unknown.
    """

    card = DatasetCard(
        name="youtube_vos",
        title="YouTube-VOS 2019",
        licence="annotations CC-BY-4.0, for non-commercial research",
        citation="Xu et al., YouTube-VOS: A Large-Scale Video Object Segmentation Benchmark, "
        "arXiv:1809.03327",
        homepage="https://youtube-vos.org/dataset/vos",
        split="valid",
        steps="unpack train.zip and valid.zip of 2019 from the homepage, which asks for an "
        "account, into one folder and give it as root=",
        layout="from documentation",
    )
    clips: ClassVar[Mapping[str, int]] = {"valid": 507, "train": 3471}
    prompts = frozenset({"valid"})
    from_the_first = False

    def __init__(self, root: str = "", split: str = "valid") -> None:
        super().__init__(root, split)
