"""How well a map of the salient object agrees with its mask: MAE, F-, E- and S-measure.

* F-measure: Achanta et al., Frequency-tuned Salient Region Detection, CVPR 2009, beta^2 = 0.3;
  over 256 thresholds, or at twice the map's mean (adaptive).
* E-measure: Fan et al., Enhanced-alignment Measure for Binary Foreground Map Evaluation, IJCAI
  2018, over the same thresholds.
* S-measure: Fan et al., Structure-measure: A New Way to Evaluate Foreground Maps, ICCV 2017,
  alpha 0.5.
* MAE: Perazzi et al., Saliency Filters, CVPR 2012.

F- and E-measure are taken of each image at each threshold, averaged over images, and then their
maximum or mean over thresholds is printed, as the package py-sod-metrics does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import JSON, Estimator
from sambench.metrics.statistics import weighted_mean

BETA2, ALPHA, LEVELS = 0.3, 0.5, 256
EPS = float(np.spacing(1))
ROUNDING = 1e-4
"""A stored level k / 255 must not fall below k when it is multiplied again."""


def scaled(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """A map stretched to [0, 1] by its own range; a constant one stays as it is."""
    wide = values.astype(np.float64)
    low, high = wide.min(), wide.max()
    return wide if high == low else (wide - low) / (high - low)


def image_record(
    values: NDArray[np.floating],
    truth: NDArray[np.bool_],
    ignore: NDArray[np.bool_] | None = None,
) -> JSON:
    """What the metrics need of one image.

    Args:
        values: map (H, W) in [0, 1], stretched by `scaled` where that is wanted.
        truth: mask (H, W) of the salient object.
        ignore: (H, W) pixels that do not count; the S-measure, where place matters, takes them as
            right.

    Returns:
        ``pixels`` and those of the ``foreground``; ``marked`` pixels and ``hits`` among them at
        the thresholds 255 / 255 ... 0 / 255; the ``adaptive`` hits and marked; ``mae`` and ``s``.
    """
    wide = values.astype(np.float64)
    known = np.ones_like(truth) if ignore is None else ~ignore
    kept, wanted = wide[known], truth[known]
    levels = np.floor(kept * (LEVELS - 1) + ROUNDING).astype(np.int64)
    strong = kept >= min(2 * kept.mean(), 1.0) if len(kept) else wanted
    return {
        "pixels": len(kept),
        "foreground": int(wanted.sum()),
        "hits": _at_least(levels[wanted]),
        "marked": _at_least(levels),
        "adaptive": [int((strong & wanted).sum()), int(strong.sum())],
        "mae": float(np.abs(kept - wanted).mean()) if len(kept) else None,
        "s": s_measure(np.where(known, wide, truth), truth) if len(kept) else None,
    }


def _at_least(levels: NDArray[np.int64]) -> list[int]:
    """How many reach each level, from the highest down."""
    counts: list[int] = np.bincount(levels, minlength=LEVELS)[::-1].cumsum().tolist()
    return counts


def f_measure(
    hits: NDArray[np.float64], marked: NDArray[np.float64], foreground: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(1 + beta^2) P R / (beta^2 P + R) from counts of pixels; 0 where nothing is hit."""
    # With P = hits / marked and R = hits / foreground it is a ratio of counts.
    below = BETA2 * foreground + marked
    return np.divide((1 + BETA2) * hits, below, out=np.zeros_like(below), where=hits > 0)


def e_measure(
    hits: NDArray[np.float64],
    marked: NDArray[np.float64],
    foreground: NDArray[np.float64],
    pixels: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Enhanced alignment of binary maps, from counts of pixels (arrays that broadcast)."""
    predicted, true = marked / pixels, foreground / pixels
    total = np.zeros(np.broadcast(hits, foreground).shape)
    for part, p, t in (
        (hits, 1 - predicted, 1 - true),
        (marked - hits, 1 - predicted, -true),
        (foreground - hits, -predicted, 1 - true),
        (pixels - marked - foreground + hits, -predicted, -true),
    ):
        aligned = 2 * p * t / (p * p + t * t + EPS)
        total += part * (aligned + 1) ** 2 / 4
    total = np.where(foreground == 0, pixels - marked, total)
    total = np.where(foreground == pixels, marked, total)
    return np.asarray(total / (pixels - 1 + EPS))


def s_measure(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Structure-measure of a map (H, W) in [0, 1] against a mask (H, W)."""
    share = truth.mean()
    if share == 0:
        return float(1 - values.mean())
    if share == 1:
        return float(values.mean())
    objects = share * _alike(values[truth]) + (1 - share) * _alike(1 - values[~truth])
    return float(max(0, ALPHA * objects + (1 - ALPHA) * _regions(values, truth)))


def _alike(values: NDArray[np.float64]) -> float:
    """Similarity of the pixels of an object with ones (the paper's section 3.2)."""
    mean, spread = values.mean(), values.std(ddof=1) if len(values) > 1 else 0.0
    return float(2 * mean / (mean**2 + 1 + spread + EPS))


def _regions(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """SSIM of the four blocks that meet at the object's centroid, weighted by area (3.1)."""
    row, column = (int(place) + 1 for place in np.argwhere(truth).mean(axis=0).round())
    blocks = [
        (rows, columns)
        for rows in (slice(0, row), slice(row, None))
        for columns in (slice(0, column), slice(column, None))
    ]
    sizes = [truth[block].size for block in blocks]
    scores = [
        size * _ssim(values[block], truth[block])
        for block, size in zip(blocks, sizes, strict=True)
        if size
    ]
    return sum(scores) / truth.size


def _ssim(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    wanted = truth.astype(np.float64)
    x, y, free = values.mean(), wanted.mean(), values.size - 1 + EPS
    varied = (((values - x) ** 2).sum() + ((wanted - y) ** 2).sum()) / free
    common = ((values - x) * (wanted - y)).sum() / free
    above, below = 4 * x * y * common, (x**2 + y**2) * varied
    if above != 0:
        return float(above / (below + EPS))
    return float(below == 0)


def saliency_estimator(records: Sequence[JSON]) -> Estimator:
    """MAE, S-measure, and F- and E-measure: maximum and mean over thresholds, and adaptive."""
    curves = f_and_e_curves(records)
    hits, marked = np.array([r["adaptive"] for r in records], float).reshape(-1, 2).T
    foreground, pixels = _sizes(records)
    single = {
        "adaptiveF": f_measure(hits, marked, foreground),
        "adaptiveE": e_measure(hits, marked, foreground, pixels),
        "Smeasure": _column(records, "s"),
        "MAE": _column(records, "mae"),
    }

    def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, curve in curves.items():
            total = weights.sum()
            mean = weights @ curve / total if total > 0 else np.full(LEVELS, np.nan)
            found |= {f"max{name}": float(mean.max()), f"mean{name}": float(mean.mean())}
        return found | {name: weighted_mean(values, weights) for name, values in single.items()}

    return estimate


def f_and_e_curves(records: Sequence[JSON]) -> dict[str, NDArray[np.float64]]:
    """F and E -> (images, 256), at the thresholds from 1 down to 0."""
    hits = np.array([r["hits"] for r in records], dtype=float).reshape(-1, LEVELS)
    marked = np.array([r["marked"] for r in records], dtype=float).reshape(-1, LEVELS)
    foreground, pixels = (sizes[:, None] for sizes in _sizes(records))
    return {
        "F": f_measure(hits, marked, foreground),
        "E": e_measure(hits, marked, foreground, pixels),
    }


def _sizes(records: Sequence[JSON]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return _column(records, "foreground"), _column(records, "pixels")


def _column(records: Sequence[JSON], name: str) -> NDArray[np.float64]:
    """One value of each record, NaN where it is None."""
    return np.array([r[name] for r in records], dtype=np.float64)
