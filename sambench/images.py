"""Images from files: decoded whole, or refused in one sentence."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sambench.errors import UserError


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read a photograph as (H, W, 3) uint8 RGB; grey is repeated, alpha is dropped.

    EXIF orientation is not applied: annotations of every dataset here refer to the stored pixels.

    Raises:
        UserError: the file is missing, truncated or no image.
    """
    with _opened(path) as image:
        return np.array(_decoded(image, path).convert("RGB"), dtype=np.uint8)


def read_labels(path: Path) -> NDArray[np.int64]:
    """Read a label image, a mask or a palette PNG as (H, W) int64: the stored values.

    A colour image is refused: its labels are written by a rule that only its dataset knows.

    Raises:
        UserError: the file is missing, truncated, no image or has several channels.
    """
    with _opened(path) as image:
        labels = np.asarray(_decoded(image, path), dtype=np.int64)
    if labels.ndim != 2:
        raise UserError(f"{path} has {labels.shape[2]} channels; a label image has one.")
    return labels


def image_size(path: Path) -> tuple[int, int]:
    """(H, W) of an image file from its header.

    Raises:
        UserError: the file is missing or no image.
    """
    with _opened(path) as image:
        return image.height, image.width


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path.") from None
    except UnidentifiedImageError:
        raise UserError(f"{path} is not an image; replace it or leave it out.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}).") from None


def _decoded(image: Image.Image, path: Path) -> Image.Image:
    try:
        image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path} is damaged ({error}); fetch it again.") from None
    return image
