"""What is said of J or F over the frames of one object: mean, recall and decay.

Perazzi et al., CVPR 2016, section 5, as davis2017-evaluation computes them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RECALLED = 0.5
"""A frame counts as recalled above this."""
PARTS = 4


class Statistics(NamedTuple):
    """Of one object; NaN without frames.

    Attributes:
        mean: over its frames.
        recall: the share of its frames above .5.
        decay: the mean of the first quarter less that of the last: what is lost over time.
    """

    mean: float
    recall: float
    decay: float


def statistics(values: NDArray[np.float64]) -> Statistics:
    """Mean, recall and decay of J or F.

    The four quarters are cut at whole frames, halves rounded up, and neighbours share the frame
    that they are cut at.

    Args:
        values: (T,) of the frames that count, in order.
    """
    count = len(values)
    if not count:
        return Statistics(np.nan, np.nan, np.nan)
    ends = (np.round(np.linspace(1, count, PARTS + 1) + 1e-10) - 1).astype(int)
    first, last = values[: ends[1] + 1], values[ends[-2] : ends[-1] + 1]
    return Statistics(
        float(values.mean()), float((values > RECALLED).mean()), float(first.mean() - last.mean())
    )
