"""Foreground: find the salient object of an image without a prompt for it.

Salient object segmentation: everything is segmented, the masks are ranked by a centre prior and by
their predicted IoU, and the best one, or all of them by rank, become the map. The measures are
those of the field (see `sambench.metrics.saliency`); no paper prescribes the ranking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import (
    JSON,
    Curve,
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
from sambench.metrics import saliency
from sambench.options import Range
from sambench.truths import Instances

from ._edge_files import find_map, in_steps, read_map, write_map


@dataclass(frozen=True)
class Foreground(Task):
    """A map of the salient object from masks of everything, against its mask.

    Attributes:
        points_per_side: points along each side of the grid.
        pred_iou_thresh: masks are kept if their predicted IoU is above this; 0 keeps all.
        stability_score_thresh: masks are kept if their stability score is at least this; 0 keeps
            all.
        box_nms_thresh: of two masks whose boxes have a higher IoU than this, the one of lower
            predicted IoU is suppressed.
        center: deviation of the centre prior's Gaussian, as a fraction of each side of the image; 0
            for no prior.
        border: a mask loses rank by the part of the image's border that it covers.
        fusion: best is the highest ranked mask; soft adds the ranks of all masks of a pixel.
        stretch: the map is stretched to [0, 1] by its own range before it is scored.
    """

    points_per_side: Annotated[int, Range(1)] = 16
    pred_iou_thresh: Annotated[float, Range(0, 1)] = 0.7
    stability_score_thresh: Annotated[float, Range(0, 1)] = 0.8
    box_nms_thresh: Annotated[float, Range(0, 1)] = 0.7
    center: Annotated[float, Range(0)] = 0.25
    border: bool = True
    fusion: Literal["best", "soft"] = "soft"
    stretch: bool = True

    truth: ClassVar[type] = Instances
    metrics = (
        Metric("Smeasure", "mean S-measure, structural similarity of map and mask"),
        Metric("maxF", "mean F-measure (beta^2 0.3) at the best of 256 thresholds"),
        Metric("meanF", "mean F-measure (beta^2 0.3) over 256 thresholds"),
        Metric("adaptiveF", "mean F-measure (beta^2 0.3) at twice the map's mean"),
        Metric("maxE", "mean E-measure (enhanced alignment) at the best of 256 thresholds"),
        Metric("meanE", "mean E-measure (enhanced alignment) over 256 thresholds"),
        Metric("adaptiveE", "mean E-measure (enhanced alignment) at twice the map's mean"),
        Metric("MAE", "mean absolute error of the map", higher_is_better=False),
    )
    needs = frozenset({"points"})
    direct: ClassVar[str] = "saliency"
    """image -> map (H, W) in [0, 1]."""
    prompting: ClassVar[frozenset[str]] = frozenset({
        "points_per_side", "pred_iou_thresh", "stability_score_thresh", "box_nms_thresh", "center",
        "border", "fusion", "rank",
    })  # fmt: skip
    paper: ClassVar[str] = "sambench run --task foreground --model sam_vit_h --dataset duts"
    scoring: ClassVar[frozenset[str]] = frozenset({"stretch"})
    facts: ClassVar[Mapping[str, Any]] = {
        "truth": "all objects of the image together, crowd regions too",
        "rank": "predicted IoU x mean of the centre prior over the mask x part of the image's "
        "border that is not covered",
        "F": "beta^2 0.3; of each image at 256 thresholds, mean over images, then maximum or mean; "
        "adaptive at twice the map's mean",
        "S": "alpha 0.5",
    }

    @property
    def stated(self) -> Mapping[str, Any]:
        """The facts, of the rank those factors that these options keep."""
        dropped = {1: self.center == 0, 2: not self.border}
        factors = self.facts["rank"].split(" x ")
        kept = [factor for place, factor in enumerate(factors) if not dropped.get(place)]
        return {**self.facts, "rank": " x ".join(kept)}

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> NDArray[np.float32]:
        """Map (H, W) float32 in [0, 1] in steps of 1/65535; zero where no mask is left."""
        if (find := model.direct(self.direct)) is not None:
            return in_steps(np.clip(np.asarray(find(sample.image), np.float32), 0, 1))
        from sambench.masks.geometry import nms
        from sambench.masks.grid import candidates
        from sambench.masks.grid_options import GridOptions

        size = sample.image.shape[0], sample.image.shape[1]
        options = GridOptions(
            self.points_per_side, True, self.pred_iou_thresh, self.stability_score_thresh
        )
        found = candidates(model, embedding, size, options)
        found = found.take(np.flatnonzero(rle.areas(found.rles)))
        found = found.take(nms(found.boxes, found.iou, self.box_nms_thresh))
        return in_steps(self._map(found.rles, found.iou.astype(np.float64), size))

    def _map(
        self, rles: Sequence[JSON], iou: NDArray[np.float64], size: tuple[int, int]
    ) -> NDArray[np.float32]:
        """Masks and their predicted IoU -> map (H, W) in [0, 1]."""
        ranks = [quality * self._rank(mask) for mask, quality in _each(rles, iou)]
        values = np.zeros(size)
        if self.fusion == "best":
            ranks = [float(i == np.argmax(ranks)) for i in range(len(ranks))]
        for mask, rank in _each(rles, ranks):
            values += mask * rank
        peak = values.max()
        return (values / peak if peak > 0 else values).astype(np.float32)

    def _rank(self, mask: NDArray[np.bool_]) -> float:
        """What a mask (H, W) is worth for its place, in [0, 1]."""
        rank = float(center_prior(mask.shape, self.center)[mask].mean()) if self.center > 0 else 1.0
        if self.border:
            edges = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
            rank *= 1 - float(edges.mean())
        return rank

    def score(self, prediction: NDArray[np.float32], truth: Instances) -> JSON:
        """Counts at each threshold, MAE and S-measure of one image."""
        values = saliency.scaled(prediction) if self.stretch else prediction
        wanted: NDArray[np.bool_] = np.any(truth.masks(), axis=0)
        return saliency.image_record(values, wanted, truth.ignore)

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """S-measure, F- and E-measure (max, mean, adaptive), MAE."""
        return saliency.saliency_estimator(records)

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve]:
        """F-measure against the threshold."""
        curve = saliency.f_and_e_curves(records)["F"].mean(axis=0)
        levels = np.arange(saliency.LEVELS)[::-1] / (saliency.LEVELS - 1)
        x, y = tuple(levels.tolist()), tuple(curve.tolist())
        return (Curve("F-threshold", x, y, x_label="threshold", y_label="mean F-measure"),)

    def layers(self, prediction: Prediction) -> Mapping[str, Layer]:
        """The map of the salient object."""
        return {"Prediction": Layer(map=prediction)}

    def save(self, prediction: NDArray[np.float32], stem: Path) -> Path:
        """Write the map as a 16-bit PNG."""
        path = stem.with_name(stem.name + ".png")
        write_map(path, prediction)
        return path

    def load(self, stem: Path) -> NDArray[np.float32]:
        """Read a map: PNG of 8 or 16 bits, NPY or MAT."""
        return read_map(find_map(stem))


def center_prior(size: tuple[int, ...], deviation: float) -> NDArray[np.float64]:
    """Gaussian (H, W) around the image's centre, 1 at its peak; deviation in sides of the image."""
    rows, columns = (
        np.exp(-(((np.arange(side) + 0.5) / side - 0.5) ** 2) / (2 * deviation**2)) for side in size
    )
    return np.outer(rows, columns)


def _each(rles: Sequence[JSON], values: Sequence[float] | NDArray[np.float64]) -> Any:
    """Pairs of a decoded mask and its value, one at a time to bound memory."""
    return ((rle.decode([one])[0], float(value)) for one, value in zip(rles, values, strict=True))
