"""Estimators of several kinds of the same metrics, told apart by what their names begin with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sambench.metrics.statistics import Statistic, evaluated

V = TypeVar("V")


def prefixed(parts: Mapping[str, Statistic], kept: Callable[[str, str], bool]) -> Statistic:
    """The metrics of several estimators of the same records.

    Args:
        parts: by what the names of its metrics begin with; no name begins with another's, but "".
        kept: whether to keep a metric, from that and its name behind it.
    """

    def joined(values: Mapping[str, Mapping[str, V]]) -> dict[str, V]:
        return {
            f"{start}{name}": value
            for start, found in values.items()
            for name, value in found.items()
            if kept(start, name)
        }

    def one(weights: NDArray[np.float64]) -> dict[str, float]:
        return joined({start: part(weights) for start, part in parts.items()})

    def many(
        weights: NDArray[np.float64], names: frozenset[str] | None
    ) -> dict[str, NDArray[np.float64]]:
        wanted = {start: _own(start, parts, names) for start in parts}
        return joined({
            start: evaluated(part, weights, wanted[start])
            for start, part in parts.items()
            if wanted[start] != frozenset()
        })  # fmt: skip

    return Statistic(one, many, joined({start: part.kinds for start, part in parts.items()}))


def _own(
    start: str, parts: Mapping[str, Statistic], names: frozenset[str] | None
) -> frozenset[str] | None:
    """Those of the names that begin so, without that beginning; None for all."""
    if names is None:
        return None
    others = tuple(other for other in parts if other)
    own = (n for n in names if (n.startswith(start) if start else not n.startswith(others)))
    return frozenset(name.removeprefix(start) for name in own)
