"""Interactive segmentation: how many clicks an object needs.

The protocol of Xu et al., "Deep interactive object selection" (CVPR 2016), as RITM (Sofiiuk et al.,
2021) and SimpleClick run it: up to 20 clicks; NoC@T is the click after which the IoU is first at
least T, and the limit where it never is; NoF@T is how many objects need the limit, those that reach
T with the last click included.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def clicks_needed(ious: Sequence[float], target: float, limit: int) -> float:
    """Number of the first click after which the IoU is at least target, limit if never.

    Args:
        ious: IoU after each click; may be shorter than limit.
        target: IoU to reach, in 0..1.
        limit: most clicks allowed.
    """
    reached = np.flatnonzero(np.asarray(ious[:limit]) >= target)
    return float(reached[0] + 1 if len(reached) else limit)


def iou_after(ious: Sequence[float], clicks: int) -> float:
    """IoU after a number of clicks; an object that got fewer keeps its last one."""
    return ious[min(clicks, len(ious)) - 1]


def mean_curve(objects: Sequence[Sequence[float]], limit: int) -> NDArray[np.float64]:
    """Mean IoU over objects after 1, 2, ... limit clicks, (limit,); NaN without objects."""
    if not objects:
        return np.full(limit, np.nan)
    curves = np.array([[iou_after(o, k) for k in range(1, limit + 1)] for o in objects])
    mean: NDArray[np.float64] = curves.mean(axis=0)
    return mean
