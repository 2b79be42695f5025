"""What is lacking in a row of numbers that is regular but for it: frames, and masks of frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise


def gaps(numbers: Sequence[int]) -> list[int]:
    """The numbers that are lacking in a row of equal steps.

    Args:
        numbers: in ascending order, each once.

    Returns:
        Those between the first and the last; none where steps differ otherwise than by a few that
        are left out, so that they may be meant: where no step is that of more than half, one is no
        multiple of it, or more than half of the row would be lacking.
    """
    steps = Counter(after - before for before, after in pairwise(numbers))
    if not steps:
        return []
    [(step, count)] = steps.most_common(1)
    if 2 * count <= steps.total() or any(each % step for each in steps):
        return []
    lacking = sorted({*range(numbers[0], numbers[-1], step)} - {*numbers})
    return lacking if 2 * len(lacking) <= len(numbers) else []
