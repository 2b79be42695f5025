"""DIS5K: highly accurate outlines of thin and complex objects."""

from sambench.interfaces import DatasetCard

from ._fine import RELEASE, STEPS, FinePairs


class Dis(FinePairs):
    """DIS5K, dichotomous image segmentation.

    Args:
        root: folder with the images and masks of this part, or the one that holds the release.

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="dis",
        title="DIS5K, dichotomous image segmentation",
        licence="as its terms of use say; for research",
        citation="Qin et al., Highly Accurate Dichotomous Image Segmentation, ECCV 2022",
        homepage=RELEASE,
        split="DIS-VD",
        steps=STEPS,
        layout="from documentation",
        expected={"images": 470},
    )

    def __init__(self, root: str = "") -> None:
        super().__init__(root, "DIS5K/DIS-VD", "im", "gt")
