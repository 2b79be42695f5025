"""gRefCOCO: expressions of several objects, one or none."""

from sambench.interfaces import DatasetCard

from ._referring import Referring


class Grefcoco(Referring):
    """Expressions that name any number of objects; crowd regions among them do not count.

    Args:
        root: folder with ``grefcoco/grefs(unc).json``, ``grefcoco/instances.json``, and the images
            of COCO's train2014 in ``images/train2014``.
        split: val, testA, testB or train.
        images: folder of COCO's train2014, where it is another.
        wording: raw as people wrote it, or sent as the authors cleaned it.

    Raises:
        UserError: files are missing, or there are no expressions of the split.
    """

    card = DatasetCard(
        name="grefcoco",
        title="gRefCOCO",
        licence="as its homepage says; COCO's images under Flickr's terms of use",
        citation="Liu, Ding and Jiang, GRES: Generalized Referring Expression Segmentation, CVPR "
        "2023",
        homepage="https://github.com/henghuiding/gRefCOCO",
        split="val",
        steps="put grefs(unc).json and instances.json of the homepage into the folder grefcoco, "
        "COCO's train2014 beside it as images/train2014, and give the folder of both as root=",
        layout="from documentation",
    )
    folder = "grefcoco"
    files = ("grefs({}).p", "grefs({}).json")
    several = True
