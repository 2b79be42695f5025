"""Edge non-maximum suppression: thin a map of edge strengths to its ridges.

"structured": P. Dollar and C. L. Zitnick, "Fast edge detection using structured forests", PAMI
2015, as their toolbox does it. The orientation of a ridge comes from second derivatives of the
smoothed map; a pixel stays if 1.01 times its value is at least the values one pixel away along the
normal, interpolated bilinearly; values fade out within five pixels of the image's border.

"canny": J. Canny, "A computational approach to edge detection", PAMI 1986: the same orientation,
rounded to the four directions of the grid, and no tolerance: a pixel stays if it is at least as
large as its two neighbours along the normal.

Coordinates are rows and columns of the map; orientations are angles of the normal, in [0, pi).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Suppression = Literal["structured", "canny", "none"]

RADIUS = 4
TOLERANCE = 1.01
BORDER = 5


def suppress(edges: NDArray[Any], kind: Suppression, smooth: float = 0.0) -> NDArray[np.float32]:
    """Thin a map.

    Args:
        edges: (H, W) float, non-negative.
        kind: how, see the module; "none" returns the map.
        smooth: standard deviation in pixels of a Gaussian applied before; 0 for none.

    Returns:
        (H, W) float32, zero where a pixel is no ridge.
    """
    from scipy.ndimage import gaussian_filter

    values = np.asarray(edges, dtype=np.float64)
    if smooth > 0:
        values = gaussian_filter(values, smooth)
    if kind == "structured":
        values = structured(values)
    elif kind == "canny":
        values = canny(values)
    return values.astype(np.float32)


def orientation(edges: Floats) -> Floats:
    """Angle of the normal at each pixel, (H, W) in [0, pi)."""
    dy, dx = np.gradient(triangle(edges, RADIUS))
    dxx = np.gradient(dx, axis=1)
    dyy, dxy = np.gradient(dy)
    angle: Floats = np.mod(np.arctan(dyy * np.sign(-dxy) / (dxx + 1e-5)), np.pi)
    return angle


def triangle(image: Floats, radius: int) -> Floats:
    """Convolve with a triangle of unit area in both directions, mirrored at the border."""
    from scipy.ndimage import convolve1d

    rise = np.arange(1, radius + 1)
    kernel = np.concatenate([rise, [radius + 1], rise[::-1]]) / (radius + 1) ** 2
    rows: Floats = convolve1d(image, kernel, axis=0, mode="reflect")
    both: Floats = convolve1d(rows, kernel, axis=1, mode="reflect")
    return both


def structured(edges: Floats) -> Floats:
    """Suppression of the structured-edge toolbox, (H, W) -> (H, W)."""
    angle = orientation(edges)
    rows, columns = np.indices(edges.shape)
    step = np.cos(angle), np.sin(angle)
    kept = np.ones(edges.shape, dtype=bool)
    for sign in (-1, 1):
        there = _interpolated(edges, rows + sign * step[1], columns + sign * step[0])
        kept &= there <= edges * TOLERANCE
    return edges * kept * _fade(edges.shape)


def canny(edges: Floats) -> Floats:
    """Suppression along the nearest of four directions, (H, W) -> (H, W)."""
    sector = np.round(orientation(edges) / (np.pi / 4)).astype(int) % 4
    padded = np.pad(edges, 1)
    kept = np.zeros(edges.shape, dtype=bool)
    for index, (down, right) in enumerate([(0, 1), (1, 1), (1, 0), (1, -1)]):
        ahead = _shifted(padded, down, right)
        behind = _shifted(padded, -down, -right)
        kept |= (sector == index) & (edges >= ahead) & (edges >= behind)
    return edges * kept


def _shifted(padded: Floats, down: int, right: int) -> Floats:
    height, width = padded.shape
    return padded[1 + down : height - 1 + down, 1 + right : width - 1 + right]


def _interpolated(image: Floats, row: Floats, column: Floats) -> Floats:
    """Bilinear values at real coordinates, clamped into the image."""
    height, width = image.shape
    row, column = np.clip(row, 0, height - 1.001), np.clip(column, 0, width - 1.001)
    top, left = row.astype(int), column.astype(int)
    down, right = row - top, column - left
    upper = image[top, left] * (1 - right) + image[top, left + 1] * right
    lower = image[top + 1, left] * (1 - right) + image[top + 1, left + 1] * right
    mixed: Floats = upper * (1 - down) + lower * down
    return mixed


def _fade(shape: tuple[int, ...]) -> Floats:
    """1 inside, falling linearly to 0 over the last pixels before the border."""
    ramps = []
    for length in shape:
        border = min(BORDER, length // 2)
        from_edge = np.minimum(np.arange(length), np.arange(length)[::-1])
        ramps.append(np.minimum(from_edge / max(border, 1), 1.0))
    fade: Floats = np.outer(*ramps)
    return fade
