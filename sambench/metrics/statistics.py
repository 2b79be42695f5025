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


def bootstrap(
    estimator: Estimator, images: int, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Estimate]:
    """Value and 95 % percentile interval of every metric of an estimator.

    Args:
        estimator: counts (images,) of how often each record is taken -> metrics.
        images: number of records.
        resamples: how many resamples; 0 leaves the intervals undefined (NaN).
        seed: of the random draws.
    """
    values = estimator(np.ones(images))
    draws = [estimator(counts) for counts in resample_counts(images, resamples, seed)]
    return {name: _estimate(value, [d[name] for d in draws]) for name, value in values.items()}


def _estimate(value: float, draws: list[float]) -> Estimate:
    defined = np.array([draw for draw in draws if np.isfinite(draw)])
    if not len(defined):
        return Estimate(value, float("nan"), float("nan"))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Mean of the values that are no NaN, NaN where no weight is left."""
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
