"""Edges: detect the boundaries of all objects by prompting a grid of points (BSDS500).

The experiment of Segment Anything, section 7.2 and appendix D.2 (Kirillov et al., 2023).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import (
    JSON,
    Curve,
    Embedding,
    Estimator,
    Layer,
    Masks,
    Metric,
    Model,
    Prediction,
    Sample,
    Task,
)
from sambench.metrics.edges import boundaries, f_measure
from sambench.metrics.edges import nms as edge_nms
from sambench.metrics.edges.maps import Boundary, edge_map
from sambench.options import Range
from sambench.truths import Boundaries

from ._edge_files import find_map, in_steps, read_map, write_map
from ._edge_survey import check_thin, scaled, survey

if TYPE_CHECKING:
    from torch import Tensor


Suppression = Literal["structured", "canny", "none"]
MASKS_AT_ONCE = 8


@dataclass(frozen=True)
class Edges(Task):
    """Boundaries from the masks of a grid of points, scored as the Berkeley benchmark does.

    Attributes:
        points_per_side: points along each side of the grid.
        box_nms_thresh: of two masks whose boxes have a higher IoU than this, the one of lower
            predicted IoU is suppressed.
        boundary: which pixels of a mask are its outer boundary.
        suppression: edge NMS that thins the map: of the structured-edge toolbox, Canny's, none.
        smooth: standard deviation of the Gaussian that smooths the map before edge NMS, pixels.
        normalise: stretch each map to [0, 1]; else it is taken as the model gives it, from 0 to 1.
        matching: berkeley reproduces the benchmark, exact is the true maximum matching.
        seed: of the outlier links of the berkeley matching.
        scale: value that stands for 1 in maps from another program; 0 infers it from all of them.
    """

    points_per_side: Annotated[int, Range(1)] = 16
    box_nms_thresh: Annotated[float, Range(0, 1)] = 0.7
    boundary: Boundary = "sobel"
    suppression: Suppression = "structured"
    smooth: Annotated[float, Range(0)] = 1.0
    normalise: bool = True
    matching: Literal["berkeley", "exact"] = "berkeley"
    seed: Annotated[int, Range(0)] = 0
    scale: Annotated[float, Range(0)] = 0.0

    truth: ClassVar[type] = Boundaries
    metrics = (
        Metric("ODS", "F-measure of boundaries at the best threshold of the whole dataset"),
        Metric("OIS", "F-measure of boundaries, each image at its own best threshold"),
        Metric("AP", "average precision of boundaries over all recalls"),
        Metric("R50", "recall of boundaries at 50 % precision"),
    )
    needs = frozenset({"points"})
    direct: ClassVar[str] = "boundaries"
    """image -> edge map (H, W), any range of non-negative values."""
    prompting: ClassVar[frozenset[str]] = frozenset(
        {"points_per_side", "box_nms_thresh", "boundary", "masks", "edge"}
    )
    foreign: ClassVar[Mapping[str, Any]] = {"suppression": "none", "normalise": False}
    paper: ClassVar[str] = "sambench run --task edges --model sam_vit_h --dataset bsds500"
    scoring: ClassVar[frozenset[str]] = frozenset(
        {"suppression", "smooth", "matching", "seed", "scale"}
    )
    facts: ClassVar[Mapping[str, Any]] = {
        "masks": "three for each point, no filter by predicted IoU or stability",
        "edge": "Sobel magnitude of the sigmoid of the logits at the size of the image",
        "open in the paper": "boundary, suppression and smooth, chosen on BSDS500 val: "
        "see docs/edges.md for the evidence",
        "benchmark": "99 thresholds k/100, thinned, one-to-one matching within 0.0075 of the "
        "diagonal, all annotators; ODS interpolated in 100 steps",
    }

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> NDArray[np.float32]:
        """Edge map (H, W) float32 in [0, 1] in steps of 1/65535, before edge NMS.

        Raises:
            UserError: it is outside [0, 1] and is not to be stretched.
        """
        if (find := model.direct(self.direct)) is not None:
            return self._settled(np.asarray(find(sample.image), np.float32), model)
        from sambench.masks.grid import grid

        size = sample.image.shape[0], sample.image.shape[1]
        found = grid(
            model,
            embedding,
            size,
            points_per_side=self.points_per_side,
            box_nms_thresh=self.box_nms_thresh,
        )
        edges = edge_map(_at_image_size(found), size, self.boundary)
        return self._settled(edges.float().cpu().numpy(), model)

    def _settled(self, edges: NDArray[np.float32], model: Model) -> NDArray[np.float32]:
        """A map as it is scored, in [0, 1] and in steps."""
        if self.normalise:
            return in_steps(normalised(edges))
        if edges.min() < 0 or edges.max() > 1:
            raise UserError(
                f"{model.card.name} gives edges from {edges.min():.3g} to {edges.max():.3g}, not "
                "within [0, 1]; give --normalise true to have each map stretched."
            )
        return in_steps(edges)

    def ready(self) -> None:
        """Begin to compile what scores, on a machine that has not done it."""
        boundaries.compile_ahead()

    def score(self, prediction: NDArray[np.float32], truth: Boundaries) -> JSON:
        """Counts of the benchmark at each threshold: cntR, sumR, cntP, sumP."""
        thin = suppressed(prediction, self.suppression, self.smooth)
        counts = boundaries.edge_counts(
            thin, truth.annotators, matching=self.matching, seed=self.seed
        )
        return {"counts": counts.tolist()}

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """ODS, OIS, AP, R50."""
        return f_measure.boundary_estimator(np.array([record["counts"] for record in records]))

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve]:
        """Precision against recall over the thresholds."""
        scores = f_measure.boundary_scores(np.array([record["counts"] for record in records]))
        known = scores.curve[scores.curve[:, 0] > 0]  # thresholds that leave any pixel
        curve = Curve(
            "precision-recall",
            tuple(known[:, 0].tolist()),
            tuple(known[:, 1].tolist()),
            x_label="recall",
            y_label="precision",
            equal_f=True,
        )
        return (curve,)

    def layers(self, prediction: Prediction) -> Mapping[str, Layer]:
        """The edge map, and what edge NMS leaves of it, which is scored."""
        thin = suppressed(prediction, self.suppression, self.smooth)
        return {"Prediction": Layer(map=prediction), "Thinned, as scored": Layer(map=thin)}

    def save(self, prediction: NDArray[np.float32], stem: Path) -> Path:
        """Write the map before edge NMS as a 16-bit PNG."""
        path = stem.with_name(stem.name + ".png")
        write_map(path, prediction)
        return path

    def load(self, stem: Path) -> NDArray[np.float32]:
        """Read an edge map: PNG, NPY or MAT."""
        return read_map(find_map(stem), self.scale)

    def surveyed(self, stems: Sequence[Path]) -> Edges:
        """The task with the scale of maps that were made elsewhere; says so if they are thick.

        Raises:
            UserError: the scale is not clear, or no map has an edge.
        """
        seen = survey(stems)
        scale = scaled(seen, self.scale)
        if self.suppression == "none":
            check_thin(seen)
        return replace(self, scale=scale)


def suppressed(
    edges: NDArray[np.float32], suppression: Suppression, smooth: float
) -> NDArray[np.float64]:
    """Smooth a map with a Gaussian (sigma in pixels), then thin it; "none" returns it unchanged."""
    if suppression == "none":
        return edges.astype(np.float64)
    from scipy.ndimage import gaussian_filter

    values = gaussian_filter(edges.astype(np.float64), smooth) if smooth > 0 else edges
    thin = edge_nms.structured_nms if suppression == "structured" else edge_nms.canny_nms
    return np.clip(thin(values), 0, 1)


def normalised(edges: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale a map linearly to [0, 1]; a constant one becomes zero."""
    low, high = float(edges.min()), float(edges.max())
    return np.zeros_like(edges) if high <= low else (edges - low) / np.float32(high - low)


def _at_image_size(found: Masks) -> Iterator[Tensor]:
    """Logits of the masks that survived, (n, H, W), a few at a time."""
    for start in range(0, len(found.logits), MASKS_AT_ONCE):
        yield found.resize(found.logits[start : start + MASKS_AT_ONCE, 0])
