"""ECSSD: photographs with a salient object before a structured background."""

from sambench.interfaces import DatasetCard

from ._salient import SalientPairs


class Ecssd(SalientPairs):
    """ECSSD, extended complex scene saliency dataset.

    Args:
        root: folder with the two folders below.
        images: folder of images, relative to root.
        masks: folder of masks, relative to root.

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="ecssd",
        title="ECSSD, extended complex scene saliency",
        licence="as its homepage says; images of the web and of BSDS, for research",
        citation="Yan et al., Hierarchical Saliency Detection, CVPR 2013; Shi et al., Hierarchical "
        "Image Saliency Detection on Extended CSSD, TPAMI 2016",
        homepage="https://www.cse.cuhk.edu.hk/leojia/projects/hsaliency/dataset.html",
        steps="unpack images.zip and ground_truth_mask.zip of the homepage in one folder and give "
        "it as root=",
        layout="verified on real files",
        seen="60 images: one object each, masks of the image's size, outlines on the objects",
        expected={"images": 1000, "masks": 1000},
    )

    def __init__(
        self, root: str = "", images: str = "images", masks: str = "ground_truth_mask"
    ) -> None:
        super().__init__(root, images, masks)
