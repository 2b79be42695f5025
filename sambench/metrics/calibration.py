"""What a predicted quality says of the true one: of the IoU that a model predicts for its masks.

Guo et al., "On calibration of modern neural networks" (ICML 2017), sort predictions by confidence
into M = 15 bins of equal width and measure in each how far the mean confidence lies from the
accuracy; the expected calibration error (ECE) is the mean of these distances, weighted by how much
is in each bin. Here the prediction is a number in place of a probability: the IoU that the model
predicts takes the place of the confidence, and the mean true IoU of a bin that of the accuracy.
Predictions below 0 or above 1, which a regression can give, fall into the first and the last bin
with the value that they have.

Rank correlation is that of Spearman (1904), the correlation of ranks, equal values sharing their
mean rank. The area under the ROC of "IoU at least t" is the probability that a mask that reaches t
has a higher prediction than one that does not, equal predictions counting half (Hanley and McNeil,
Radiology 143, 1982).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sambench.metrics.statistics import Kind, Statistic

Floats = NDArray[np.float64]
BINS = 15
THRESHOLDS = (50, 75, 90)
"""IoU that a mask may be asked to reach, in percent."""
FEWEST = 30
ERROR = Kind(FEWEST, True, f"ECE of fewer than {FEWEST} images is biased upward")
ORDER = Kind(FEWEST, False, f"intervals of ranks from fewer than {FEWEST} images may be too short")


@dataclass(frozen=True)
class Ranked:
    """Values by which of them are equal, so that ranks under any weights are found without sorting.

    Attributes:
        place: (N,) int, which of the U different values each is, ascending.
        different: U.
    """

    place: NDArray[np.int64]
    different: int

    @classmethod
    def of(cls, values: Floats) -> Ranked:
        """Values (N,) that are finite."""
        found, place = np.unique(values, return_inverse=True)
        return cls(place.reshape(-1), len(found))

    def totals(self, weights: Floats) -> Floats:
        """Weight of each of the different values, (U,)."""
        return np.bincount(self.place, weights, self.different).astype(np.float64)

    def ranks(self, weights: Floats) -> Floats:
        """Half the weight of what is equal and all of what is less, (N,).

        With whole weights that is the mean rank, less half, of a value that often.
        """
        totals = self.totals(weights)
        ranks: Floats = (np.cumsum(totals) - totals / 2)[self.place]
        return ranks


def rank_correlation(first: Ranked, second: Ranked, weights: Floats) -> float:
    """Spearman's correlation of N pairs with weights (N,); NaN where either is constant."""
    total = weights.sum()
    if total <= 0:
        return float("nan")
    a, b = (each.ranks(weights) - total / 2 for each in (first, second))  # total / 2 is their mean
    spreads = (weights * a**2).sum() * (weights * b**2).sum()
    # Ranks are halves of sums of weights: of a constant they are 0 but for rounding.
    constant = min(_held(first, weights), _held(second, weights)) < 2
    return float("nan") if constant else float((weights * a * b).sum() / np.sqrt(spreads))


def _held(values: Ranked, weights: Floats) -> int:
    """How many different values have weight."""
    return int(np.count_nonzero(values.totals(weights)))


def roc_area(scores: Ranked, positive: NDArray[np.bool_], weights: Floats) -> float:
    """Area under the ROC of N scores with weights (N,); NaN where all or none are positive."""
    above, below = (scores.totals(weights * which) for which in (positive, ~positive))
    pairs = above.sum() * below.sum()
    beaten = np.cumsum(below) - below / 2
    return float(above @ beaten / pairs) if pairs > 0 else float("nan")


def bin_of(predicted: Floats) -> NDArray[np.int64]:
    """Which of the bins of equal width in [0, 1] predictions (N,) fall into, (N,).

    A bin has its lower end; the last one has 1 and all above, the first all below 0.
    """
    found: NDArray[np.int64] = np.floor(predicted * BINS).clip(0, BINS - 1).astype(np.int64)
    return found


def reliability(predicted: Floats, true: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean prediction, mean truth and weight of each bin, (BINS,) each; NaN where it is empty."""
    place = bin_of(predicted)
    below, *above = (
        np.bincount(place, weights * each, BINS).astype(np.float64)
        for each in (np.ones_like(predicted), predicted, true)
    )
    empty = np.full(BINS, np.nan)
    said, was = (np.divide(each, below, out=empty.copy(), where=below > 0) for each in above)
    return said, was, below


def expected_error(predicted: Floats, true: Floats, weights: Floats) -> float:
    """ECE of N predictions with weights (N,); NaN without weight."""
    said, was, below = reliability(predicted, true, weights)
    total = below.sum()
    return float(np.nansum(np.abs(said - was) * below) / total) if total > 0 else float("nan")


def estimator(predicted: Sequence[Sequence[float]], true: Sequence[Sequence[float]]) -> Statistic:
    """Estimator of what predictions say of the truth, over objects that are grouped by image.

    Args:
        predicted: for each image, the IoU predicted for each of its masks.
        true: for each image, the IoU of each of these masks, in [0, 1].

    Returns:
        Counts of the images -> ``ECE``; ``overconfidence``, the mean of predicted less true IoU;
        ``Spearman``; and ``AUC@50``, ``AUC@75`` and ``AUC@90``, the area under the ROC of an IoU of
        at least .50, .75 and .90. NaN where one is not defined.
    """
    image = np.repeat(np.arange(len(true)), [len(row) for row in true])
    said, was = (np.concatenate([[], *rows]).astype(np.float64) for rows in (predicted, true))
    by_said, by_was = Ranked.of(said), Ranked.of(was)

    def one(counts: Floats) -> dict[str, float]:
        weights = counts[image]
        total = weights.sum()
        mean = float((weights * (said - was)).sum() / total) if total > 0 else float("nan")
        return {
            "ECE": expected_error(said, was, weights),
            "overconfidence": mean,
            "Spearman": rank_correlation(by_said, by_was, weights),
            **{f"AUC@{t}": roc_area(by_said, was >= t / 100, weights) for t in THRESHOLDS},
        }

    order = dict.fromkeys(("Spearman", *(f"AUC@{t}" for t in THRESHOLDS)), ORDER)
    return Statistic(one, None, {"ECE": ERROR, **order})
