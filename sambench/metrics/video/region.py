"""Region similarity J: the IoU of the masks of one object, frame by frame.

Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation, CVPR
2016. Two empty masks agree: the object is not there, and nobody says it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.masks import _runs
from sambench.masks.rle import Runs, runs
from sambench.shown import RLE


def pair(predicted: Sequence[RLE], truth: Sequence[RLE]) -> tuple[Runs, Runs]:
    """The runs of T predicted masks and of T true ones.

    Raises:
        UserError: there are more of one than of the other, their sizes differ, or one is damaged.
    """
    if len(predicted) != len(truth):
        raise UserError(
            f"{len(predicted)} predicted masks for {len(truth)} frames; give one for each frame."
        )
    first, second = runs(predicted), runs(truth)
    if first.size != second.size:
        raise UserError(
            f"predicted masks are of size {list(first.size)} and true masks of "
            f"{list(second.size)} (height, width); save them at the size of the frames."
        )
    return first, second


def jaccard(predicted: Sequence[RLE], truth: Sequence[RLE]) -> NDArray[np.float64]:
    """J of each frame.

    Args:
        predicted: T COCO run-length encodings of an object.
        truth: T of what is annotated, of the same size.

    Returns:
        (T,) in [0, 1]; 1 where both masks are empty.

    Raises:
        UserError: as `pair`.
    """
    return jaccard_of_runs(*pair(predicted, truth))


def jaccard_of_runs(predicted: Runs, truth: Runs) -> NDArray[np.float64]:
    """As `jaccard`, of runs that have been read."""
    common = np.zeros(len(truth.areas), dtype=np.int64)
    frames = np.arange(len(common))
    first = predicted.begins, predicted.ends, predicted.splits
    second = truth.begins, truth.ends, truth.splits
    _runs.intersections(first, second, (frames, frames), common)
    union = predicted.areas + truth.areas - common
    found: NDArray[np.float64] = np.ones(len(common))
    np.divide(common, union, out=found, where=union > 0)
    return found
