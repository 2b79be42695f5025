"""Grey levels that would pass for labels: smooth, blurred or compressed outlines of objects."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.mask import area as mask_area

from sambench.truths import Instances

FEWEST_PIXELS = 16
"""So many pixels of thin values between others make an outline; fewer may be small objects."""
CLOSE, SPECKS = 8, 3
"""Compression scatters each value in several specks, and changes values by little."""
MANY_VALUES, SMOOTH, JUMPS = 32, 0.9, 0.02
"""A soft mask has many values, its steps are small, and they are at many of its pixels."""
MOST_LABELS = 2**24
TRIMAPS = ({0, 127, 255}, {0, 128, 255})


def grey_levels(labels: NDArray[np.int64], skipped: NDArray[np.bool_] | None = None) -> str:
    """Why values of a label image (H, W) look like grey levels rather than one object each.

    An outline that was anti-aliased, resized, blurred or stored as JPEG has values so thin that no
    pixel has four neighbours of the same value, and its pixels lie between lower and higher ones.
    A wide blur has many values that change little from pixel to pixel in both directions.

    Args:
        labels: the values, 0 where nothing is.
        skipped: pixels that count as no object beside those of 0.

    Returns:
        The middle of a sentence; "" if the values may well be labels.
    """
    counted = labels if skipped is None else np.where(skipped, 0, labels)
    values = np.unique(counted)
    objects = values[values != 0]
    if len(objects) < 2:
        return ""
    if {0, *objects.tolist()} in TRIMAPS:
        return f"the values 0, {objects[0]} and 255 of a trimap"
    thin, thin_values = _thin(counted, objects)
    if 2 * thin_values >= len(objects) and _as_of_outlines(counted, thin, thin_values):
        return (
            f"{len(objects)} values, {thin_values} of them only in strips no wider than two pixels "
            "as the grey levels of smooth or compressed edges are"
        )
    if len(objects) >= MANY_VALUES and _smooth(counted):
        return f"{len(objects)} values that change gradually as the grey levels of a soft mask do"
    return ""


def _as_of_outlines(labels: NDArray[Any], thin: NDArray[np.bool_], values: int) -> bool:
    """Whether thin pixels lie between others, or are specks of values close to their neighbours."""
    lower, higher, close = _neighbours(labels)
    least = max(FEWEST_PIXELS, int(thin.sum()) / 2)
    between = lower & higher
    if (thin & between).sum() >= least:
        return True
    if (thin & (between | close)).sum() < least:
        return False
    from skimage.measure import label as label_regions  # slow to import, and seldom needed

    regions = np.where(thin, labels, 0)
    specks = label_regions(regions, background=0, connectivity=2).max()  # type: ignore[no-untyped-call]
    return bool(specks >= SPECKS * values)


def taken_for_labels(truth: Instances) -> str:
    """Why the objects of an image look like grey levels; "" if they may well be objects.

    Objects that overlap were not read from a label image, and pass.
    """
    if any(tuple(rle["size"]) != tuple(truth.size) for rle in truth.rles):
        return ""  # not masks of this image at all
    areas = [int(mask_area(rle)) for rle in truth.rles]
    numbers = np.zeros(truth.size, dtype=np.int64)
    for index, value in enumerate(_values(truth)):
        numbers[truth.mask(index)] = value
    return grey_levels(numbers) if sum(areas) == np.count_nonzero(numbers) else ""


def _values(truth: Instances) -> Sequence[int]:
    """The values of a label image, which are its objects' ids; else the places of the objects."""
    ids = truth.ids
    if all(isinstance(id, int) and 0 < id < MOST_LABELS for id in ids) and len(set(ids)) == len(
        ids
    ):
        return ids
    return range(1, len(ids) + 1)


def many_thin_colours(labels: NDArray[np.int64]) -> bool:
    """Whether most colours, as labels (H, W), are only on outlines, as blended ones are."""
    objects = np.unique(labels[labels != 0])
    thin, thin_values = _thin(labels, objects)
    return 2 * thin_values >= len(objects) and len(objects) > 2 and thin.sum() >= FEWEST_PIXELS


def _thin(labels: NDArray[Any], objects: NDArray[Any]) -> tuple[NDArray[np.bool_], int]:
    """Pixels (H, W) of objects that have no pixel with four equal neighbours; how many do not."""
    inner = np.zeros(labels.shape, dtype=bool)
    centre = labels[1:-1, 1:-1]
    inner[1:-1, 1:-1] = (
        (centre == labels[:-2, 1:-1])
        & (centre == labels[2:, 1:-1])
        & (centre == labels[1:-1, :-2])
        & (centre == labels[1:-1, 2:])
    )
    solid = np.unique(labels[inner])
    without = np.setdiff1d(objects, solid)
    return np.isin(labels, without), len(without)


def _neighbours(labels: NDArray[Any]) -> tuple[NDArray[np.bool_], ...]:
    """Pixels (H, W) with a lower, a higher, and a close but unequal object among eight neighbours.

    What is lower may be 0, where nothing is; what is close may not.
    """
    height, width = labels.shape
    padded = np.pad(labels, 1, mode="edge")
    lower, higher, close = (np.zeros(labels.shape, dtype=bool) for _ in range(3))
    for dy, dx in product(range(3), repeat=2):
        neighbour = padded[dy : dy + height, dx : dx + width]
        lower |= neighbour < labels
        higher |= neighbour > labels
        apart = np.abs(neighbour - labels)
        close |= (apart > 0) & (apart <= CLOSE) & (neighbour != 0)
    return lower, higher, close


def _smooth(labels: NDArray[Any]) -> bool:
    """Whether unequal neighbours differ by little, both along rows and along columns."""
    step = max(2, int(labels.max()) // 64)
    return all(_gradual(labels, axis, step) for axis in (0, 1))


def _gradual(labels: NDArray[Any], axis: int, step: int) -> bool:
    along = np.moveaxis(labels, axis, 0)
    both = (along[1:] != 0) & (along[:-1] != 0)
    jumps = np.abs(along[1:] - along[:-1])[both]
    jumps = jumps[jumps > 0]
    if jumps.size < JUMPS * both.sum() or not jumps.size:
        return False
    return bool((jumps <= step).mean() >= SMOOTH)
