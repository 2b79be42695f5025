"""Shapes that people draw around objects, as masks.

Coordinates are (x, y) in pixels of the image, and (0, 0) is the image's top left corner: the
centre of the first pixel is (0.5, 0.5). A pixel is of an ellipse if its centre is; polygons are
drawn as COCO's tools draw them.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from sambench.data.json_input import At
from sambench.interfaces import JSON

from ._instances import encode
from ._outlines import to_rle

Extent = tuple[float, float, float, float]
"""x0, y0, x1, y1 of the smallest box around a shape."""
CORNERS = 3
"""The fewest corners that enclose something."""
MARGIN = 0.5
"""How far a shape may reach beyond the image, in widths and heights of it; what is outside is cut
off. Shapes further out were drawn on an image of another size."""


class Shape(Protocol):
    """Something with an area."""

    @property
    def extent(self) -> Extent:
        """The smallest box around it."""
        ...

    def draw(self, size: tuple[int, int]) -> JSON:
        """COCO run-length encoding of the part inside an image of size (H, W)."""
        ...


@dataclass(frozen=True)
class Polygon:
    """Corners (x, y), three or more."""

    corners: tuple[tuple[float, float], ...]

    @property
    def extent(self) -> Extent:
        """The smallest box around it."""
        x, y = zip(*self.corners, strict=True)
        return min(x), min(y), max(x), max(y)

    def draw(self, size: tuple[int, int]) -> JSON:
        """COCO run-length encoding of the part inside an image of size (H, W)."""
        return to_rle([[value for corner in self.corners for value in corner]], size)


@dataclass(frozen=True)
class Ellipse:
    """Centre, half axes, and the angle in degrees by which it is turned clockwise."""

    cx: float
    cy: float
    rx: float
    ry: float
    angle: float = 0.0

    @property
    def extent(self) -> Extent:
        """The smallest box around it."""
        cosine, sine = _turn(self.angle)
        half_width = math.hypot(self.rx * cosine, self.ry * sine)
        half_height = math.hypot(self.rx * sine, self.ry * cosine)
        return (
            self.cx - half_width,
            self.cy - half_height,
            self.cx + half_width,
            self.cy + half_height,
        )

    def draw(self, size: tuple[int, int]) -> JSON:
        """COCO run-length encoding of the part inside an image of size (H, W)."""
        y, x = np.ogrid[: size[0], : size[1]]
        cosine, sine = _turn(self.angle)
        across, down = x + 0.5 - self.cx, y + 0.5 - self.cy
        u = (cosine * across + sine * down) / self.rx
        v = (cosine * down - sine * across) / self.ry
        return encode(u**2 + v**2 <= 1)


class TooSmallError(ValueError):
    """A shape without an area."""


def polygon(corners: Iterable[Sequence[float]]) -> Polygon:
    """A polygon of corners (x, y).

    Raises:
        TooSmallError: there are fewer than three.
    """
    listed = tuple((float(x), float(y)) for x, y in corners)
    if len(listed) < CORNERS:
        raise TooSmallError(f"has fewer than {CORNERS} corners, which enclose nothing")
    return Polygon(listed)


def corners_of(at: At) -> list[list[float]]:
    """A JSON list of corners (x, y).

    Raises:
        UserError: it is none.
    """
    return [item.numbers(2, "a corner x, y") for item in at.items("a list of corners x, y")]


def number(text: str, name: str) -> float:
    """A finite number that is written as text.

    Raises:
        ValueError: it is none.
    """
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"has {text[:40]!r} for {name}, which is not a number")
    return found


def rectangle(
    x: float, y: float, width: float, height: float, *, angle: float = 0.0, pivot: str = "centre"
) -> Polygon:
    """A rectangle, turned clockwise by an angle in degrees around its centre or top left corner.

    Raises:
        TooSmallError: its width or height is not positive.
    """
    if not (width > 0 and height > 0):
        raise TooSmallError(f"is {width:g} wide and {height:g} high, which encloses nothing")
    px, py = (x + width / 2, y + height / 2) if pivot == "centre" else (x, y)
    cosine, sine = _turn(angle)
    square = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    turned = (
        (px + cosine * (u - px) - sine * (v - py), py + sine * (u - px) + cosine * (v - py))
        for u, v in square
    )
    return Polygon(tuple(turned) if angle % 360 else square)


def ellipse(cx: float, cy: float, rx: float, ry: float, angle: float = 0.0) -> Ellipse:
    """An ellipse, turned clockwise by an angle in degrees.

    Raises:
        TooSmallError: a half axis is not positive.
    """
    if not (rx > 0 and ry > 0):
        raise TooSmallError(f"has the half axes {rx:g} and {ry:g}, which enclose nothing")
    return Ellipse(cx, cy, rx, ry, angle)


def pasted(patch: NDArray[Any], left: int, top: int, size: tuple[int, int]) -> JSON:
    """A mask (h, w) put at a place of an image of size (H, W), which holds it whole.

    Equal to encoding the whole image, but in the time that the patch takes: runs are counted down
    the columns, so those of a column of the patch begin where it lies in the image.
    """
    height, width = size
    framed = np.pad((patch != 0).T.astype(np.int8), ((0, 0), (1, 1)))
    columns, rows = np.nonzero(np.diff(framed, axis=1))  # each run begins and ends in its column
    ends = (columns + left) * height + rows + top
    joined = np.flatnonzero(ends[1:-1:2] == ends[2::2]) * 2 + 1  # over the end of a column
    ends = np.delete(ends, [*joined, *(joined + 1)])
    last = [] if len(ends) and ends[-1] == height * width else [height * width]
    counts = np.diff([0, *ends, *last]).tolist()
    rle: JSON = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, *size)
    return rle


def check_extent(extent: Extent, size: tuple[int, int]) -> None:
    """Refuse a shape that was not drawn on an image of this size.

    Raises:
        ValueError: it reaches far outside.
    """
    height, width = size
    x0, y0, x1, y1 = extent
    across, down = MARGIN * width, MARGIN * height
    if x0 < -across or y0 < -down or x1 > width + across or y1 > height + down:
        raise ValueError(
            f"spans x {x0:g} to {x1:g} and y {y0:g} to {y1:g}, far outside of the image of "
            f"{width} x {height} pixels"
        )


def _turn(angle: float) -> tuple[float, float]:
    """Cosine and sine of an angle in degrees."""
    return math.cos(math.radians(angle)), math.sin(math.radians(angle))
