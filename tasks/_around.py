"""Clicks that miss the place they aim at, and stay in their region all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from sambench.masks.clicks import Click

Floats = NDArray[np.float64]


def around(
    aim: tuple[float, float], region: NDArray[np.bool_], drawn: Floats
) -> Callable[[float], Floats]:
    """Pixels of a region around a place, of a Gaussian whose deviation is yet to be given.

    A draw is the share of the Gaussian's weight over the region's pixels, nearest first, up to the
    pixel that it takes: the larger the deviation, the farther that is.

    Args:
        aim: (x, y) in pixels.
        region: (H, W) bool, not empty.
        drawn: (K,) from 0 to below 1.

    Returns:
        The deviation, a part of the square root of the region's area -> (K, 2) x and y.
    """
    pixels = np.argwhere(region)[:, ::-1].astype(np.float64)
    squares = ((pixels - np.array(aim, dtype=np.float64)) ** 2).sum(axis=1)
    order = np.argsort(squares, kind="stable")
    pixels, squares = pixels[order], squares[order]

    def moved(size: float) -> Floats:
        weights = np.exp(-squares / (2 * size**2 * len(pixels)))
        reached = np.cumsum(weights) / weights.sum()
        places = np.searchsorted(reached, drawn, side="right")
        return pixels[np.minimum(places, len(pixels) - 1)]

    return moved


def missing(
    aim: Click, region: NDArray[np.bool_], clicked: Iterable[tuple[float, float]], size: float,
    rng: np.random.Generator,
) -> Click:  # fmt: skip
    """A click that misses the place it aims at.

    Args:
        aim: the click, on a pixel of the region.
        region: (H, W) bool, whose pixels may be clicked.
        clicked: pixels (x, y) of it that may not be clicked again; the aim is none.
        size: the deviation, a part of the square root of the area; 0: the click hits.
        rng: of the draw.
    """
    if not size:
        return aim
    left = region.copy()
    for x, y in clicked:
        left[int(y), int(x)] = False
    [[x, y]] = around((aim.x, aim.y), left, rng.random(1))(size).tolist()
    return Click(x, y, aim.positive)
