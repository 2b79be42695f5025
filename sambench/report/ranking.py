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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON, Estimator, Task
from sambench.metrics.significance import holm, p_of_apart, p_values, swaps_for
from sambench.metrics.statistics import LEVEL, Estimate, Statistic
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


def paired_tests(runs: Sequence[Run], metric: Metric) -> dict[Pair, float]:
    """P of the difference of each two runs of one protocol whose records are at hand.

    Args:
        runs: of one board.
        metric: to rank by.
    """
    records = _records(runs)
    swaps, names = swaps_for(len(runs) * (len(runs) - 1) // 2), frozenset({metric.name})
    estimators = _estimators(records)
    return {
        (i, j): p_values(*estimators(i, j), len(records[i][1]), swaps=swaps, names=names).get(
            metric.name, math.nan
        )
        for i, j in combinations(records, 2)
    }


_Recorded = tuple[Task, list[JSON]]


def _estimators(
    records: Mapping[int, _Recorded],
) -> Callable[[int, int], tuple[Estimator, Estimator]]:
    """For two runs, the estimator of each for the records of both: the first's, then the second's.

    Runs of one task share an estimator of all records, if it can be had in parts.
    """
    tasks = [task for task, _ in records.values()]
    if tasks and all(task == tasks[0] for task in tasks):
        every = tasks[0].estimator([record for _, own in records.values() for record in own])
        part = every.part if isinstance(every, Statistic) else None
        if part is not None:
            size = len(next(iter(records.values()))[1])
            places = {i: np.arange(size) + k * size for k, i in enumerate(records)}
            return lambda i, j: (part(np.concatenate([places[i], places[j]])),) * 2

    def made(i: int, j: int) -> tuple[Estimator, Estimator]:
        (task, own), (other, others) = records[i], records[j]
        first = task.estimator([*own, *others])
        return first, first if task == other else other.estimator([*own, *others])

    return made


def noise(run: Run, metric: str) -> Estimate | None:
    """A measured value with its interval, without end where the interval is not known."""
    found = run.result.metrics.get(metric)
    if found is None or (run.result.images >= FEWEST_IMAGES and not math.isnan(found.low)):
        return found
    return Estimate(found.value, -math.inf, math.inf)


def _records(runs: Sequence[Run]) -> dict[int, _Recorded]:
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
