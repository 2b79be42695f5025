"""DAVIS 2017: clips of several objects, every frame annotated."""

from collections.abc import Mapping
from typing import ClassVar

from ._clips import VOID
from ._davis import Davis
from ._davis import card as davis_card
from ._numbered import NumberReading


class Davis2017(Davis):
    """Clips whose masks are palette PNGs: the value is the object, 0 none, 255 void.

    Void is kept apart in `Tracks.void`; davis2017-evaluation counts it as background when the first
    mask is given, and leaves it out when it is not (its unsupervised task).

    Args:
        root: folder with ``JPEGImages/480p/``, ``Annotations/480p/`` and ``ImageSets/2017/``.
        split: "val" or "train" by the list in ``ImageSets/2017/``, "trainval" for both, or "all"
            for every clip that has a folder of masks: no list is needed then.

    Raises:
        UserError: a folder or the list is missing, or the split is unknown.
    """

    card = davis_card(
        "davis2017",
        "DAVIS 2017",
        "Pont-Tuset et al., The 2017 DAVIS Challenge on Video Object Segmentation, "
        "arXiv:1704.00675",
        layout="from documentation",
    )
    clips: ClassVar[Mapping[str, int]] = {"val": 30, "train": 60, "trainval": 90}
    lists = ("ImageSets/2017/{}.txt",)
    labels = NumberReading(void=VOID)
