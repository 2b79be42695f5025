"""Outlines of objects as COCO-format files have them, polygons or run lengths, checked."""

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco_mask

from sambench.data.json_input import At
from sambench.data.json_masks import read_run_lengths
from sambench.interfaces import JSON

from ._instances import encode

Ring = list[float]
"""Corners x, y, x, y and so on."""
Outline = list[Ring] | JSON
"""Polygons of three corners or more each, or one compressed run-length encoding."""

MIN_COORDINATES = 6
"""A polygon has at least three corners."""
REACH = 10
"""How many times its longer side a polygon may reach beyond an image. pycocotools walks along the
edges in steps of a fifth of a pixel: what is very far away takes all memory or ends the process."""


def read_outline(at: At, size: tuple[int, int]) -> Outline:
    """Read a segmentation for an image of size (H, W).

    Polygons may come as COCO has them, one flat list each; as one flat list; or as corners (x, y).
    Those of fewer than three corners enclose nothing and are left out, so the list may be empty.
    Compressed run lengths are not parsed here, see `json_masks.check_runs`.

    Raises:
        UserError: it is something else, a coordinate is not finite or is far outside the image, all
            coordinates are fractions, or the run lengths are of another size.
    """
    if isinstance(at.value, dict):
        return read_run_lengths(at, size)
    if not isinstance(at.value, list):
        at.expected("polygons or run lengths")
    rings = [ring for ring in _rings(at, size) if len(ring) >= MIN_COORDINATES]
    if rings and _within_a_pixel(rings):
        at.fail(
            "lies within a single pixel, 0 to 1", "write pixels, not fractions of the image's sides"
        )
    return rings


def _within_a_pixel(rings: Sequence[Ring]) -> bool:
    """Whether polygons are fractions of their image; corners of a whole pixel are none."""
    values = [value for ring in rings for value in ring]
    return min(values) >= 0 and max(values) <= 1 and not {0, 1}.issuperset(values)


def _rings(at: At, size: tuple[int, int]) -> list[Ring]:
    values = at.value
    if values and not isinstance(values[0], list):  # a single polygon, not in a list of its own
        return [_ring(at, size)]
    if len(values) > 2 and all(isinstance(v, list) and len(v) == 2 for v in values):
        return [_ring_of_corners(at, size)]
    return [
        _ring_of_corners(item, size)
        if item.value and isinstance(item.value, list) and isinstance(item.value[0], list)
        else _ring(item, size)
        for item in at.items()
    ]


def _ring(at: At, size: tuple[int, int]) -> Ring:
    ring = at.numbers(what="a polygon: a flat list x, y, x, y and so on")
    if len(ring) % 2:
        at.fail(f"is a polygon of {len(ring)} coordinates, an odd number")
    if ring and not within_reach(ring, size):
        worst = max(range(len(ring)), key=lambda i: abs(ring[i]))
        At(at.value[worst], at, worst).fail(f"is {ring[worst]:g}, {_far(size)}")
    return ring


def _ring_of_corners(at: At, size: tuple[int, int]) -> Ring:
    corners = [item.numbers(2, "a corner x, y") for item in at.items()]
    ring = [value for corner in corners for value in corner]
    if ring and not within_reach(ring, size):
        at.fail(f"has the coordinate {max(ring, key=abs):g}, {_far(size)}")
    return ring


def within_reach(ring: Sequence[float], size: tuple[int, int]) -> bool:
    """Whether a polygon lies in or near an image of size (H, W), so that it can be drawn."""
    most = REACH * max(size)
    return -most <= min(ring) and max(ring) <= most + max(size)


def _far(size: tuple[int, int]) -> str:
    return f"far outside the image of {size[1]} x {size[0]} pixels"


def to_rle(outline: Outline, size: tuple[int, int]) -> JSON:
    """Draw polygons as COCO's tools do -> one compressed run-length encoding; none, no pixel."""
    if isinstance(outline, dict):
        return outline
    height, width = size
    drawn = coco_mask.frPyObjects(outline, height, width) if outline else []
    rle: JSON = coco_mask.merge(drawn) if drawn else encode(np.zeros(size))
    return rle


def bounds(outline: list[Ring]) -> Ring:
    """(x0, y0, x1, y1) of polygons."""
    xs, ys = [ring[0::2] for ring in outline], [ring[1::2] for ring in outline]
    return [min(map(min, xs)), min(map(min, ys)), max(map(max, xs)), max(map(max, ys))]
