"""How sure a number is: intervals from the records of images.

Images are what was drawn at random, never single objects: those of one image are not independent.
Which method holds its 95 % was measured, see docs/statistics.md and benchmarks/coverage.py.

* Standard error: the jackknife over images, or over random groups of them (Tukey 1958; about the
  value itself, as MacKinnon and White, Journal of Econometrics 29, 1985, advise for few).
* How many standard errors: Student's quantile, or that of the studentized bootstrap of the
  jackknife's pseudo-values where it is larger: symmetric, as Hall, JRSS B 50, 1988, advises.
* What of few images is biased, such as AP: halves of the images tell by how much (`bias_range`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import Estimator
from sambench.metrics.student import LEVEL as LEVEL
from sambench.metrics.student import student

RESAMPLES = 1000
FEWEST_GROUPS = 20
MOST_ERRORS = 10.0
"""Standard errors beyond which an interval of a metric that most images lack is no help."""
BATCH = 64
"""Weightings that are computed at once."""

Floats = NDArray[np.float64]
Many = Callable[[Floats, frozenset[str] | None], dict[str, Floats]]
"""Weightings (B, n) and the names wanted, None for all -> (B,) of each metric."""


@dataclass(frozen=True)
class Kind:
    """A kind of metric, as far as intervals differ.

    Attributes:
        fewest: images below which no method tried holds its level on all populations of the study.
        biased: whether few images give too high a value, as of means over the categories that
            happen to occur.
        reason: why there are no intervals below, a clause.
        total: whether it is a sum over images, which fewer of them make smaller, and no mean.
    """

    fewest: int
    biased: bool
    reason: str
    total: bool = False


MEAN = Kind(5, False, "intervals from fewer than 5 images do not hold 95 %")
TOTAL = Kind(MEAN.fewest, False, MEAN.reason, total=True)
RECALL = Kind(30, True, "intervals of AR from fewer than 30 images do not hold 95 %")
PRECISION = Kind(
    300, True, "AP of fewer than 300 images is biased upward, more than an interval can say"
)
ONE_CATEGORY = Kind(30, True, "AP of a category on fewer than 30 images is biased upward")
CATEGORIES = Kind(
    30, True, "a mean over the categories of fewer than 30 images depends on which ones occur"
)


@dataclass(frozen=True)
class Statistic:
    """An estimator that says more of itself than a plain function can.

    Attributes:
        one: counts (n,) of how often each record is taken -> metrics.
        many: the same for many counts at once, equal but for rounding; None: one at a time.
        kinds: of metrics by name; others are `MEAN`.
        part: places of records -> the estimator of these alone, without reading them again.
    """

    one: Estimator
    many: Many | None = None
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    part: Callable[[NDArray[np.int64]], Statistic] | None = None

    def __call__(self, counts: Floats) -> dict[str, float]:
        """The metrics where record i is taken counts[i] times."""
        return self.one(counts)


def kinds_of(estimator: Estimator) -> Mapping[str, Kind]:
    """Kinds of an estimator's metrics by name, as far as they are not `MEAN`."""
    return estimator.kinds if isinstance(estimator, Statistic) else {}


@dataclass(frozen=True)
class Estimate:
    """A metric's value with its confidence interval; NaN where it is not defined.

    Attributes:
        value, low, high: the value and the ends of its interval.
        withheld: why there is no interval, a clause; "" where there is one or none was asked for.
        bias: by how much too high the value may be, from halves of the images; None where its kind
            is not biased or nothing is known.
    """

    value: float
    low: float
    high: float
    withheld: str = ""
    bias: float | None = None


def evaluate(
    estimator: Estimator, weights: Iterable[Floats], names: frozenset[str] | None = None
) -> dict[str, Floats]:
    """Metrics of many weightings, as many at once as the estimator takes.

    Args:
        estimator: of n records.
        weights: B times (n,).
        names: metrics that are wanted at least; all if None.

    Returns:
        (B,) for each metric.
    """
    parts = [evaluated(estimator, batch, names) for batch in _batches(weights)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def evaluated(
    estimator: Estimator, weights: Floats, names: frozenset[str] | None
) -> dict[str, Floats]:
    """As `evaluate`, of weightings (B, n) that are few enough to be computed at once."""
    if isinstance(estimator, Statistic) and estimator.many is not None:
        return estimator.many(weights, names)
    rows = [estimator(row) for row in weights]
    wanted = rows[0].keys() if names is None else rows[0].keys() & names
    return {name: np.array([row[name] for row in rows], dtype=np.float64) for name in wanted}


def _batches(weights: Iterable[Floats]) -> Iterator[Floats]:
    rows: list[Floats] = []
    for row in weights:
        rows.append(row)
        if len(rows) == BATCH:
            yield np.stack(rows)
            rows = []
    if rows:
        yield np.stack(rows)


def difference(first: Estimator, second: Estimator) -> Statistic:
    """The estimator of second less first, of the metrics that both have.

    Args:
        first: of n records.
        second: of as many, of the same images.
    """

    def one(counts: Floats) -> dict[str, float]:
        a, b = first(counts), second(counts)
        return {name: b[name] - a[name] for name in a if name in b}

    def many(weights: Floats, names: frozenset[str] | None) -> dict[str, Floats]:
        a, b = (evaluated(each, weights, names) for each in (first, second))
        return {name: b[name] - a[name] for name in a if name in b}

    return Statistic(one, many, kinds_of(first))


def estimates(
    estimator: Estimator,
    images: int,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    names: frozenset[str] | None = None,
) -> dict[str, Estimate]:
    """Value and 95 % interval of every metric of an estimator.

    Args:
        estimator: counts (images,) of how often each record is taken -> metrics.
        images: number of records.
        resamples: of the bootstrap; a fifth as many groups of images are left out in turn, and
            halves taken. 0 leaves the intervals undefined (NaN).
        seed: of the random groups, halves and draws.
        names: metrics that are wanted; all if None.
    """
    value = estimator(np.ones(images))
    wanted = [name for name in value if names is None or name in names]
    if not resamples or images < 2:
        return {name: Estimate(value[name], math.nan, math.nan) for name in wanted}
    kinds = {name: kinds_of(estimator).get(name, MEAN) for name in wanted}
    groups = image_groups(images, max(resamples // 5, FEWEST_GROUPS), np.random.default_rng(seed))
    left = evaluate(estimator, (1.0 - group for group in groups), frozenset(wanted))
    for name in (name for name, kind in kinds.items() if kind.total):
        left[name] *= [images / (images - group.sum()) for group in groups]
    spreads = _spreads({n: _changes(left[n], value[n]) for n in wanted}, resamples, seed)
    biased = frozenset(name for name, kind in kinds.items() if kind.biased)
    biases = _biases(estimator, images, value, biased, resamples, seed)
    size = images / len(groups)
    return {
        name: _estimate(value[name], kinds[name], spreads[name], biases.get(name), size)
        for name in wanted
    }


@dataclass(frozen=True)
class Spread:
    """How far a value is off by chance.

    Attributes:
        error: standard error.
        critical: how many of them to either side; infinite where nothing can be said.
        informative: groups of images that bear on the value at all.
    """

    error: float
    critical: float
    informative: int


def image_groups(images: int, most: int, rng: np.random.Generator) -> list[Floats]:
    """Random groups of images of about equal size: (images,) of 0 and 1, each image in one."""
    number = math.ceil(images / math.ceil(images / most))
    member = rng.permutation(np.arange(images) % number)
    return [(member == group).astype(np.float64) for group in range(number)]


def _changes(values: Floats, value: float) -> Floats:
    """Values less one of them, those of mere rounding exactly 0."""
    changes = values - value
    changes[np.abs(changes) <= 1e-12 * abs(value)] = 0.0
    return changes


def _spreads(changes: Mapping[str, Floats], resamples: int, seed: int) -> dict[str, Spread]:
    """Spread of each metric, from how it changes as each of G groups is left out, (G,)."""
    table = np.stack(list(changes.values()), axis=1)
    informative = (table != 0).sum(axis=0)  # NaN bears on it too: nothing else does
    error = np.sqrt((table**2).sum(axis=0))
    quantile = student(np.maximum(informative - 1, 1))
    critical = np.maximum(quantile, _studentized(table - table.mean(axis=0), resamples, seed))
    critical[(informative < len(table)) & (critical > MOST_ERRORS)] = np.inf
    return {
        name: Spread(float(error[i]), float(critical[i]), int(informative[i]))
        for i, name in enumerate(changes)
    }


def _studentized(values: Floats, resamples: int, seed: int) -> Floats:
    """Quantile of |t| over resamples of centred values (G, metrics); 0 where all are equal."""
    rng = np.random.default_rng([seed, 1])
    groups = len(values)
    share = np.full(groups, 1 / groups)
    counts = rng.multinomial(groups, share, resamples).astype(np.float64)
    mean = counts @ values / groups
    # Products leave a rounding error where all that was drawn is equal.
    variance = counts @ values**2 / groups - mean**2
    floor = 1e-12 * (values**2).mean(axis=0)
    t = np.sqrt(np.divide(mean**2, variance, out=np.zeros_like(mean), where=variance > floor))
    t[(variance <= floor) & (mean**2 > floor)] = np.inf
    t[np.isnan(t)] = np.inf
    quantile: Floats = np.quantile(t, LEVEL, axis=0, method="higher")
    return quantile * math.sqrt(groups - 1)


def _biases(
    estimator: Estimator,
    images: int,
    value: Mapping[str, float],
    names: frozenset[str],
    resamples: int,
    seed: int,
) -> dict[str, float]:
    """How much higher each metric is of half the images, on average over random halves.

    Both halves of each split are taken: what is linear in the images then cancels.
    """
    if not names:
        return {}
    rng = np.random.default_rng([seed, 2])

    def halves() -> Iterator[Floats]:
        for _ in range(max(resamples // 10, 1)):
            half = (rng.permutation(images) < images // 2).astype(np.float64)
            yield half
            yield 1.0 - half

    found = evaluate(estimator, halves(), names)
    known = {name: found[name][np.isfinite(found[name])] for name in names}
    return {name: float(v.mean()) - value[name] for name, v in known.items() if len(v)}


def bias_range(halving: float) -> tuple[float, float]:
    """Least and greatest bias of a value that halves of its images exceed by so much.

    Bias falls as n^-g with the number of images: then halving adds (2^g - 1) times the bias. For a
    smooth statistic g is 1, and less for means over categories that may not occur, or do so seldom;
    bias is taken to lie between none and that of g = 1/3. Extrapolation from subsamples: Bickel and
    Yahav, JASA 83, 1988; Bertail, Politis and Romano, JASA 94, 1999. An interval that holds for
    each bias in a range: Armstrong and Kolesar, Quantitative Economics 11, 2020.
    """
    slow = halving / (math.cbrt(2) - 1)
    return min(0.0, slow), max(0.0, slow)


def _estimate(
    value: float, kind: Kind, spread: Spread, halving: float | None, size: float
) -> Estimate:
    """The interval of one metric, or why there is none."""
    least, most = (0.0, 0.0) if halving is None else bias_range(halving)
    bias = None if halving is None else max(most, 0.0)
    if math.isnan(value):
        return Estimate(value, math.nan, math.nan)
    half = spread.critical * spread.error if spread.error > 0 else spread.error
    withheld = ""
    if 0 < spread.informative * size < kind.fewest:
        withheld = kind.reason
    elif not math.isfinite(half):
        withheld = "it rests on too few of the images"
    if withheld:
        return Estimate(value, math.nan, math.nan, withheld, bias)
    return Estimate(value, value - most - half, value - least + half, "", bias)


def weighted_mean(values: Floats, weights: Floats) -> float:
    """Mean of the values that are not NaN, NaN where no weight is left."""
    known = np.isfinite(values)
    total = weights[known].sum()
    return float((values[known] * weights[known]).sum() / total) if total > 0 else float("nan")


def ratios(values: Mapping[str, Sequence[Sequence[float]]]) -> Statistic:
    """Estimator of means over objects that are grouped by image.

    Args:
        values: for each metric, for each image, the values of its objects.

    Returns:
        Counts of the images -> mean over all objects, NaN where there is none.
    """
    sums = np.array([[float(np.sum(image)) for image in rows] for rows in values.values()])
    sizes = np.array([[len(image) for image in rows] for rows in values.values()], dtype=float)
    return quotients(list(values), sums, sizes)


def by_group(groups: Sequence[Sequence[int]], values: Sequence[Sequence[float]]) -> Statistic:
    """Estimator of means over objects of each group.

    Args:
        groups: for each image, the group of each of its objects, such as its category.
        values: for each image, the value of each of its objects.

    Returns:
        Counts of the images -> mean by group, whose names are those of the groups.
    """
    names, group = np.unique(np.concatenate([*map(_integers, groups)]), return_inverse=True)
    image = np.repeat(np.arange(len(groups)), [len(row) for row in groups])
    sums, sizes = np.zeros((2, len(names), len(groups)))
    np.add.at(sums, (group, image), np.concatenate([*map(_floats, values)]))
    np.add.at(sizes, (group, image), 1.0)
    return quotients([str(name) for name in names.tolist()], sums, sizes)


def quotients(names: Sequence[str], above: Floats, below: Floats) -> Statistic:
    """Estimator of ratios of sums over images.

    Args:
        names: of M metrics.
        above: (M, n) what each image adds to the numerator.
        below: (M, n) what it adds to the denominator, whose sum may be 0: then it is NaN.
    """

    def one(counts: Floats) -> dict[str, float]:
        totals, numbers = above @ counts, below @ counts
        return {
            name: float(total / number) if number else float("nan")
            for name, total, number in zip(names, totals, numbers, strict=True)
        }

    def many(weights: Floats, wanted: frozenset[str] | None) -> dict[str, Floats]:
        rows = [i for i, name in enumerate(names) if wanted is None or name in wanted]
        totals, numbers = above[rows] @ weights.T, below[rows] @ weights.T
        values = np.divide(totals, numbers, out=np.full(totals.shape, np.nan), where=numbers != 0)
        return {names[row]: values[i] for i, row in enumerate(rows)}

    def part(places: NDArray[np.int64]) -> Statistic:
        return quotients(names, above[:, places], below[:, places])

    return Statistic(one, many, part=part)


def _integers(row: Sequence[int]) -> NDArray[np.int64]:
    return np.asarray(row, dtype=np.int64)


def _floats(row: Sequence[float]) -> Floats:
    return np.asarray(row, dtype=np.float64)
