"""Intervals from records: the bootstrap over images.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13: the percentile interval.
Images are drawn with replacement, never single objects, because the objects of one image are not
independent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import Estimator

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A metric's value with its confidence interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


def resample_counts(images: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each image is drawn, (images,) float, for each resample."""
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = rng.integers(0, images, images)
        yield np.bincount(drawn, minlength=images).astype(np.float64)


@dataclass(frozen=True)
class Samples:
    """The metrics of one estimator: of the images as they are, and of each resample of them."""

    value: dict[str, float]
    draws: list[dict[str, float]]

    def drawn(self, name: str) -> NDArray[np.float64]:
        """A metric of each resample, (resamples,); NaN where it is not defined."""
        return np.array([draw[name] for draw in self.draws], dtype=np.float64)


def resample(
    estimators: Sequence[Estimator], images: int, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Samples]:
    """Metrics of estimators of the same images, whose resamples are the same too: paired.

    Args:
        estimators: each takes counts (images,) of how often each record is taken.
        images: number of records; a single one is not resampled, as nothing would change.
        resamples: how many.
        seed: of the random draws.
    """
    samples = [Samples(estimator(np.ones(images)), []) for estimator in estimators]
    for counts in resample_counts(images, resamples if images > 1 else 0, seed):
        for estimator, sample in zip(estimators, samples, strict=True):
            sample.draws.append(estimator(counts))
    return samples


def bootstrap(
    estimator: Estimator, images: int, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Estimate]:
    """Value and 95 % percentile interval of every metric of an estimator.

    Args:
        estimator: counts (images,) of how often each record is taken -> metrics.
        images: number of records; of a single one the intervals are not defined.
        resamples: how many resamples; 0 leaves the intervals undefined (NaN).
        seed: of the random draws.
    """
    (samples,) = resample([estimator], images, resamples=resamples, seed=seed)
    return {
        name: Estimate(value, *interval(samples.drawn(name)))
        for name, value in samples.value.items()
    }


def interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of a metric's resamples, those where it is not defined left out."""
    defined = draws[np.isfinite(draws)]
    if not len(defined):
        return float("nan"), float("nan")
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def paired(first: Samples, second: Samples, name: str) -> Estimate:
    """Second less first of a metric, from the same resamples of the same images."""
    low, high = interval(second.drawn(name) - first.drawn(name))
    return Estimate(second.value[name] - first.value[name], low, high)


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Mean of the values that are not NaN, NaN where no weight is left."""
    known = np.isfinite(values)
    total = weights[known].sum()
    return float((values[known] * weights[known]).sum() / total) if total > 0 else float("nan")


def ratios(values: Mapping[str, Sequence[Sequence[float]]]) -> Estimator:
    """Estimator of means over objects that are grouped by image.

    Args:
        values: for each metric, for each image, the values of its objects.

    Returns:
        Counts of the images -> mean over all objects, NaN where there is none.
    """
    sums = np.array([[float(np.sum(image)) for image in rows] for rows in values.values()])
    sizes = np.array([[len(image) for image in rows] for rows in values.values()], dtype=float)

    def estimate(counts: NDArray[np.float64]) -> dict[str, float]:
        totals, numbers = sums @ counts, sizes @ counts
        return {
            name: float(total / number) if number else float("nan")
            for name, total, number in zip(values, totals, numbers, strict=True)
        }

    return estimate


def by_group(groups: Sequence[Sequence[int]], values: Sequence[Sequence[float]]) -> Estimator:
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

    def estimate(counts: NDArray[np.float64]) -> dict[str, float]:
        totals, numbers = sums @ counts, sizes @ counts
        return {
            str(name): float(total / number) if number else float("nan")
            for name, total, number in zip(names.tolist(), totals, numbers, strict=True)
        }

    return estimate


def _integers(row: Sequence[int]) -> NDArray[np.int64]:
    return np.asarray(row, dtype=np.int64)


def _floats(row: Sequence[float]) -> NDArray[np.float64]:
    return np.asarray(row, dtype=np.float64)
