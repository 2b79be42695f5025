"""Superpixels: partition an image so finely that regions people drew can be put together again.

Everything is segmented; masks are laid over each other by a stated rule, and what no mask covers
becomes regions too. The measures are those of the superpixel literature (see
`sambench.metrics.superpixels`) on BSDS500; no paper runs SAM so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import (
    JSON,
    Embedding,
    Estimator,
    Layer,
    Metric,
    Model,
    Prediction,
    Sample,
    Task,
)
from sambench.masks import rle
from sambench.metrics import superpixels
from sambench.metrics.statistics import weighted_mean
from sambench.options import Range
from sambench.truths import Regions, borders

from ._label_files import read_labels, write_labels

BEST = {"ASA": np.nanmax, "BR": np.nanmax, "UE": np.nanmin}
WORST = {"ASA": np.nanmin, "BR": np.nanmin, "UE": np.nanmax}


@dataclass(frozen=True)
class Superpixels(Task):
    """A partition from masks of everything and what they leave, against drawn regions.

    Attributes:
        points_per_side: points along each side of the grid.
        pred_iou_thresh: masks are kept if their predicted IoU is above this; 0 keeps all.
        stability_score_thresh: masks are kept if their stability score is at least this; 0 keeps
            all.
        box_nms_thresh: of two masks whose boxes have a higher IoU than this, the one of lower
            predicted IoU is suppressed.
        top: which of two masks lies above the other: the smaller, or that of the higher stability
            score or predicted IoU.
        min_region: connected regions of fewer pixels are given to the nearest larger one.
        annotators: how the annotators of an image are combined: mean, or the best or worst value
            of each measure.
        tolerance: radius of boundary recall as a fraction of the image's diagonal.
    """

    points_per_side: Annotated[int, Range(1)] = 16
    pred_iou_thresh: Annotated[float, Range(0, 1)] = 0.7
    stability_score_thresh: Annotated[float, Range(0, 1)] = 0.8
    box_nms_thresh: Annotated[float, Range(0, 1)] = 0.7
    top: Literal["small", "stable", "iou"] = "small"
    min_region: Annotated[int, Range(0)] = 16
    annotators: Literal["mean", "best", "worst"] = "mean"
    tolerance: Annotated[float, Range(0, 1)] = superpixels.TOLERANCE

    truth: ClassVar[type] = Regions
    metrics = (
        Metric("ASA", "achievable segmentation accuracy, mean over images"),
        Metric("BR", "boundary recall, mean over images"),
        Metric(
            "UE",
            "undersegmentation error of Neubert and Protzel, mean over images",
            higher_is_better=False,
        ),
        Metric("superpixels", "superpixels of an image, mean", "count", None),
    )
    needs = frozenset({"points"})
    direct: ClassVar[str] = "superpixels"
    """image -> labels (H, W)."""
    paper: ClassVar[str] = "sambench run --task superpixels --model sam_vit_h --dataset bsds500"
    scoring: ClassVar[frozenset[str]] = frozenset({"annotators", "tolerance"})
    facts: ClassVar[Mapping[str, Any]] = {
        "regions": "4-connected parts of each mask where no other lies above it, and of what no "
        "mask covers",
        "BR": "boundary pixels have another label among their 4 neighbours; any annotator's pixel "
        "counts if a superpixel's is in the square of 2 r + 1 around it",
        "UE": "of Neubert and Protzel; the corrected one is 1 - ASA",
        "mean": "of images, after annotators were combined",
    }

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> NDArray[np.int32]:
        """Labels (H, W) from 0."""
        if (divide := model.direct(self.direct)) is not None:
            return np.asarray(divide(sample.image)).astype(np.int32)
        from sambench.masks.geometry import nms
        from sambench.masks.grid import candidates
        from sambench.masks.grid_options import GridOptions

        size = sample.image.shape[0], sample.image.shape[1]
        options = GridOptions(
            self.points_per_side, True, self.pred_iou_thresh, self.stability_score_thresh
        )
        found = candidates(model, embedding, size, options)
        found = found.take(nms(found.boxes, found.iou, self.box_nms_thresh))
        above: dict[str, NDArray[Any]] = {
            "small": -rle.areas(found.rles), "stable": found.stability, "iou": found.iou,
        }  # fmt: skip
        order = np.argsort(above[self.top], kind="stable")
        return partition([found.rles[i] for i in order], size, self.min_region)

    def score(self, prediction: NDArray[np.int32], truth: Regions) -> JSON:
        """Each measure against each annotator."""
        return superpixels.image_record(prediction, truth.annotators, self.tolerance)

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """Means over images of ASA, BR, UE and the number of superpixels."""
        values = {name: self._combined(records, name) for name in BEST}
        values["superpixels"] = np.array([float(r["superpixels"]) for r in records])

        def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
            return {name: weighted_mean(found, weights) for name, found in values.items()}

        return estimate

    def _combined(self, records: Sequence[JSON], name: str) -> NDArray[np.float64]:
        """One value an image; NaN where no annotator drew a boundary."""
        choices: dict[str, Callable[..., Any]] = {
            "mean": np.nanmean, "best": BEST[name], "worst": WORST[name],
        }  # fmt: skip
        combine = choices[self.annotators]
        rows = [np.array(record[name], dtype=np.float64) for record in records]
        return np.array(
            [combine(row) if np.isfinite(row).any() else np.nan for row in rows], dtype=np.float64
        )

    def layers(self, prediction: Prediction) -> Mapping[str, Layer]:
        """The borders of the superpixels."""
        return {"Prediction": Layer(map=borders(prediction))}

    def save(self, prediction: NDArray[np.int32], stem: Path) -> Path:
        """Write the labels as a 16-bit PNG."""
        return write_labels(prediction, stem)

    def load(self, stem: Path) -> NDArray[np.int32]:
        """Read labels from a PNG."""
        return read_labels(stem)


def partition(rles: Sequence[JSON], size: tuple[int, int], min_region: int) -> NDArray[np.int32]:
    """Masks, each laid over those before it, and what they leave -> connected regions.

    Args:
        rles: run-length encoded masks, from the lowest to the topmost.
        size: (H, W).
        min_region: smaller regions are given to the nearest larger one; if none is large enough,
            they stay.

    Returns:
        (H, W) int32, labels from 0 without gaps.
    """
    from scipy.ndimage import distance_transform_edt
    from skimage.measure import label

    painted = np.zeros(size, dtype=np.int32)
    for number, encoded in enumerate(rles, start=1):
        painted[rle.decode([encoded])[0]] = number
    regions = label(painted, background=-1, connectivity=1)  # type: ignore[no-untyped-call]
    small = np.bincount(regions.ravel())[regions] < min_region
    if small.any() and not small.all():
        rows, columns = distance_transform_edt(small, return_distances=False, return_indices=True)
        regions = regions[rows, columns]
    _, dense = np.unique(regions, return_inverse=True)
    return dense.reshape(size).astype(np.int32)
