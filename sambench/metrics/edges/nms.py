"""Non-maximum suppression of boundary maps: wide ridges become lines one pixel wide.

`structured_nms` is the suppression of the Structured Edge detector (P. Dollár and C. L. Zitnick,
"Fast edge detection using structured forests", PAMI 2015), with which most learned detectors are
scored. `canny_nms` is the suppression step of J. Canny, "A computational approach to edge
detection", PAMI 1986, applied to a map. All maps are (H, W) float; rows point down (y), columns to
the right (x); angles are those of the normal of the ridge, in radians from x towards y.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError

Floats = NDArray[np.float64]

SMOOTHING = 4  # radius of the triangle filter that the orientation is taken from
MULTIPLIER = 1.01  # a pixel this factor short of its neighbours is kept
BORDER = 5  # pixels over which values fade out towards the border of the image


def triangle_filter(image: NDArray[Any], radius: int = SMOOTHING) -> Floats:
    """Smooth with a separable triangle of 2 * radius + 1 pixels; the image is mirrored outside."""
    from scipy.ndimage import correlate1d

    ramp = np.arange(1, radius + 2, dtype=np.float64)
    weights = np.concatenate((ramp, ramp[-2::-1])) / (radius + 1) ** 2
    rows = correlate1d(np.asarray(image, dtype=np.float64), weights, axis=0, mode="reflect")
    smooth: Floats = correlate1d(rows, weights, axis=1, mode="reflect")
    return smooth


def orientation(edge_map: NDArray[Any], radius: int = SMOOTHING) -> Floats:
    """Angle of the normal of a ridge, in [0, pi), as the Structured Edge toolbox estimates it.

    It takes arctan(Oyy / Oxx), signed by Oxy, of the second derivatives of the smoothed map. For a
    straight ridge that is arctan(tan(angle)^2): off by up to 13 degrees between the axes and the
    diagonals, and by 90 where Oxy is exactly 0. `ridge_normal` has no such error; this one is what
    published scores were made with.
    """
    xx, xy, yy = _curvature(_checked(edge_map), radius)
    angle: Floats = np.mod(np.arctan(yy * np.sign(-xy) / (xx + 1e-5)), np.pi)
    return angle


def ridge_normal(edge_map: NDArray[Any], radius: int = SMOOTHING) -> Floats:
    """Angle of the normal of a ridge, in [0, pi): along it the smoothed map bends most."""
    xx, xy, yy = _curvature(_checked(edge_map), radius)
    upward = np.arctan2(2 * xy, xx - yy) / 2  # the axis of the larger eigenvalue
    angle: Floats = np.mod(upward + np.where(xx + yy < 0, np.pi / 2, 0), np.pi)
    return angle


def _curvature(values: Floats, radius: int) -> tuple[Floats, Floats, Floats]:
    """Second derivatives xx, xy, yy of the smoothed map."""
    down, right = np.gradient(triangle_filter(values, radius))
    yy, xy = np.gradient(down)
    return np.gradient(right, axis=1), xy, yy


def structured_nms(
    edge_map: NDArray[Any],
    angle: NDArray[Any] | None = None,
    *,
    radius: int = 1,
    multiplier: float = MULTIPLIER,
    border: int = BORDER,
) -> Floats:
    """Keep a pixel whose value times `multiplier` reaches its neighbours' along the normal.

    Args:
        edge_map: (H, W) float.
        angle: (H, W) of the normal; `orientation` of the map if None.
        radius: how many neighbours on either side, one pixel apart, interpolated bilinearly.
        multiplier: above 1 keeps ridges that are flat on top.
        border: width in pixels over which values fall linearly to 0 at the image border.
    """
    values = _checked(edge_map)
    normal = orientation(values) if angle is None else np.asarray(angle, dtype=np.float64)
    keep = np.ones(values.shape, dtype=bool)
    for distance in (*range(-radius, 0), *range(1, radius + 1)):
        x, y = distance * np.cos(normal), distance * np.sin(normal)
        keep &= values * multiplier >= _interpolated(values, x, y)
    height, width = values.shape
    return np.where(keep, values, 0) * np.outer(_fade(height, border), _fade(width, border))


def canny_nms(
    edge_map: NDArray[Any],
    angle: NDArray[Any] | None = None,
    *,
    neighbours: Literal["four", "interpolated"] = "four",
) -> Floats:
    """Keep a pixel that is a maximum along its normal: no less than behind, more than ahead.

    The strict comparison on one side leaves one pixel of a ridge that is flat on top.

    Args:
        edge_map: (H, W) float.
        angle: (H, W) of the normal, such as that of the gradient of the image that the map was made
            from; `ridge_normal` of the map if None.
        neighbours: compare with the nearest of four directions (0, 45, 90, 135 degrees), or with
            values interpolated where the normal leaves the ring of the eight neighbours.
    """
    values = _checked(edge_map)
    normal = ridge_normal(values) if angle is None else np.asarray(angle, dtype=np.float64)
    if neighbours == "four":
        sector = np.mod(np.rint(np.mod(normal, np.pi) / (np.pi / 4)).astype(int), 4)
        x, y = np.array([1.0, 1.0, 0.0, -1.0])[sector], np.array([0.0, 1.0, 1.0, 1.0])[sector]
    elif neighbours == "interpolated":
        x, y = np.cos(normal), np.sin(normal)
        longest = np.maximum(np.abs(x), np.abs(y))
        x, y = x / longest, y / longest
    else:
        raise UserError(f"neighbours must be 'four' or 'interpolated', got {neighbours!r}.")
    ahead, behind = _interpolated(values, x, y), _interpolated(values, -x, -y)
    kept: Floats = np.where((values > ahead) & (values >= behind), values, 0)
    return kept


def _checked(edge_map: NDArray[Any]) -> Floats:
    values = np.asarray(edge_map, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 2 or not np.isfinite(values).all():
        raise UserError(
            f"a boundary map must be (H, W) finite and at least 2 x 2, got {values.shape}."
        )
    return values


def _interpolated(values: Floats, x: Floats, y: Floats) -> Floats:
    """Values at (x, y) away from each pixel, bilinear; outside the image those of its border."""
    height, width = values.shape
    rows = np.clip(np.arange(height)[:, None] + y, 0, height - 1.001)
    columns = np.clip(np.arange(width)[None, :] + x, 0, width - 1.001)
    top, left = rows.astype(int), columns.astype(int)
    down, right = rows - top, columns - left
    upper = values[top, left] * (1 - right) + values[top, left + 1] * right
    lower = values[top + 1, left] * (1 - right) + values[top + 1, left + 1] * right
    between: Floats = upper * (1 - down) + lower * down
    return between


def _fade(size: int, border: int) -> Floats:
    """Factors along one axis: 0 at either end, 1 from `border` pixels inwards."""
    border = min(border, size // 2)
    factors = np.ones(size)
    ramp = np.arange(border) / max(border, 1)
    factors[:border] = ramp
    factors[size - border :] *= ramp[::-1]
    return factors
