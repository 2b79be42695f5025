"""Referring expressions: masks of what a sentence names, or of nothing.

The cumulative IoU of referring segmentation (Hu et al., Segmentation from natural language
expressions, ECCV 2016), which LAVT (Yang et al., CVPR 2022) calls the overall IoU: intersections
over unions, each summed over all expressions. Generalised to expressions that name several objects
or none by Liu, Ding and Jiang (GRES: Generalized referring expression segmentation, CVPR 2023,
section 3): gIoU is the mean of the IoU of each expression, which is 1 where nothing is named and
the answer is empty, and 0 where something is answered; of expressions that name nothing, N-acc is
the part whose answer is empty; of those that name something, T-acc is the part whose answer is not.
An answer to an expression that names nothing adds all of its pixels to the sum of unions. P@t is
the part of the expressions that name something whose IoU is at least t.

Their program divides T-acc otherwise, by one more than the empty answers, and adds 1 to the
denominator of N-acc; here both are as the paper defines them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.metrics.statistics import Statistic, quotients

THRESHOLDS = (50, 60, 70, 80, 90)
"""IoU that an answer may be asked to reach, in percent."""


def pixels(answer: NDArray[np.bool_], target: NDArray[np.bool_]) -> tuple[int, int, bool, bool]:
    """What an expression adds.

    Args:
        answer: (H, W) what was answered; without a pixel where nothing is.
        target: (H, W) what is named; without a pixel where nothing is.

    Returns:
        Pixels in common, pixels in either, whether something is named, whether it is answered.
    """
    common, either = int((answer & target).sum()), int((answer | target).sum())
    return common, either, bool(target.any()), bool(answer.any())


def estimator(records: Sequence[dict[str, Any]]) -> Statistic:
    """Estimator over images.

    Args:
        records: for each image, ``pixels`` of each of its expressions.

    Returns:
        Counts of the images -> ``cIoU``, ``gIoU``, ``P@50`` to ``P@90``, ``N_acc`` and ``T_acc``;
        NaN where there is no such expression.
    """
    names = ["cIoU", "gIoU", *(f"P@{t}" for t in THRESHOLDS), "N_acc", "T_acc"]
    sums = np.array([_sums(record["pixels"]) for record in records]).reshape(-1, 2, len(names))
    return quotients(names, sums[:, 0].T, sums[:, 1].T)


def _sums(expressions: Sequence[Sequence[Any]]) -> NDArray[np.float64]:
    """What an image adds to numerators and denominators, (2, metrics)."""
    rows = np.array(expressions, dtype=np.float64).reshape(-1, 4)
    common, either = rows[:, 0], rows[:, 1]
    named, answered = rows[:, 2] > 0, rows[:, 3] > 0
    iou = np.divide(common, either, out=np.ones_like(common), where=either > 0)
    reached = [(iou[named] >= t / 100).sum() for t in THRESHOLDS]
    above = [
        common.sum(),
        iou.sum(),
        *reached,
        (~named & ~answered).sum(),
        (named & answered).sum(),
    ]
    count = named.sum()
    below = [either.sum(), len(rows), *([count] * len(reached)), (~named).sum(), count]
    return np.array([above, below], dtype=np.float64)
