"""COIFT: birds, insects and the like with thin parts."""

from sambench.interfaces import DatasetCard

from ._fine import RELEASE, STEPS, FinePairs


class Coift(FinePairs):
    """COIFT, thin objects.

    Args:
        root: folder with the images and masks of this part, or the one that holds the release.

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="coift",
        title="COIFT, thin objects",
        licence="as its authors say; for research",
        citation=(
            "Mansilla and Miranda, Oriented Image Foresting Transform Segmentation: Connectivity "
            "Constraints with Adjustable Width, SIBGRAPI 2016; Liew et al., Deep Interactive Thin "
            "Object Selection, WACV 2021"
        ),
        homepage=RELEASE,
        split="all",
        steps=STEPS,
        layout="from documentation",
        expected={"images": 280},
    )

    def __init__(self, root: str = "") -> None:
        super().__init__(root, "thin_object_detection/COIFT", "images", "masks")
