"""Images as viewers display them, which is how people annotate them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from sambench.errors import UserError
from sambench.images import image_size, read_rgb

SWAPPED = (5, 6, 7, 8)
"""EXIF orientations that turn an image on its side."""


def read_displayed(path: Path) -> NDArray[np.uint8]:
    """An image as viewers display it, (H, W, 3) uint8 RGB: turned by its EXIF orientation.

    Raises:
        UserError: it cannot be read.
    """
    if _orientation(path) == 1:
        return read_rgb(path)
    with Image.open(path) as image:
        try:
            return np.array(ImageOps.exif_transpose(image).convert("RGB"), dtype=np.uint8)
        except (OSError, ValueError, SyntaxError) as error:
            raise UserError(f"{path} is damaged ({error}); fetch it again.") from None


def displayed_size(path: Path) -> tuple[int, int]:
    """(H, W) of an image as viewers display it.

    Raises:
        UserError: it is missing, or no image.
    """
    turned = _orientation(path) in SWAPPED
    with Image.open(path) as image:
        return (image.width, image.height) if turned else (image.height, image.width)


def _orientation(path: Path) -> int:
    """EXIF orientation, 1 for none; 5 to 8 swap width and height."""
    image_size(path)  # refuses what is no image
    with Image.open(path) as image:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
