"""Walk down the thresholds with one annotator's matching and note what is matched at each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sambench._compile import compiled, inner
from sambench.metrics.edges._assignment import search
from sambench.metrics.edges._matching import Bools, Heap, Ints, Longs, Side, update
from sambench.metrics.edges._outliers import Work, place
from sambench.metrics.edges._thinning import Events


@inner
def _assigned(predicted: Side, annotated: Side, mate: Ints, pairs: Ints) -> int:
    """Write the pairs that the benchmark's assignment matches; returns how many."""
    count = 0
    for i in range(predicted.size[0]):
        if mate[i] < annotated.size[0]:
            pairs[count, 0], pairs[count, 1] = predicted.active[i], annotated.active[mate[i]]
            count += 1
    return count


@inner
def _matched(predicted: Side, pairs: Ints) -> int:
    """Write the pairs that are matched; returns how many."""
    count = 0
    for i in range(predicted.size[0]):
        pixel = predicted.active[i]
        if predicted.mate[pixel] >= 0:
            pairs[count, 0], pairs[count, 1] = pixel, predicted.mate[pixel]
            count += 1
    return count


def count_matches(
    events: Events, predicted: Side, annotated: Side, heap: Heap, work: Work, unmatched: int,
    seeds: NDArray[np.uint64], matched: Bools,
) -> tuple[Longs, Ints]:  # fmt: skip
    """Match one annotator's pixels at every step.

    Args:
        events: of S steps, from the highest threshold down.
        predicted: no pixel there yet.
        annotated: the annotator's pixels.
        heap: scratch.
        work: scratch of the benchmark's assignment.
        unmatched: outlier cost in integer units.
        seeds: (S,) of the random links at each step; empty for the matching without outliers.
        matched: (S, C) changed in place: set where a predicted pixel is matched.

    Returns:
        (S,) number of matched pairs at each step, and the pairs (n, 2) of the last step: index into
        the predicted pixels, index into the annotated pixels.
    """
    size = len(annotated.mate)
    counts, pairs = np.zeros(len(matched), np.int64), np.empty((size, 2), np.int32)
    within, widows = np.zeros(size, np.int32), np.empty(size + 1, np.int32)
    count = walk(
        events, predicted, annotated, heap, work, unmatched, seeds, matched,
        counts, pairs, within, widows,
    )  # fmt: skip
    return counts, pairs[:count].copy()


@compiled
def walk(
    events: Events, predicted: Side, annotated: Side, heap: Heap, work: Work, unmatched: int,
    seeds: NDArray[np.uint64], matched: Bools, counts: Longs, pairs: Ints, within: Ints,
    widows: Ints,
) -> int:  # fmt: skip
    """As `count_matches`, into arrays that are made there: numba takes long to make them."""
    count = 0
    for step in range(len(counts)):
        begin, middle, end = events.removed[step], events.added[step], events.removed[step + 1]
        if end > begin:
            update(predicted, annotated, events.changes, begin, middle, end, within, heap, widows)
            if len(seeds) > 0 and predicted.size[0] > 0:
                fewer = predicted.size[0] < annotated.size[0]
                small, big = (predicted, annotated) if fewer else (annotated, predicted)
                place(small, big, work, seeds[step])
                search(small, big, work, unmatched, seeds[step])
                mate = work.x_mate if fewer else work.y_mate
                count = _assigned(predicted, annotated, mate, pairs)
            else:
                count = _matched(predicted, pairs)
        for i in range(count):
            matched[step, pairs[i, 0]] = True
        counts[step] = count
    return count
