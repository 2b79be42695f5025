"""HRSOD: salient objects in photographs of high resolution."""

from sambench.interfaces import DatasetCard

from ._fine import RELEASE, STEPS, FinePairs


class Hrsod(FinePairs):
    """HRSOD, salient objects in high resolution.

    Args:
        root: folder with the images and masks of this part, or the one that holds the release.

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="hrsod",
        title="HRSOD, salient objects in high resolution",
        licence="as its authors say; for research",
        citation=(
            "Zeng et al., Towards High-Resolution Salient Object Detection, ICCV 2019; Liew et "
            "al., Deep Interactive Thin Object Selection, WACV 2021"
        ),
        homepage=RELEASE,
        split="thin objects",
        steps=STEPS,
        layout="from documentation",
        expected={"images": 287},
    )

    def __init__(self, root: str = "") -> None:
        super().__init__(root, "thin_object_detection/HRSOD", "images", "masks_max255")
