"""Boxes in files from other programs: the conventions found besides x, y, width, height."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
COCO = "x, y, width, height"


def corners(boxes: Array) -> Array:
    """(N, 4) x, y, width, height -> XYXY."""
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


def others(given: Array, sides: Array) -> Mapping[str, Array]:
    """What four numbers mean in other conventions than COCO's.

    Args:
        given: (N, 4) numbers of the file.
        sides: (N, 2) width and height of the images.

    Returns:
        Convention in words -> (N, 4) XYXY in pixels.
    """
    first, second = given[:, :2], given[:, 2:]
    centred = np.hstack([first - second / 2, first + second / 2])
    transposed = [1, 0, 3, 2]
    whole = np.hstack([sides, sides])
    return {
        "x0, y0, x1, y1": given,
        "the centre x, y and width, height": centred,
        "y, x, height, width": corners(given)[:, transposed],
        "y0, x0, y1, x1": given[:, transposed],
        f"{COCO} in fractions of the image": whole * corners(given),
        "x0, y0, x1, y1 in fractions of the image": whole * given,
        "the centre x, y and width, height in fractions of the image": whole * centred,
    }
