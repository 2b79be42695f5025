"""RefCOCO+: as RefCOCO, without words of place."""

from sambench.interfaces import DatasetCard

from ._referring import Referring


class RefcocoPlus(Referring):
    """Expressions that say what an object looks like, as places were not allowed.

    Args:
        root: folder with ``refcoco+/refs(unc).p``, ``refcoco+/instances.json``, and the images of
            COCO's train2014 in ``images/train2014``.
        split: val, testA (people), testB (other objects) or train.
        images: folder of COCO's train2014, where it is another.
        wording: raw as people wrote it, or sent as the authors cleaned it.

    Raises:
        UserError: files are missing, or there are no expressions of the split.
    """

    card = DatasetCard(
        name="refcocoplus",
        title="RefCOCO+",
        licence="expressions Apache-2.0; COCO's images under Flickr's terms of use",
        citation="Yu et al., Modeling Context in Referring Expressions, ECCV 2016",
        homepage="https://github.com/lichengunc/refer",
        split="val",
        steps="unpack refcoco+.zip of the homepage and COCO's train2014 in one folder "
        "and give it as root=",
        layout="from documentation",
    )
    folder = "refcoco+"
