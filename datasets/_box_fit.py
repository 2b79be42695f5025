"""Do annotated boxes fit their masks? Boxes of another convention would move every number."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from sambench.interfaces import JSON
from sambench.json_input import At

SLACK = 2.0
"""A box from the outline and one from the pixels of its mask differ by less, in pixels."""
APART = 8.0
"""Below this the corner and the extent of a box are too alike to tell the conventions apart."""
LEAST_OVERLAP = 0.25
"""IoU below which a box is far from its mask; loose and amodal boxes are above."""


class Pair(NamedTuple):
    """A box that was read as x, y, width, height, and what its mask spans."""

    at: At
    box: Sequence[float]
    spans: Sequence[float]


def check_fit(pairs: Sequence[Pair]) -> None:
    """Refuse boxes that are corners instead of corner and extent, or fit hardly any mask.

    A box is known for corners when, read so, it fits its mask within `SLACK`, and read as COCO's
    it does not by more than `APART`: one such box is enough. Boxes that are wrong in another way
    are not told from loose ones, so half of them must be far from their masks.

    Raises:
        UserError: naming the first of them.
    """
    if not pairs:
        return
    given = np.array([pair.box for pair in pairs], dtype=np.float64)
    spans = np.array([pair.spans for pair in pairs], dtype=np.float64)
    read = np.hstack([given[:, :2], given[:, :2] + given[:, 2:]])
    corners = (_apart(given, spans) <= SLACK) & (_apart(read, spans) > APART)
    if corners.any():
        first = pairs[int(corners.argmax())]
        first.at.fail(
            f"is {_numbers(first.box)} and its mask spans {_numbers(first.spans)}, so it is x0, "
            f"y0, x1, y1, as are {int(corners.sum())} of {len(pairs)} boxes",
            "write x, y, width, height",
        )
    wrong = (_overlap(read, spans) < LEAST_OVERLAP) & (_apart(read, spans) > APART)
    if 2 * wrong.sum() >= len(pairs):
        first = pairs[int(wrong.argmax())]
        first.at.fail(
            f"is {_numbers(first.box)} and its mask spans x0, y0, x1, y1 = "
            f"{_numbers(first.spans)}; {int(wrong.sum())} of {len(pairs)} boxes are far from their "
            "masks",
            "write x, y, width, height in pixels",
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


def _apart(boxes: NDArray[np.float64], spans: NDArray[np.float64]) -> NDArray[np.float64]:
    """The farthest that any side is from where it should be, (N,)."""
    found: NDArray[np.float64] = np.abs(boxes - spans).max(axis=1)
    return found


def _overlap(boxes: NDArray[np.float64], spans: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of boxes XYXY, (N,), each side taken a pixel longer so that thin ones have an area."""
    first, second = (np.add(corners, (-0.5, -0.5, 0.5, 0.5)) for corners in (boxes, spans))
    sides = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    common = sides.clip(min=0).prod(axis=1)
    areas = [(part[:, 2:] - part[:, :2]).prod(axis=1) for part in (first, second)]
    overlap: NDArray[np.float64] = common / (areas[0] + areas[1] - common)
    return overlap


def _numbers(values: Sequence[float]) -> str:
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"
