"""Intervals by methods that were tried beside the one in use, for `benchmarks.coverage`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats

from sambench.metrics.statistics import Floats, Statistic, evaluate

METHODS = (
    *("percentile", "BCa", "t-widened percentile", "basic", "jackknife-t", "subsampling"),
    "double bootstrap",
)
RESAMPLES = 200
Interval = tuple[float, float]


def candidates(statistic: Statistic, n: int, name: str, rng: np.random.Generator) -> Iterator[
    tuple[str, Interval]
]:  # fmt: skip
    """Intervals of one sample by the methods that were tried."""
    wanted = frozenset({name})
    value = statistic.one(np.ones(n))[name]
    counts = rng.multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(np.float64)
    draws = evaluate(statistic, counts, wanted)[name]
    left = evaluate(statistic, 1 - np.eye(n), wanted)[name]
    draws, left = draws[np.isfinite(draws)], np.where(np.isfinite(left), left, value)
    t = float(stats.t.ppf(0.975, n - 1))
    low, high = np.quantile(draws, [0.025, 0.975])
    wide = t / 1.96 * math.sqrt(n / (n - 1))
    error = math.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())
    yield "percentile", (low, high)
    yield "BCa", _bca(value, draws, left)
    yield "t-widened percentile", (value - wide * (value - low), value + wide * (high - value))
    yield "basic", (2 * value - high, 2 * value - low)
    yield "jackknife-t", (value - t * error, value + t * error)
    yield "subsampling", _extrapolated(statistic, n, name, value, rng)
    if n <= 30:
        yield "double bootstrap", _double(statistic, n, name, draws, counts, rng)


def _bca(value: float, draws: Floats, left: Floats) -> Interval:
    """Efron, Better bootstrap confidence intervals, JASA 82, 1987."""
    share = np.clip(np.mean(draws < value) + np.mean(draws == value) / 2, 0.002, 0.998)
    bias, gaps = stats.norm.ppf(share), left.mean() - left
    spread = (gaps**2).sum() ** 1.5
    skew = (gaps**3).sum() / (6 * spread) if spread > 0 else 0.0
    at = bias + stats.norm.ppf([0.025, 0.975])
    ends = np.quantile(draws, stats.norm.cdf(bias + at / (1 - skew * at)))
    return float(ends[0]), float(ends[1])


def _extrapolated(
    statistic: Statistic, n: int, name: str, value: float, rng: np.random.Generator
) -> Interval:
    """Half-samples: their spread, and the bias that halves and quarters extrapolate to."""

    def parts(size: int, number: int) -> Floats:
        places = rng.permuted(np.tile(np.arange(n), (number, 1)), axis=1)
        found = evaluate(statistic, (places < size).astype(np.float64), frozenset({name}))[name]
        return found[np.isfinite(found)]  # fmt: skip

    half, quarter = parts(n // 2, RESAMPLES // 2), parts(max(n // 4, 1), RESAMPLES // 2)
    first, second = half.mean() - value, quarter.mean() - half.mean()
    rate = min(max(first / second if second else 0.5, 0.0), 0.8)
    centre = value - first * rate / (1 - rate)
    reach = float(stats.t.ppf(0.975, n - 1)) * half.std(ddof=1)
    return centre - reach, centre + reach


def _double(
    statistic: Statistic, n: int, name: str, draws: Floats, counts: Floats,
    rng: np.random.Generator,
) -> Interval:  # fmt: skip
    """Percentile interval whose level a second bootstrap corrects (Hall, 1986)."""
    value, levels = statistic.one(np.ones(n))[name], []
    for row in counts[:25]:
        inner = rng.multinomial(n, row / row.sum(), 50).astype(np.float64)
        found = evaluate(statistic, inner, frozenset({name}))[name]
        levels.append(2 * abs(np.mean(found <= value) - 0.5))
    level = float(np.quantile(levels, 0.95))
    low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
