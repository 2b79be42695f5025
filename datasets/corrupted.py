"""Another dataset's images, corrupted: noise, blur, weather, digital, in five severities."""

import hashlib
import inspect
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError, choices
from sambench.interfaces import Dataset, DatasetCard, T
from sambench.options import Range, check_ranges
from sambench.registry import load
from sambench.truths import Boundaries, Concepts, Instances, Regions, Segments

Kind = Literal[
    "",  # not given: refused
    "gaussian_noise", "shot_noise", "impulse_noise",
    "defocus_blur", "glass_blur", "motion_blur", "zoom_blur",
    "snow", "frost", "fog", "brightness",
    "contrast", "elastic_transform", "pixelate", "jpeg_compression",
]  # fmt: skip
"""Words, so that a folder of that name is none of it."""
KINDS = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
}
"""The fifteen of the paper by their group; those held back for validation are not offered."""
LIBRARY = "imagecorruptions-imaug"
DRAWN_WITH = ("numpy", "scipy", "scikit-image", "opencv-python", "pillow", "numba")
"""What the library computes with."""
SMALLEST = 32
"""Pixels along a side, below which the library takes no image."""
_ONE_AT_A_TIME = threading.Lock()
"""The library draws from NumPy's one global generator, which readers in threads would share."""


class Corrupted(Dataset):
    """The images of a dataset after one corruption, beside its truth as it is.

    The corruptions are those of Hendrycks and Dietterich (Benchmarking Neural Network Robustness to
    Common Corruptions and Perturbations, ICLR 2019), extended to images of any size by Michaelis et
    al. (Benchmarking Robustness in Object Detection, 2019), as the package imagecorruptions-imaug
    computes them. What is random is drawn from the image's id and the seed alone, so that an image
    has the same pixels in any order and any process, and the same draws in every severity.
    elastic_transform moves what is seen by a few pixels, and no mask follows it.

    Args:
        dataset: any dataset; a semicolon stands between its options.
        kind: of noise: gaussian_noise, shot_noise or impulse_noise; of blur: defocus_blur,
            glass_blur, motion_blur or zoom_blur; of weather: snow, frost, fog or brightness;
            digital: contrast, elastic_transform, pixelate or jpeg_compression.
        severity: from 1, the weakest, to 5.
        seed: another one gives other draws.

    Raises:
        UserError: the package is not installed, there is no such dataset, no kind is given, or one
            that is not known.
    """

    truths: tuple[type, ...] = (Instances, Boundaries, Concepts, Regions, Segments)
    neutral = frozenset()
    card = DatasetCard(
        name="corrupted",
        title="another dataset's images, corrupted",
        licence="as that of the dataset",
        citation="Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common "
        "Corruptions and Perturbations, ICLR 2019",
        homepage="https://github.com/hendrycks/robustness",
        steps="pip install 'sambench[corruptions]' and give corrupted:dataset=mini,kind=fog",
    )

    def __init__(
        self,
        dataset: str = "mini",
        kind: Kind = "",
        severity: Annotated[int, Range(1, 5)] = 3,
        seed: Annotated[int, Range(0)] = 0,
    ) -> None:
        check_ranges(Corrupted, {"severity": severity, "seed": seed}, "corrupted:")
        known = [name for group in KINDS.values() for name in group]
        if kind not in known:
            found = f"kind={kind} is unknown" if kind else "corrupted needs a kind="
            raise UserError(f"{found}; {choices(kind, known)}")
        self.library = f"{LIBRARY} {_installed(LIBRARY)}"
        self.kind, self.severity, self.seed = kind, severity, seed
        self.dataset: Dataset = load("dataset", dataset.replace(";", ","))
        self.truths = self.dataset.truths
        own, words = self.dataset.card, f"{kind} {severity} of 5 by {self.library}"
        self.card = replace(
            own,
            name=f"{own.name}-corrupted",
            title=f"{own.title}, {kind} of severity {severity}",
            citation=f"{own.citation}; {self.card.citation}",
            split=f"{own.split}, {words}" if own.split else words,
            references=(),
        )

    @property
    def categories(self) -> Mapping[int, str]:
        """Those of the dataset."""
        return self.dataset.categories

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Those of the dataset."""
        return self.dataset.ids

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the dataset's own, the corruption and the library with its version."""
        options = (self.kind, self.severity, self.seed, self.library)
        return hashlib.sha256(f"{self.dataset.fingerprint} {options}".encode()).hexdigest()

    def stamp(self, id: str) -> str | None:
        """The dataset's own, and the versions of what the library computes with."""
        own = self.dataset.stamp(id)
        return None if own is None else f"{own} {_versions()}"

    def annotated(self, ids: Sequence[str]) -> tuple[int, int] | None:
        """As the dataset knows it."""
        return self.dataset.annotated(ids)

    def read_truth(self, id: str, kind: type[T]) -> T:
        """The dataset's own."""
        return self.dataset.read_truth(id, kind)

    def read_image(self, id: str) -> NDArray[np.uint8]:
        """The corrupted image, (H, W, 3) uint8 RGB.

        Raises:
            UserError: a side is shorter than 32 pixels, or the image cannot be read.
        """
        image = self.dataset.read_image(id)
        height, width = image.shape[:2]
        if min(height, width) < SMALLEST:
            raise UserError(
                f"image {id} of dataset {self.dataset.card.name} has {width} x {height} pixels, "
                f"and corruptions take none below {SMALLEST} a side; leave it out."
            )
        digest = hashlib.sha256(f"{self.seed} {id}".encode()).digest()
        return corrupted(image, self.kind, self.severity, int.from_bytes(digest[:4], "big"))


def corrupted(image: NDArray[np.uint8], kind: str, severity: int, seed: int) -> NDArray[np.uint8]:
    """An image after one corruption; NumPy's global generator is left as it was.

    Args:
        image: (H, W, 3) uint8 RGB, at least 32 pixels along each side.
        kind: one of the fifteen.
        severity: 1 to 5.
        seed: of all that is random, below 2^32.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    import imagecorruptions

    own = inspect.signature(getattr(imagecorruptions, kind)).parameters
    options: dict[str, Any] = {"seed": seed} if "seed" in own else {}
    with _ONE_AT_A_TIME:
        before = np.random.get_state()
        np.random.seed(seed)
        try:
            found = imagecorruptions.corrupt(image, severity, kind, **options)
        finally:
            np.random.set_state(before)
    return np.ascontiguousarray(found, dtype=np.uint8)


def _installed(package: str) -> str:
    """The version of a package.

    Raises:
        UserError: it is not installed.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        raise UserError(
            f"corrupted needs the package {package}: pip install 'sambench[corruptions]'."
        ) from None


def _versions() -> str:
    return ", ".join(f"{name} {_installed(name)}" for name in DRAWN_WITH)
