"""Dice, NSD and HD95, which tasks measure beside IoU where their option `surface` is given."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import JSON, Metric
from sambench.masks.rle import decode
from sambench.metrics import surface
from sambench.metrics.panoptic import by_category
from sambench.metrics.statistics import CATEGORIES, Statistic, by_group
from sambench.truths import Instances, Segments

from ._objects import GroundTruth, object_mask

Bools = NDArray[np.bool_]
FACTS = {
    "Dice": "2 IoU / (1 + IoU) of each object",
    "NSD, HD95": "contours between pixels, weighted by length, as the package surface-distance; in "
    "pixels, or in the unit of the dataset's spacing; of an empty mask NSD is 0 and HD95 the "
    "diagonal of the image",
}
"""What holds where `surface` is given."""


def declared(words: str) -> tuple[Metric, ...]:
    """Dice, NSD and HD95, means over what the words say."""
    return (
        Metric("Dice", f"Dice, mean over {words}", "percent"),
        Metric("NSD", f"normalised surface distance, mean over {words}", "percent"),
        Metric(
            "HD95",
            f"95th percentile of the distance between contours, in pixels, or in the unit of the "
            f"dataset's spacing, mean over {words}",
            "length",
            higher_is_better=False,
        ),
    )


def pair_scores(
    truth: Bools, mask: Bools, tolerance: float, spacing: surface.Spacing = (1.0, 1.0)
) -> list[float]:
    """NSD and HD95 of two masks (H, W), the latter finite.

    Args:
        truth: the object, without pixels that do not count.
        mask: the answer, without them.
        tolerance: of NSD, in the unit of the spacing.
        spacing: from row to row and from column to column.
    """
    found = surface.distances(truth, mask, spacing)
    far, (down, along) = found.hausdorff(), spacing
    diagonal = math.hypot(truth.shape[0] * down, truth.shape[1] * along)
    return [found.nsd(tolerance), diagonal if math.isinf(far) else far]


def object_scores(
    truth: Instances, objects: Sequence[int], masks: Sequence[JSON], tolerance: float | None,
    ground_truth: GroundTruth = "exact",
) -> JSON:  # fmt: skip
    """What a record has beside IoU: ``surface``, NSD and HD95 of each object; nothing if not asked.

    Args:
        truth: the dataset's ``spacing`` is among its extras, where it has one.
        objects: N indices into the truth.
        masks: N answers as run lengths.
        tolerance: of NSD; None where it is not asked for.
        ground_truth: what counts as an object.
    """
    if tolerance is None:
        return {}
    known = np.ones(truth.size, dtype=bool) if truth.ignore is None else ~truth.ignore
    spacing = truth.extra.get("spacing", (1.0, 1.0))
    pairs = (
        (object_mask(truth.mask(index), ground_truth), decode([answer])[0])
        for index, answer in zip(objects, masks, strict=True)
    )
    return {"surface": [pair_scores(a & known, b & known, tolerance, spacing) for a, b in pairs]}


def object_values(
    records: Sequence[JSON], ious: Sequence[Sequence[float]]
) -> dict[str, list[list[float]]]:
    """Dice, NSD and HD95 of the objects of each image, for `ratios`; nothing if not measured.

    Args:
        records: of `object_scores`, all with or all without.
        ious: for each image, the IoU of each of its objects.
    """
    if not all("surface" in record for record in records):
        return {}
    return {
        "Dice": [[float(value) for value in surface.dice(np.array(image))] for image in ious],
        "NSD": [[nsd for nsd, _ in record["surface"]] for record in records],
        "HD95": [[far for _, far in record["surface"]] for record in records],
    }


def class_scores(truth: Segments, answer: Segments, names: Sequence[int], tolerance: float) -> JSON:
    """``surface``: NSD and HD95 of each class of an image, without void; None where it has none."""
    known = truth.labels > 0
    rows: list[list[float] | None] = []
    for name in names:
        wanted, found = (_of_class(each, name) & known for each in (truth, answer))
        either = wanted.any() or found.any()
        rows.append(pair_scores(wanted, found, tolerance) if either else None)
    return {"surface": rows}


def _of_class(segments: Segments, name: int) -> Bools:
    of_label: Bools = np.concatenate([[False], segments.categories == name])[segments.labels]
    return of_label


def class_estimator(records: Sequence[JSON]) -> Statistic:
    """Dice of each class over all pixels, NSD and HD95 over images; each the mean over classes."""
    _, counts = by_category(records, ("common", "marked", "truth"))
    groups: list[list[int]] = []
    values: dict[str, list[list[float]]] = {"NSD": [], "HD95": []}
    for record in records:
        pairs = zip(record["categories"], record["surface"], strict=True)
        there = [(name, scores) for name, scores in pairs if scores is not None]
        groups.append([name for name, _ in there])
        for place, name in enumerate(values):
            values[name].append([scores[place] for _, scores in there])
    means = {name: by_group(groups, own) for name, own in values.items()}

    def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
        common, marked, truth = np.einsum("i,ick->kc", weights, counts)
        both = marked + truth
        found = {"Dice": _mean((2 * common / np.where(both > 0, both, 1))[both > 0])}
        for name, mean in means.items():
            found[name] = _mean(np.array([v for v in mean(weights).values() if np.isfinite(v)]))
        return found

    return Statistic(estimate, None, dict.fromkeys(("Dice", *values), CATEGORIES))


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")
