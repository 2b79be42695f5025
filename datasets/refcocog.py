"""RefCOCOg: longer expressions, written without a game."""

from dataclasses import replace
from typing import Literal

from sambench.interfaces import DatasetCard

from ._referring import Referring, Wording


class Refcocog(Referring):
    """Expressions of whole sentences.

    Args:
        root: folder with ``refcocog/refs(umd).p``, ``refcocog/instances.json``, and the images of
            COCO's train2014 in ``images/train2014``.
        split: val, test (of umd) or train.
        by: who split them: umd has val and test, google val alone, by another split of objects.
        images: folder of COCO's train2014, where it is another.
        wording: raw as people wrote it, or sent as the authors cleaned it.

    Raises:
        UserError: files are missing, or there are no expressions of the split.
    """

    card = DatasetCard(
        name="refcocog",
        title="RefCOCOg",
        licence="expressions Apache-2.0; COCO's images under Flickr's terms of use",
        citation="Mao et al., Generation and Comprehension of Unambiguous Object Descriptions, "
        "CVPR 2016",
        homepage="https://github.com/lichengunc/refer",
        split="val",
        steps="unpack refcocog.zip of the homepage and COCO's train2014 in one folder "
        "and give it as root=",
        layout="from documentation",
    )
    folder = "refcocog"

    def __init__(
        self,
        root: str = "",
        split: str = "val",
        by: Literal["umd", "google"] = "umd",
        images: str = "",
        wording: Wording = "raw",
    ) -> None:
        self._by = by
        super().__init__(root, split, images, wording)
        self.card = replace(self.card, split=f"{split}, {by}")
