"""ThinObject5K: thin objects pasted on photographs."""

from sambench.interfaces import DatasetCard

from ._fine import RELEASE, STEPS, FinePairs


class Thinobject(FinePairs):
    """ThinObject5K, thin objects on other backgrounds.

    Args:
        root: folder with the images and masks of this part, or the one that holds the release.

    Raises:
        UserError: a folder is missing.
    """

    card = DatasetCard(
        name="thinobject",
        title="ThinObject5K, thin objects on other backgrounds",
        licence="as its authors say; for research",
        citation="Liew et al., Deep Interactive Thin Object Selection, WACV 2021",
        homepage=RELEASE,
        split="test",
        steps=STEPS,
        layout="from documentation",
        expected={"images": 500},
    )

    def __init__(self, root: str = "") -> None:
        super().__init__(root, "thin_object_detection/ThinObject5K", "images_test", "masks_test")
