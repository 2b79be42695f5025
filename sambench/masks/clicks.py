"""Simulated clicks: where a user would click next, by the exact distance-transform rule.

The rule is that of interactive segmentation (Xu et al., CVPR 2016; Sofiiuk et al., "Reviving
iterative training with mask guidance", 2021) and of SAM (Kirillov et al., 2023, section 7.1 and
appendix D.1): the pixel of a region farthest from the region's boundary, where the border of the
image is a boundary too. Coordinates are (x, y) in pixels; among equally far pixels the first in
row-major order is taken.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Click(NamedTuple):
    """A click at (x, y), positive or negative: a pixel, or a place between if found elsewhere."""

    x: float
    y: float
    positive: bool


def farthest(
    region: NDArray[np.bool_], clicked: Iterable[tuple[float, float]] = ()
) -> tuple[float, int, int]:
    """The pixel of a region that is farthest from its boundary.

    The distance is taken over the whole region at once: the centre of the largest inscribed circle
    of all its components.

    Args:
        region: (H, W) bool.
        clicked: pixels (x, y) that may not be taken again.

    Returns:
        Distance in pixels, x, y. The distance is 0 where no pixel is left.
    """
    from scipy.ndimage import distance_transform_edt

    if not region.any():
        return 0.0, 0, 0
    crop, x0, y0 = _cropped(region)
    distance = distance_transform_edt(crop)[1:-1, 1:-1]
    for x, y in clicked:
        if 0 <= y - y0 < distance.shape[0] and 0 <= x - x0 < distance.shape[1]:
            distance[int(y) - y0, int(x) - x0] = 0
    row, column = divmod(int(distance.argmax()), distance.shape[1])
    return float(distance[row, column]), x0 + column, y0 + row


def _cropped(region: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], int, int]:
    """A region within a border of one pixel of background, and x, y of its box's first pixel.

    Outside of the box there is only background, for which the border stands.
    """
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    x0, y0 = int(columns[0]), int(rows[0])
    return np.pad(region[y0 : rows[-1] + 1, x0 : columns[-1] + 1], 1), x0, y0


SOFTNESS = 0.35
"""Of the soft minimum over the nine pixels of a step, as kornia sets it."""


def convolved_centre(region: NDArray[np.bool_]) -> tuple[int, int]:
    """The pixel (x, y) farthest from a region's boundary by cascaded convolutions.

    Pham et al., A Differentiable Convolutional Distance Transform Layer for Improved Image
    Segmentation, GCPR 2020, as kornia has it: step k reaches the pixels that touch what step k - 1
    has reached, and their distance is k - 1 and a soft minimum over those neighbours. It is no
    Euclidean distance: a diagonal counts as long as a side.

    Args:
        region: (H, W) bool, not empty.
    """
    from scipy.ndimage import distance_transform_cdt

    crop, x0, y0 = _cropped(region)
    step = np.pad(distance_transform_cdt(crop, metric="chessboard"), 1)
    inner = step[2:-2, 2:-2]
    (height, width), total = inner.shape, np.zeros(inner.shape, np.float32)
    for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        weight = np.exp(-np.sqrt(np.float32(dy * dy + dx * dx)) / np.float32(SOFTNESS))
        near = step[2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width]
        total += weight * (near < inner)
    within = inner > 0
    softened = np.log(total, out=np.zeros_like(total), where=within)
    distance = np.where(within, inner - 1 - np.float32(SOFTNESS) * softened, 0).astype(np.float32)
    row, column = divmod(int(distance.argmax()), width)
    return x0 + column, y0 + row


def first_click(truth: NDArray[np.bool_]) -> Click | None:
    """The click at the object's centre: positive, farthest from its boundary; None if empty."""
    distance, x, y = farthest(truth)
    return Click(x, y, True) if distance > 0 else None


def next_click(
    truth: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    *,
    ignore: NDArray[np.bool_] | None = None,
    clicked: Iterable[tuple[float, float]] = (),
) -> Click | None:
    """The click that corrects the larger error.

    Positive if the missed region holds the larger inscribed circle, negative otherwise, also when
    they are equal.

    Args:
        truth: (H, W) bool.
        predicted: (H, W) bool.
        ignore: (H, W) bool, pixels that are neither right nor wrong.
        clicked: pixels (x, y) that may not be clicked again.

    Returns:
        The click, or None where no error is left to click on.
    """
    missed, extra = errors(truth, predicted, ignore)
    taken = list(clicked)
    missed_distance, *missed_at = farthest(missed, taken)
    extra_distance, *extra_at = farthest(extra, taken)
    if missed_distance <= 0 and extra_distance <= 0:
        return None
    positive = missed_distance > extra_distance
    x, y = missed_at if positive else extra_at
    return Click(x, y, positive)


def random_click(
    region: NDArray[np.bool_], positive: NDArray[np.bool_], rng: np.random.Generator
) -> Click | None:
    """A pixel drawn uniformly from a region; its label is read from `positive`; None if empty."""
    rows, columns = region.nonzero()
    if not len(rows):
        return None
    drawn = int(rng.integers(len(rows)))
    x, y = int(columns[drawn]), int(rows[drawn])
    return Click(x, y, bool(positive[y, x]))


def errors(
    truth: NDArray[np.bool_], predicted: NDArray[np.bool_], ignore: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Missed and extra pixels, each (H, W) bool, without the ignored ones."""
    missed, extra = truth & ~predicted, predicted & ~truth
    if ignore is not None:
        missed, extra = missed & ~ignore, extra & ~ignore
    return missed, extra
