"""DAVIS 2016: fifty clips, one foreground object each, every frame annotated."""

from collections.abc import Mapping
from typing import ClassVar

from ._davis import Davis
from ._davis import card as davis_card
from ._numbered import NumberReading


class Davis2016(Davis):
    """Clips whose masks have one object, whatever is not 0, be it in several parts.

    Args:
        root: folder with ``JPEGImages/480p/``, ``Annotations/480p/`` and ``ImageSets/``.
        split: "val" or "train" by the list in ``ImageSets/``, "trainval" for both, or "all" for
            every clip that has a folder of masks: no list is needed then.

    Raises:
        UserError: a folder or the list is missing, or the split is unknown.
    """

    card = davis_card(
        "davis2016",
        "DAVIS 2016",
        "Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object "
        "Segmentation, CVPR 2016",
        layout="verified on real files",
        seen="six clips of val as published, with masks of 0 and 255: names, sizes and numbers of "
        "frames; J and F of the masks that come with davis2017-evaluation, against its own",
    )
    clips: ClassVar[Mapping[str, int]] = {"val": 20, "train": 30, "trainval": 50}
    lists = ("ImageSets/2016/{}.txt", "ImageSets/480p/{}.txt")
    labels = NumberReading(merged=True)
