"""Recall, precision and F of boundaries from the counts of images: ODS, OIS, AP and R50.

P. Arbelaez, M. Maire, C. Fowlkes and J. Malik, "Contour detection and hierarchical image
segmentation", PAMI 2011, section 3; the counts are those of `sambench.metrics.edges.boundaries`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.metrics.edges.boundaries import Floats, threshold_values
from sambench.metrics.significance import Choosing
from sambench.metrics.statistics import Statistic


@dataclass(frozen=True)
class BoundaryScores:
    """What the counts of a set of images come to.

    Attributes:
        ods: F at the one threshold that is best for the whole set (optimal dataset scale), found on
            the curve that joins the thresholds linearly in recall and precision.
        ois: F of the sum of each image's counts at its own best threshold (optimal image scale).
        ap: average precision, the precision interpolated at recall 0, 0.01 ... 1.
        r50: recall at precision 0.5, or at the lowest precision there is if that is higher; NaN if
            no threshold reaches it.
        threshold, recall, precision: where ODS is reached.
        ois_recall, ois_precision: recall and precision of OIS.
        curve: (T, 3) recall, precision, F at each threshold, from the lowest.
    """

    ods: float
    ois: float
    ap: float
    r50: float
    threshold: float
    recall: float
    precision: float
    ois_recall: float
    ois_precision: float
    curve: Floats


def boundary_scores(counts: NDArray[Any], weights: NDArray[Any] | None = None) -> BoundaryScores:
    """Score a set of images from their counts.

    Args:
        counts: (N, T, 4) of `edge_counts`.
        weights: (N,) how often each image counts; once if None.

    Raises:
        UserError: the counts have another shape.
    """
    table = _checked_counts(counts)
    often = np.ones(len(table)) if weights is None else np.asarray(weights, dtype=np.float64)
    return _scores(table, _best_rows(table), often)


def boundary_estimator(counts: NDArray[Any]) -> Choosing:
    """ODS, OIS, AP and R50 as a function of how often each image counts.

    Args:
        counts: (N, T, 4) of `edge_counts`.

    Returns:
        A function of weights (N,).
    """
    table = _checked_counts(counts)
    best = _best_rows(table)

    def estimate(weights: Floats) -> dict[str, float]:
        scores = _scores(table, best, np.asarray(weights, dtype=np.float64))
        return {"ODS": scores.ods, "OIS": scores.ois, "AP": scores.ap, "R50": scores.r50}

    def many(weights: Floats, names: frozenset[str] | None) -> dict[str, Floats]:
        curves = _curve((weights @ table.reshape(len(table), -1)).reshape(-1, *table.shape[1:]))
        found = {"ODS": _optima(curves), "OIS": _curve(weights @ best)[:, 2]}
        if names is None or names & {"AP", "R50"}:
            areas = np.array([_areas(curve[:, 0], curve[:, 1]) for curve in curves])
            found |= {"AP": areas[:, 0], "R50": areas[:, 1]}
        return found

    def settled(sides: NDArray[np.int64]) -> Statistic:
        rows = _side_rows(table, sides)

        def one(weights: Floats) -> dict[str, float]:
            return {**estimate(weights), "ODS": float(_curve(weights @ rows)[2])}

        def all_of(weights: Floats, names: frozenset[str] | None) -> dict[str, Floats]:
            ods = {"ODS": _curve(weights @ rows)[:, 2]}
            return ods if names == frozenset({"ODS"}) else {**many(weights, names), **ods}

        return Statistic(one, all_of)

    return Choosing(estimate, many, settled=settled)


def _checked_counts(counts: NDArray[Any]) -> Floats:
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 3 or table.shape[2] != 4 or not table.size:
        raise UserError(
            f"boundary counts must be (images, thresholds, 4), got {table.shape}; "
            "stack what edge_counts returns for each image."
        )
    return table


def _curve(counts: Floats) -> Floats:
    """Counts (..., 4) -> recall, precision, F (..., 3), each 0 where it would be 0 / 0."""
    hits, totals = counts[..., 0::2], counts[..., 1::2]
    rates = hits / np.where(totals == 0, 1, totals)
    return np.concatenate((rates, _f_measure(rates[..., 0], rates[..., 1])[..., None]), axis=-1)


def _f_measure(recall: Floats, precision: Floats) -> Floats:
    total = recall + precision
    f: Floats = 2 * recall * precision / np.where(total == 0, 1, total)
    return f


def _best_rows(counts: Floats) -> Floats:
    """(N, T, 4) -> (N, 4) the counts of each image at its best threshold, the lowest of equals."""
    best = _curve(counts)[..., 2].argmax(axis=1)
    rows: Floats = counts[np.arange(len(counts)), best]
    return rows


def _side_rows(counts: Floats, sides: NDArray[np.int64]) -> Floats:
    """(N, T, 4) -> (N, 4) the counts of each image at the threshold that is best for its side."""
    rows: Floats = np.empty((len(counts), 4))
    for side in np.unique(sides):
        own = counts[sides == side]
        rows[sides == side] = own[:, _curve(own.sum(axis=0))[:, 2].argmax()]
    return rows


def _scores(counts: Floats, best: Floats, weights: Floats) -> BoundaryScores:
    pooled = (weights @ counts.reshape(len(counts), -1)).reshape(counts.shape[1:])
    curve, ois = _curve(pooled), _curve(weights @ best)
    threshold, recall, precision, ods = _optimum(curve)
    ap, r50 = _areas(curve[:, 0], curve[:, 1])
    ois_recall, ois_precision, ois_f = ois.tolist()
    at = threshold, recall, precision, ois_recall, ois_precision
    return BoundaryScores(ods, ois_f, ap, r50, *at, curve)


def _optimum(curve: Floats) -> tuple[float, float, float, float]:
    """Threshold, recall, precision and F of the best point, 100 of them from each to the next."""
    points = np.column_stack((threshold_values(len(curve)), curve[:, :2]))
    share = np.linspace(0, 1, 100)[:, None]
    between = points[1:, None] * share + points[:-1, None] * (1 - share)
    points = np.concatenate((points[:1], between.reshape(-1, 3)))
    f = _f_measure(points[:, 1], points[:, 2])
    best = int(f.argmax())
    threshold, recall, precision = points[best].tolist()
    return threshold, recall, precision, float(f[best])


def _optima(curves: Floats) -> Floats:
    """F of the best point of each curve, (B, T, 3) -> (B,), as `_optimum` finds it.

    On a segment F is at most that of the greater recall and the greater precision of its ends;
    only segments where that exceeds the best end are looked at in full.
    """
    best: Floats = curves[..., 2].max(axis=1)
    ends = np.maximum(curves[:, 1:, :2], curves[:, :-1, :2])
    curve, segment = np.nonzero(_f_measure(ends[..., 0], ends[..., 1]) > best[:, None])
    share = np.linspace(0, 1, 100)[:, None, None]
    to, start = curves[curve, segment + 1, :2], curves[curve, segment, :2]
    between = to * share + start * (1 - share)
    np.maximum.at(best, curve, _f_measure(between[..., 0], between[..., 1]).max(axis=0))
    return best


def _areas(recall: Floats, precision: Floats) -> tuple[float, float]:
    """AP and R50 of a curve whose points come from the lowest threshold."""
    recall, first = np.unique(recall, return_index=True)  # of equal recall the lowest threshold
    precision = precision[first]
    if len(recall) < 2:
        return 0.0, float("nan")
    at = np.interp(np.linspace(0, 1, 101), recall, precision, left=0, right=0)
    steps, first = np.unique(precision, return_index=True)
    goal = max(float(steps[0]), 0.5)
    r50 = float(np.interp(goal, steps, recall[first], right=np.nan))
    return float(at.sum() / 100), r50
