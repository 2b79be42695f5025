"""Who is better than whom beyond noise, and the ranks that follow.

A difference is beyond noise if the 95 % interval of the paired bootstrap leaves zero out: both
models on the same resamples of the images (see `sambench.store.comparing`). Where the records of
both are not at hand, it is if their intervals do not overlap, which asks for more: the half width
of the difference's interval is at most the sum of the two half widths. A number without an
interval, as papers print most, is taken as it stands.
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
from sambench.metrics.statistics import Estimate, Samples, paired, resample
from sambench.shown import Metric
from sambench.store.run import Run

log = logging.getLogger(__name__)

Pair = tuple[int, int]
"""Places of two lines in a list, the lower one first."""
FEWEST_IMAGES = 2
"""One image tells nothing of noise: its interval has no width."""


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
    differences: Mapping[Pair, Estimate] | None = None,
) -> list[Standing | None]:
    """Where each line stands; two that do not differ beyond noise have a rank in common.

    Who is better than one that is better than a third is better than the third, so that ranks
    follow from any pattern of noise.

    Args:
        values: of the metric to rank by, None or NaN where a line has none: that has no standing.
        lower: whether the lower value is the better one.
        differences: of the paired bootstrap, second less first; where they are missing, intervals
            decide.
    """
    spans = {i: span for i, v in enumerate(values) if (span := _span(v, lower=lower)) is not None}
    beats = np.zeros((len(values), len(values)), dtype=bool)
    for i, j in combinations(spans, 2):
        sign = _sign(spans[i], spans[j], (differences or {}).get((i, j)), lower=lower)
        beats[i, j], beats[j, i] = sign > 0, sign < 0
    beats = _closed(beats)
    return [_standing(i, beats, spans) if i in spans else None for i in range(len(values))]


def _standing(i: int, beats: NDArray[np.bool_], known: Iterable[int]) -> Standing:
    better, worse = beats[:, i], beats[i]
    ties = tuple(j for j in known if j != i and not better[j] and not worse[j])
    best = 1 + int(better.sum())
    return Standing(best, best + len(ties), ties)


_Span = tuple[float, float, float]


def _span(estimate: Estimate | None, *, lower: bool) -> _Span | None:
    """Low, value, high with higher as better; a value without interval is a point."""
    if estimate is None or math.isnan(estimate.value):
        return None
    bounds = [estimate.low, estimate.value, estimate.high]
    sign = -1.0 if lower else 1.0
    low, value, high = sorted(sign * (estimate.value if math.isnan(b) else b) for b in bounds)
    return low, value, high


def _sign(first: _Span, second: _Span, difference: Estimate | None, *, lower: bool) -> int:
    """1 if the first is better beyond noise, -1 if the second is, else 0."""
    if difference is None:
        return (first[0] > second[2]) - (second[0] > first[2])
    low, high = difference.low, difference.high
    if lower:
        low, high = -high, -low
    # The value has to lie on the same side: a skewed bootstrap must not turn the order round.
    return (high < 0 and first[1] > second[1]) - (low > 0 and second[1] > first[1])


def _closed(beats: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The transitive closure (Warshall, 1962)."""
    closed = beats.copy()
    for k in range(len(closed)):
        closed |= np.outer(closed[:, k], closed[k])
    return closed


def paired_differences(runs: Sequence[Run], metric: Metric) -> dict[Pair, Estimate]:
    """Differences between runs of one protocol whose records are at hand, second less first.

    Only of pairs whose intervals overlap: of the others it is known to be beyond noise.
    """
    values = [noise(run, metric.name) for run in runs]
    alone = standings(values, lower=metric.lower_is_better)
    near = [(i, j) for i, own in enumerate(alone) if own for j in own.ties if i < j]
    samples = _samples(runs, sorted({i for pair in near for i in pair}))
    both = [(i, j) for i, j in near if i in samples and j in samples]
    return {(i, j): paired(samples[i], samples[j], metric.name) for i, j in both}


def noise(run: Run, metric: str) -> Estimate | None:
    """A measured value with its interval, without end where the interval is not known."""
    found = run.result.metrics.get(metric)
    if found is None or (run.result.images >= FEWEST_IMAGES and not math.isnan(found.low)):
        return found
    return Estimate(found.value, -math.inf, math.inf)


def _samples(runs: Sequence[Run], wanted: Sequence[int]) -> dict[int, Samples]:
    """The same resamples of each run that has all its records."""
    records = {i: [line["record"] for line in runs[i].lines()] for i in wanted}
    images = max(map(len, records.values()), default=0)
    whole = {i: found for i, found in records.items() if len(found) == images >= FEWEST_IMAGES}
    if len(whole) < 2:
        return {}
    try:
        tasks = {i: runs[i].task for i in whole}
    except UserError as error:
        log.warning("ranks of %s rest on intervals: %s", runs[0].result.task, error)
        return {}
    estimators = [tasks[i].estimator(found) for i, found in whole.items()]
    return dict(zip(whole, resample(estimators, images), strict=True))
