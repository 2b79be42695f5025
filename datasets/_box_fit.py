"""Do annotated boxes fit their masks? Boxes of another convention would move every number."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from sambench.data.box_conventions import Array, corners, others
from sambench.data.json_input import At
from sambench.interfaces import JSON

log = logging.getLogger(__name__)
SLACK = 2.0
"""A box from the outline and one from the pixels of its mask differ by less, in pixels."""
APART = 8.0
"""Below this the corner and the extent of a box are too alike to tell the conventions apart."""
PLAIN = 100.0
"""A mask that spans so many square pixels covers more than one of them, if it is not a line."""
LEAST_OVERLAP = 0.25
"""IoU below which a box is far from its mask; loose and amodal boxes are above."""


class Pair(NamedTuple):
    """A box that was read as x, y, width, height, what its mask spans, and the image's (H, W)."""

    at: At
    box: Sequence[float]
    spans: Sequence[float]
    size: tuple[int, int]


def check_fit(pairs: Sequence[Pair]) -> None:
    """Refuse boxes of another convention than x, y, width, height, or that fit hardly any mask.

    A convention is known when, read so, a box fits its mask within `SLACK`, and read as COCO's it
    does not by more than `APART`: one such box is enough, and so is one without an area where the
    mask spans more. Boxes that are wrong in another way are not told from loose ones, so they are
    refused where half of them are far from their masks; of fewer the first is named in a warning.

    Raises:
        UserError: naming the first of them.
    """
    if not pairs:
        return
    given = np.array([pair.box for pair in pairs], dtype=np.float64)
    spans = np.array([pair.spans for pair in pairs], dtype=np.float64)
    sides = np.array([pair.size[::-1] for pair in pairs], dtype=np.float64)
    read = corners(given)
    astray = _apart(read, spans) > APART
    for convention, boxes in others(given, sides).items():
        _require_none(
            pairs,
            (_apart(boxes, spans) <= SLACK) & astray,
            convention,
            "write x, y, width, height in pixels",
        )
    _require_none(
        pairs,
        (given[:, 2:] == 0).any(axis=1) & astray,
        "without an area",
        "write x, y, width, height in pixels, or leave bbox out",
    )
    _check_far(pairs, (_overlap(read, spans) < LEAST_OVERLAP) & astray)


def check_areas(areas: Sequence[tuple[At, float, Sequence[float]]]) -> None:
    """Say so where areas are below one pixel and masks are not: they decide what is small.

    Args:
        areas: of each annotation where it stands, its value, and what the mask spans, XYXY.
    """
    small = [
        (at, area)
        for at, area, (x0, y0, x1, y1) in areas
        if area < 1 and (x1 - x0) * (y1 - y0) >= PLAIN
    ]
    if small:
        at, area = small[0]
        log.warning(
            "%s: %s is %g, less than a pixel, which its mask is not (%d of %d areas); the object "
            "counts as small for it: write pixels, or leave area out.",
            at.path, at.place, area, len(small), len(areas),
        )  # fmt: skip


def _check_far(pairs: Sequence[Pair], far: NDArray[np.bool_]) -> None:
    """Refuse boxes of which half are far from their masks, and say where fewer are."""
    if not far.any():
        return
    first = pairs[int(far.argmax())]
    words = (
        f"is {_numbers(first.box)} and its mask spans x0, y0, x1, y1 = {_numbers(first.spans)}; "
        f"{int(far.sum())} of {len(pairs)} boxes are far from their masks"
    )
    if 2 * far.sum() >= len(pairs):
        first.at.fail(words, "write x, y, width, height in pixels")
    log.warning("%s: %s %s; they are read as they are.", first.at.path, first.at.place, words)


def _require_none(
    pairs: Sequence[Pair], found: NDArray[np.bool_], meaning: str, remedy: str
) -> None:
    if found.any():
        first = pairs[int(found.argmax())]
        first.at.fail(
            f"is {_numbers(first.box)} and its mask spans {_numbers(first.spans)}, so it is "
            f"{meaning}, as are {int(found.sum())} of {len(pairs)} boxes",
            remedy,
        )


def check_order(pair: Pair, rle: JSON) -> None:
    """Refuse run lengths that were counted along the rows instead of down the columns.

    They are known by a box that fits the mask within `SLACK` if it is read so, and otherwise not
    by more than `APART`.

    Raises:
        UserError: they were.
    """
    x, y, width, height = pair.box
    box = np.array([[x, y, x + width, y + height]], dtype=np.float64)
    if _apart(box, np.array([pair.spans], dtype=np.float64))[0] <= APART:
        return
    mask = coco_mask.decode(rle)
    rows, columns = np.nonzero(mask.ravel(order="F").reshape(mask.shape))
    turned = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]
    if _apart(box, np.array(turned, dtype=np.float64))[0] <= SLACK:
        pair.at.fail(
            f"is {_numbers(pair.box)} and its mask spans {_numbers(pair.spans)}, so the run "
            "lengths are along the rows",
            "count them down the columns, as pycocotools does with np.asfortranarray(mask)",
        )


def _apart(boxes: Array, spans: Array) -> Array:
    """The farthest that any side is from where it should be, (N,)."""
    found: Array = np.abs(boxes - spans).max(axis=1)
    return found


def _overlap(boxes: Array, spans: Array) -> Array:
    """IoU of boxes XYXY, (N,), each side taken a pixel longer so that thin ones have an area."""
    first, second = (np.add(corners, (-0.5, -0.5, 0.5, 0.5)) for corners in (boxes, spans))
    sides = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    common = sides.clip(min=0).prod(axis=1)
    areas = [(part[:, 2:] - part[:, :2]).prod(axis=1) for part in (first, second)]
    overlap: Array = common / (areas[0] + areas[1] - common)
    return overlap


def _numbers(values: Sequence[float]) -> str:
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"
