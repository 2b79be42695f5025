"""LVIS v0.5 validation: number 6 of the 23 of Segment Anything."""

from dataclasses import replace
from functools import cached_property
from typing import ClassVar

from sambench.data.sources import Source
from sambench.interfaces import DatasetCard

from ._subsample import Sampled
from .lvis import Lvis


class LvisV05(Sampled, Lvis):
    """LVIS v0.5 validation, or a sample of it.

    Args:
        root: folder with ``lvis_v0.5_val.json`` and ``val2017/``.
        sample: "sa23" for about 10,000 masks, "all" for everything.

    Raises:
        UserError: files are missing.
    """

    card = DatasetCard(
        name="lvis_v05",
        title="LVIS v0.5",
        licence=Lvis.card.licence,
        citation=Lvis.card.citation,
        homepage=Lvis.card.homepage,
        split="val",
        steps="unpack https://dl.fbaipublicfiles.com/LVIS/lvis_v0.5_val.json.zip in one folder "
        "with COCO's val2017 and give it as root=",
        layout="verified on real files",
        seen="100 validation entries, 64 of them with images: 977 masks, as lvis reads them",
        expected={"images of the paper": 945, "masks of the paper": 9642},
    )
    sources: ClassVar[tuple[Source, ...]] = ()

    def __init__(self, root: str = "", sample: str = "sa23") -> None:
        Sampled.__init__(self, sample)
        Lvis.__init__(self, root, version="v0.5")
        self.card = replace(type(self).card)

    @cached_property
    def everything(self) -> tuple[str, ...]:
        """All image ids, in ascending order."""
        return tuple(self.file.images)

    def count(self, id: str) -> int:
        """Number of annotations."""
        return len(self.selected(id))
