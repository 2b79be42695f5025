"""Label maps in files: 16-bit PNG."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sambench.data import images
from sambench.errors import UserError

MOST = 2**16


def write_labels(labels: NDArray[np.int32], stem: Path) -> Path:
    """Write labels (H, W) as a PNG of 16 bits; returns the file.

    Raises:
        UserError: a label is outside 0 to 65535.
    """
    path = stem.with_name(stem.name + ".png")
    if labels.size and not 0 <= labels.min() <= labels.max() < MOST:
        raise UserError(f"{path} cannot hold labels outside 0 to {MOST - 1}; number them anew.")
    part = path.with_name(path.name + ".tmp")
    Image.fromarray(labels.astype(np.uint16)).save(part, format="PNG")
    part.replace(path)
    return path


def read_labels(stem: Path) -> NDArray[np.int32]:
    """Read labels (H, W) from the PNG of a stem.

    Raises:
        UserError: it is missing or damaged.
    """
    return images.read_labels(stem.with_name(stem.name + ".png")).astype(np.int32)
