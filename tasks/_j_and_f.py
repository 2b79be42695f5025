"""J, F and J&F of objects in clips: what the tasks of clips declare, and how they show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import JSON, Curve, Histogram, Metric
from sambench.metrics.statistics import MEAN, Statistic, ratios
from sambench.metrics.video import object_table

_OF = {
    "J": "region similarity J, the IoU",
    "F": "contour accuracy F, within .008 of the diagonal",
}


def _declared(name: str) -> tuple[Metric, Metric, Metric]:
    return (
        Metric(name, f"{_OF[name]}: mean over objects of the mean over frames", "percent"),
        Metric(
            f"{name}-recall", f"mean over objects of the part of frames of {name} > .5", "percent"
        ),
        Metric(
            f"{name}-decay",
            f"mean over objects of what {name} loses from the first quarter of the frames to the "
            "last",
            "percent",
            higher_is_better=False,
            signed=True,
        ),
    )


METRICS = (Metric("J&F", "mean of J and F", "percent"), *_declared("J"), *_declared("F"))
RULES: Mapping[str, Any] = {
    "frames": "annotated ones but the first and the last of each object; by SA-V's rule from the "
    "first on in which it is seen or predicted",
    "objects": "by DAVIS's rule those that the first frame numbers; by SA-V's those seen in a "
    "frame that counts; each weighs the same, whatever its clip",
    "J": "IoU at the frames' own size, 1 where both masks are empty",
    "F": "of contours within .008 of the diagonal, rounded up",
}
_COLUMNS = {
    "J&F": "jf", "J": "j", "J-recall": "j_recall", "J-decay": "j_decay",
    "F": "f", "F-recall": "f_recall", "F-decay": "f_decay",
}  # fmt: skip
_OF_CLIPS = replace(MEAN, reason=f"intervals from fewer than {MEAN.fewest} clips do not hold 95 %")
STEPS = 20
"""Parts of a clip over which its objects' J and F are averaged for a curve."""


def values_of(records: Sequence[JSON]) -> dict[str, list[list[float]]]:
    """By metric: for each clip the values of its objects."""
    tables = [object_table(record).values() for record in records]
    return {
        name: [[own[column] for own in table] for table in tables]
        for name, column in _COLUMNS.items()
    }


def estimator_of(records: Sequence[JSON]) -> Statistic:
    """Means over the objects of all clips, by metric."""
    return over_clips(values_of(records))


def over_clips(values: Mapping[str, Sequence[Sequence[float]]]) -> Statistic:
    """As `ratios`, of values by metric, clip and object."""
    return replace(ratios(values), kinds=dict.fromkeys(values, _OF_CLIPS))


def over_time(records: Sequence[JSON]) -> list[Curve]:
    """J and F against the part of the clip that has passed: means over all objects."""
    places = tuple(((np.arange(STEPS) + 0.5) / STEPS).tolist())
    return [
        Curve(
            f"{name}-time", places, tuple(_means(records, name.lower()).tolist()),
            x_label="part of the clip", y_label=name, unit="percent",
        )
        for name in ("J", "F")
    ]  # fmt: skip


def _means(records: Sequence[JSON], key: str) -> NDArray[np.float64]:
    """(STEPS,) mean over objects, NaN where no frame counts."""
    total, count = np.zeros(STEPS), np.zeros(STEPS)
    for record in records:
        for own in record["objects"].values():
            values = own[key]
            for frame, value in enumerate(values):
                if value is not None:
                    step = frame * STEPS // len(values)
                    total[step] += value
                    count[step] += 1
    means = np.full(STEPS, np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means


def histogram(records: Sequence[JSON]) -> Histogram:
    """J&F of all objects, in bins of .05."""
    values = [value for clip in values_of(records)["J&F"] for value in clip]
    counts, edges = np.histogram(values, 20, (0, 1))
    return Histogram("J&F of objects", tuple(edges.tolist()), tuple(counts.tolist()))
