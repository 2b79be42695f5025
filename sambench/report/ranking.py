"""Who is better than whom beyond noise, and the ranks that follow.

Every pair of a board is tested: by the randomization test on the images, where the records of both
are at hand (`sambench.metrics.significance`), else from their intervals, as if each had been
measured on images of its own, which asks for more. A number without an interval, as papers print
most, is taken as it stands. Holm's correction over all pairs then holds the probability of any
false rank on the board to 5 %.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON, Estimator, Task
from sambench.metrics.significance import (
    MOST_DIRECT,
    Choosing,
    holm,
    p_of_apart,
    p_values,
    swaps_for,
)
from sambench.metrics.statistics import LEVEL, Estimate, Floats, Statistic, evaluated
from sambench.shown import Metric
from sambench.store.run import Run

log = logging.getLogger(__name__)

Pair = tuple[int, int]
"""Places of two lines in a list, the lower one first."""
FEWEST_IMAGES = 2
"""One image tells nothing of noise."""
MANY = 10**9
"""Images behind a number of which that is not known."""


@dataclass(frozen=True)
class Standing:
    """Where a line stands.

    Attributes:
        best: one more than the number of lines that are better beyond noise.
        worst: the last place of those that tie: the number of lines minus the number of worse ones.
        ties: places, in the list given, of the lines that it does not differ from beyond noise.
    """

    best: int
    worst: int
    ties: tuple[int, ...] = ()


def standings(
    values: Sequence[Estimate | None],
    *,
    lower: bool,
    p: Mapping[Pair, float] | None = None,
    images: int = MANY,
) -> list[Standing | None]:
    """Where each line stands; two that do not differ beyond noise have a rank in common.

    Who is better than one that is better than a third is better than the third, so that ranks
    follow from any pattern of noise.

    Args:
        values: of the metric to rank by, None or NaN where a line has none: that has no standing.
        lower: whether the lower value is the better one.
        p: of paired tests; where it is missing, values and intervals decide.
        images: that those are of.
    """
    known = {i: v for i, v in enumerate(values) if v is not None and not math.isnan(v.value)}
    tested = {
        (i, j): (p or {}).get((i, j), p_of_apart(known[i], known[j], images))
        for i, j in combinations(known, 2)
    }
    beats = np.zeros((len(values), len(values)), dtype=bool)
    apart = (pair for pair, value in holm(tested).items() if value <= 1 - LEVEL)
    for i, j in apart:
        better, worse = (i, j) if (known[i].value < known[j].value) == lower else (j, i)
        beats[better, worse] = known[i].value != known[j].value
    beats = _closed(beats)
    return [_standing(i, beats, known) if i in known else None for i in range(len(values))]


def _standing(i: int, beats: NDArray[np.bool_], known: Iterable[int]) -> Standing:
    better, worse = beats[:, i], beats[i]
    ties = tuple(j for j in known if j != i and not better[j] and not worse[j])
    best = 1 + int(better.sum())
    return Standing(best, best + len(ties), ties)


def _closed(beats: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The transitive closure (Warshall, 1962)."""
    closed = beats.copy()
    for k in range(len(closed)):
        closed |= np.outer(closed[:, k], closed[k])
    return closed


@dataclass(frozen=True)
class Together:
    """What the records of the runs of one board tell together.

    Attributes:
        runs: how many there are.
        records: task and records of each run that has all its records, by its place.
        every: the estimator of all these records, run after run, of which those of some runs are
            parts; None where it cannot be had in parts or tasks differ.
    """

    runs: int
    records: Mapping[int, tuple[Task, list[JSON]]]
    every: Statistic | None = None

    @property
    def images(self) -> int:
        """How many images each of them has."""
        return len(next(iter(self.records.values()))[1]) if self.records else 0

    def part(self, *places: int) -> Statistic | None:
        """The estimator of the records of some runs, one after the other, if it can be a part."""
        if self.every is None or self.every.part is None or not {*places} <= {*self.records}:
            return None
        order, images = list(self.records), np.arange(self.images)
        chosen = [order.index(place) * len(images) + images for place in places]
        return self.every.part(np.concatenate(chosen))

    def pair(self, i: int, j: int) -> tuple[Estimator, Estimator]:
        """For two runs, the estimator of each for the records of both: the first's, then j's."""
        shared = self.part(i, j)
        if shared is not None:
            return shared, shared
        (task, own), (other, others) = self.records[i], self.records[j]
        first = task.estimator([*own, *others])
        return first, first if task == other else other.estimator([*own, *others])


def read_together(runs: Sequence[Run]) -> Together:
    """Read the records of the runs of a board; there are none where fewer than two have theirs."""
    records = _records(runs)
    tasks = [task for task, _ in records.values()]
    if not tasks or any(task != tasks[0] for task in tasks):
        return Together(len(runs), records)
    every = tasks[0].estimator([record for _, own in records.values() for record in own])
    if isinstance(every, Statistic) and every.part is not None:
        return Together(len(runs), records, every)
    return Together(len(runs), records)


def paired_tests(together: Together, metric: Metric) -> dict[Pair, float]:
    """P of the difference of each two runs whose records are at hand.

    Args:
        together: the records of the runs of one board.
        metric: to rank by.
    """
    swaps = swaps_for(together.runs * (together.runs - 1) // 2)
    places, found = list(together.records), dict[Pair, float]()
    for number, i in enumerate(places[:-1], start=1):
        found |= _against(i, places[number:], together, metric.name, swaps)
    return found


def _against(
    i: int, others: Sequence[int], together: Together, metric: str, swaps: int
) -> dict[Pair, float]:
    """P of the difference of a run and each of some others.

    Of many images the swaps do not depend on the pair: they are drawn once for all of them.
    """
    images, every = together.images, together.every
    if images <= MOST_DIRECT or every is None or isinstance(every, Choosing):
        names = frozenset({metric})
        each = (p_values(*together.pair(i, j), images, swaps=swaps, names=names) for j in others)
        return {(i, j): p.get(metric, math.nan) for j, p in zip(others, each, strict=True)}
    both = _side_by_side({str(j): together.pair(i, j)[0] for j in others}, metric)
    p = p_values(both, both, images, swaps=swaps)
    return {(i, j): p.get(str(j), math.nan) for j in others}


def _side_by_side(estimators: Mapping[str, Estimator], metric: str) -> Statistic:
    """The estimator of one metric by several, each of as many records, under their names."""

    def many(weights: Floats, names: frozenset[str] | None) -> dict[str, Floats]:
        wanted = [name for name in estimators if names is None or name in names]
        found = {n: evaluated(estimators[n], weights, frozenset({metric})) for n in wanted}
        return {name: values[metric] for name, values in found.items() if metric in values}

    def one(counts: Floats) -> dict[str, float]:
        return {name: float(v[0]) for name, v in many(counts[None], None).items()}

    return Statistic(one, many)


def noise(run: Run, metric: str) -> Estimate | None:
    """A measured value with its interval, without end where the interval is not known."""
    found = run.result.metrics.get(metric)
    if found is None or (run.result.images >= FEWEST_IMAGES and not math.isnan(found.low)):
        return found
    return Estimate(found.value, -math.inf, math.inf)


def _records(runs: Sequence[Run]) -> dict[int, tuple[Task, list[JSON]]]:
    """Task and records of each run that has all its records, if there are two or more."""
    records = {i: [line["record"] for line in run.lines()] for i, run in enumerate(runs)}
    images = max(map(len, records.values()), default=0)
    whole = {i: found for i, found in records.items() if len(found) == images >= FEWEST_IMAGES}
    if len(whole) < 2:
        return {}
    try:
        return {i: (runs[i].task, found) for i, found in whole.items()}
    except UserError as error:
        log.warning("ranks of %s rest on intervals: %s", runs[0].result.task, error)
        return {}
