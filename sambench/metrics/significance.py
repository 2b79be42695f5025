"""Whether two models differ: a randomization test over images, and its correction for many pairs.

If two models were equal, it would not matter which of them made which of an image's two records.
So records are swapped, or not, image by image, and the metric's difference is computed anew: p is
the share of swaps whose difference is as large as the measured one. That holds for any metric and
any number of images (approximate randomization: Noreen, Computer-Intensive Methods for Testing
Hypotheses, 1989; of few images all swaps are made, which is Fisher's exact test).

What a metric chooses on all images, as ODS its threshold, is chosen once by each model on its own
records, and these are swapped as they are there: thresholds of two models need not be on one scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import Estimator
from sambench.metrics.statistics import LEVEL, Estimate, Floats, Statistic, evaluated, image_groups

SWAPS = 10_000
ENOUGH = 50
"""Swaps as far apart as the measured difference after which p is known well enough."""
BLOCK = 128
MOST_DIRECT = 500
"""Of more images, groups are swapped, and their shares of the difference added up."""
GROUPS = 200
POWER = 1.96 + 0.84
"""Standard errors that a difference must have to be found at 5 % in 80 % of studies."""
FEWEST_IMAGES = math.ceil(1 + math.log2(1 / (1 - LEVEL)))
"""Fewer never give a p of .05: all n speak for one model with p = 2^(1-n)."""
_ROUNDING, _ZERO = 1e-9, 1e-12
"""Relative and absolute: what sums in another order may differ by."""
Key = TypeVar("Key")


@dataclass(frozen=True)
class Choosing(Statistic):
    """An estimator that chooses something on all records, as ODS does a threshold.

    Attributes:
        settled: sides of records (n,) -> the estimator with what is chosen fixed, for the records
            of each side to what these alone would choose.
    """

    settled: Callable[[NDArray[np.int64]], Statistic] = field(kw_only=True)


def p_values(
    first: Estimator,
    second: Estimator,
    images: int,
    *,
    swaps: int = SWAPS,
    seed: int = 0,
    names: frozenset[str] | None = None,
) -> dict[str, float]:
    """Two-sided p of each metric's difference.

    Args:
        first: estimator of the first model, of 2 x images records: its own, then the second's.
        second: the same of the second model, whose task may differ in options.
        images: how many both have.
        swaps: how many to try; all of them where there are no more. Fewer are tried once each p is
            known well enough (Besag and Clifford, Biometrika 78, 1991).
        seed: of the swaps.
        names: metrics that are wanted; all if None.

    Returns:
        p by name; NaN where the difference is not defined.
    """
    alike = first is second
    first = _settled(first, images)
    second = first if alike else _settled(second, images)
    if images > MOST_DIRECT:
        return _linear(first, second, images, swaps, seed, names)
    exact = images - 1 <= math.log2(max(swaps, 1))
    patterns = _all_swaps(images) if exact else _some_swaps(images, swaps, seed)
    measured = _differences(first, second, np.zeros((1, images)), names)
    least = {name: abs(float(v[0])) * (1 - _ROUNDING) - _ZERO for name, v in measured.items()}
    reached, tried = dict.fromkeys(least, 0), 0
    for block in patterns:
        tried += len(block)
        for name, found in _differences(first, second, block, names).items():
            # Where a swap leaves a metric undefined, it must not speak for a difference.
            reached[name] += int((~(np.abs(found) < least[name])).sum())
        if not exact and min(reached.values()) >= ENOUGH:
            break
    more = 0 if exact else 1
    return {
        name: math.nan if math.isnan(least[name]) else (count + more) / (tried + more)
        for name, count in reached.items()
    }


def _settled(estimator: Estimator, images: int) -> Estimator:
    """An estimator of both models' records with each held to what its own model's choose."""
    if isinstance(estimator, Choosing):
        return estimator.settled(np.repeat([0, 1], images))
    return estimator


def _all_swaps(images: int) -> Iterator[Floats]:
    """All swaps in blocks, but for mirror images, whose differences have only the sign turned."""
    for start in range(0, 2 ** (images - 1), BLOCK):
        numbers = np.arange(start, min(start + BLOCK, 2 ** (images - 1)))
        yield ((numbers[:, None] >> np.arange(images)) & 1).astype(np.float64)


def _some_swaps(images: int, swaps: int, seed: int) -> Iterator[Floats]:
    """Random swaps in blocks."""
    rng = np.random.default_rng(seed)
    for start in range(0, swaps, BLOCK):
        rows = min(BLOCK, swaps - start)
        bits = np.frombuffer(rng.bytes(rows * -(-images // 8)), dtype=np.uint8)
        yield np.unpackbits(bits.reshape(rows, -1), axis=1, count=images).astype(np.float64)


def _linear(
    first: Estimator,
    second: Estimator,
    images: int,
    swaps: int,
    seed: int,
    names: frozenset[str] | None,
) -> dict[str, float]:
    """As `p_values`, of what groups of many images add to the difference.

    A group's share is the difference if it alone is not swapped and every other record counts half
    for either side. Swaps of a group turn the sign of its share and leave the others', so the test
    of their sum is as exact as that of the difference, which for many images is nearly that sum.
    """
    rng = np.random.default_rng(seed)
    groups = image_groups(images, GROUPS, rng)
    batches = [groups[start : start + BLOCK] for start in range(0, len(groups), BLOCK)]
    parts = [_differences(first, second, 0.5 - 0.5 * np.stack(b), names) for b in batches]
    signs = 1.0 - 2.0 * rng.integers(0, 2, (swaps, len(groups)))
    found = {}
    for name in parts[0]:
        shares = np.concatenate([part[name] for part in parts])
        least = abs(float(shares.sum())) * (1 - _ROUNDING) - _ZERO
        reached = int((~(np.abs(signs @ shares) < least)).sum())
        found[name] = math.nan if math.isnan(least) else (reached + 1) / (swaps + 1)
    return found


def _differences(
    first: Estimator, second: Estimator, swapped: Floats, names: frozenset[str] | None
) -> dict[str, Floats]:
    """Second less first for swaps (B, images), where 1 swaps an image's records."""
    kept = 1.0 - swapped
    a = evaluated(first, np.concatenate([kept, swapped], axis=1), names)
    b = evaluated(second, np.concatenate([swapped, kept], axis=1), names)
    wanted = (name for name in a if name in b and (names is None or name in names))
    return {name: b[name] - a[name] for name in wanted}


def holm(p: Mapping[Key, float]) -> dict[Key, float]:
    """P of each of several hypotheses, corrected: at most .05 for any true one in 5 % of studies.

    Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6, 1979.

    Args:
        p: of each hypothesis; NaN stays, and counts as one of them.
    """
    corrected, least = dict[Key, float](), 0.0
    ordered = sorted(p.items(), key=lambda item: math.inf if math.isnan(item[1]) else item[1])
    for number, (key, value) in enumerate(ordered):
        least = max(least, min((len(p) - number) * value, 1.0))
        corrected[key] = math.nan if math.isnan(value) else least
    return corrected


def images_to_settle(difference: Estimate, images: int) -> int | None:
    """How many images would find a difference of this size, in four of five studies.

    Args:
        difference: with its interval, from so many images.
        images: how many.

    Returns:
        Their number, no less than any star takes; None where the difference is 0 or its interval is
        not known.
    """
    half = (difference.high - difference.low) / 2
    if not math.isfinite(half) or not difference.value:
        return None
    error = half / 1.96
    return max(math.ceil(images * (POWER * error / difference.value) ** 2), FEWEST_IMAGES)


def swaps_for(pairs: int) -> int:
    """Swaps that tell apart p values as small as Holm's correction of so many pairs asks for."""
    return max(1000, math.ceil(2 * pairs / (1 - LEVEL)))


def p_of_apart(first: Estimate, second: Estimate, images: int) -> float:
    """P of a difference of which only both intervals are known, as if the images were others.

    Models on the same images vary together, so that the true p is smaller. A value without an
    interval, as papers print most, is taken as exact.

    Args:
        first: value and interval.
        second: value and interval.
        images: that each is of, for Student's t.
    """
    from scipy.special import stdtr, stdtrit

    halves = [_half(first), _half(second)]
    both, gap = math.hypot(*halves), abs(second.value - first.value)
    if both == 0 or not math.isfinite(both):
        return float(both != 0 or gap == 0)
    degrees = max(images - 1, 1)
    t = float(stdtrit(degrees, (1 + LEVEL) / 2)) * gap / both
    return 2 * float(stdtr(degrees, -t))


def _half(estimate: Estimate) -> float:
    half = (estimate.high - estimate.low) / 2
    return 0.0 if math.isnan(half) else half
