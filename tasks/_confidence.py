"""What the predicted IoU of masks says of their IoU: metrics, curve and histogram of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import Curve, Histogram, Metric
from sambench.metrics import calibration
from sambench.metrics.statistics import Statistic, evaluated

from ._objects import BINS

Floats = NDArray[np.float64]
_GROUP = "confidence"
CHOICE = Metric(
    "choice_cost",
    "mean over objects of the best candidate's IoU less that of the most confident one",
    "percent",
    higher_is_better=False,
    group=_GROUP,
)
"""What it costs to take the most confident of several masks."""
DECLARED = (
    Metric(
        "ECE",
        f"expected calibration error of the predicted IoU, {calibration.BINS} bins of equal width",
        "percent",
        higher_is_better=False,
        group=_GROUP,
    ),
    Metric(
        "overconfidence", "mean of predicted less true IoU", "percent", None, group=_GROUP,
        signed=True,
    ),
    Metric(
        "Spearman", "rank correlation of predicted and true IoU", group=_GROUP, signed=True
    ),
    *(
        Metric(
            f"AUC@{t}",
            f"area under the ROC of the predicted IoU for a true IoU of at least .{t}",
            "percent",
            group=_GROUP,
        )
        for t in calibration.THRESHOLDS
    ),
)  # fmt: skip
"""What is measured of the masks that were taken; a group that only `--all` and reports show."""


@dataclass(frozen=True)
class Told:
    """Predicted and true IoU of the masks taken, by image.

    Attributes:
        predicted, true: for each image, a value for each of its objects.
    """

    predicted: list[list[float]]
    true: list[list[float]]

    @classmethod
    def of(
        cls, predicted: Sequence[Sequence[float | None]], true: Sequence[Sequence[float]]
    ) -> Told:
        """Objects by image; those that have no mask, and so no prediction, are left out."""
        pairs = [
            [(said, was) for said, was in zip(*rows, strict=True) if said is not None]
            for rows in zip(predicted, true, strict=True)
        ]
        return cls([[p for p, _ in own] for own in pairs], [[t for _, t in own] for own in pairs])

    def estimator(self) -> Statistic:
        """What predictions say of the truth."""
        return calibration.estimator(self.predicted, self.true)

    def part(self, places: NDArray[np.int64]) -> Told:
        """That of some of the images."""
        return Told([self.predicted[i] for i in places], [self.true[i] for i in places])

    def drawings(self) -> list[Curve | Histogram]:
        """The reliability curve, and how many objects have which prediction."""
        said, was = (np.concatenate([[], *rows]) for rows in (self.predicted, self.true))
        if not len(said):
            return []
        x, y, _ = calibration.reliability(said, was, np.ones(len(said)))
        counts, edges = np.histogram(said.clip(0, 1), bins=BINS, range=(0, 1))
        curve = Curve(
            "reliability",
            tuple(x.tolist()),
            tuple(y.tolist()),
            x_label="predicted IoU",
            y_label="IoU",
            diagonal=True,
            caption="Means of the objects in bins of equal width of the predicted IoU.",
        )
        heights = tuple(counts.tolist())
        return [curve, Histogram("predicted IoU", tuple(edges.round(6).tolist()), heights)]


def with_confidence(main: Statistic, told: Told | None) -> Statistic:
    """An estimator with what predictions say of the truth; itself where nothing is told."""
    if told is None:
        return main
    own = told.estimator()

    def one(counts: Floats) -> dict[str, float]:
        return {**main(counts), **own(counts)}

    def many(weights: Floats, names: frozenset[str] | None) -> dict[str, Floats]:
        found = evaluated(main, weights, names)
        asked = names is None or any(metric.name in names for metric in DECLARED)
        return {**found, **evaluated(own, weights, names)} if asked else found

    def part(places: NDArray[np.int64]) -> Statistic:
        assert main.part is not None
        return with_confidence(main.part(places), told.part(places))

    return Statistic(one, many, {**main.kinds, **own.kinds}, part if main.part else None)
