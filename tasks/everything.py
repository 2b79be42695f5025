"""Everything: segment all of an image without a prompt, and ask how well it holds each object.

The automatic mask generator of Segment Anything (Kirillov et al., 2023, section 5 and appendix B),
scored as TinySAM's table of its everything mode does (Shu et al., 2023): each annotated object by
the mask that fits it best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import (
    JSON,
    Curve,
    Dataset,
    Embedding,
    Estimator,
    Histogram,
    Layer,
    Metric,
    Model,
    Prediction,
    Sample,
    Task,
)
from sambench.masks import rle
from sambench.metrics import iou as mask_metrics
from sambench.metrics.detection.assignment import Detections
from sambench.metrics.statistics import by_group, ratios
from sambench.options import Range
from sambench.truths import Instances

from ._coco_results import ImageDetections, image_id, read_results, require_image, write_results
from ._confidence import DECLARED, Told, with_confidence
from ._objects import SINGLE, category_counts, iou_histogram, require_objects
from ._sizes import by_size, sized

_BEST = Metric("mIoU", "mean over objects of the best IoU of all masks of the image", "percent")


@dataclass(frozen=True)
class Everything(Task):
    """The best IoU of all masks of an image with each of its objects.

    Attributes:
        points_per_side: points along each side of the grid.
        pred_iou_thresh: masks are kept if their predicted IoU is above this; 0 keeps all.
        stability_score_thresh: masks are kept if their stability score is at least this; 0 keeps
            all.
        box_nms_thresh: of two masks whose boxes have a higher IoU than this, the one of lower
            predicted IoU is suppressed.
    """

    points_per_side: Annotated[int, Range(1)] = 32
    pred_iou_thresh: Annotated[float, Range(0, 1)] = 0.88
    stability_score_thresh: Annotated[float, Range(0, 1)] = 0.95
    box_nms_thresh: Annotated[float, Range(0, 1)] = 0.7

    truth: ClassVar[type] = Instances
    metrics = (
        _BEST,
        *by_size(_BEST),
        Metric("masks", "masks of an image, mean", "count", None),
        *DECLARED,
    )
    needs = frozenset({"points"})
    direct: ClassVar[str] = "propose"
    """As that of proposals: image -> N masks as run lengths of the image's size, (N,) scores."""
    prompting: ClassVar[frozenset[str]] = frozenset({
        "points_per_side", "pred_iou_thresh", "stability_score_thresh", "box_nms_thresh", "crops",
    })  # fmt: skip
    paper: ClassVar[str] = "sambench run --task everything --model mobile_sam --dataset coco"
    facts: ClassVar[Mapping[str, Any]] = {
        "IoU": "at the image's original size; one mask may be the best of several objects, an "
        "object that no mask touches has 0, one with an empty mask is left out",
        "objects": "single ones; crowd regions ask for nothing",
        "sizes": "annotated area: small < 32^2 <= medium < 96^2 <= large",
        "crops": "none",
    }

    def check_images(self, dataset: Dataset, ids: Sequence[str]) -> None:
        """Refuse images without a single object."""
        require_objects(dataset, ids, SINGLE)

    def predict(self, model: Model, embedding: Embedding, sample: Sample) -> ImageDetections:
        """The masks that are left, by descending predicted IoU, all of category 1."""
        if (propose := model.direct(self.direct)) is not None:
            rles, scores = propose(sample.image)
        else:
            rles, scores = self._from_grid(model, embedding, sample)
        categories = np.ones(len(rles), dtype=np.int64)
        found = Detections(tuple(rles), np.asarray(scores, dtype=np.float64), categories)
        return ImageDetections(image_id(sample), found)

    def _from_grid(
        self, model: Model, embedding: Embedding, sample: Sample
    ) -> tuple[Sequence[JSON], NDArray[np.float64]]:
        from sambench.masks.crops import Crop
        from sambench.masks.grid import crop_candidates
        from sambench.masks.grid_options import GridOptions

        options = GridOptions(
            self.points_per_side,
            True,
            self.pred_iou_thresh,
            self.stability_score_thresh,
            box_nms_thresh=self.box_nms_thresh,
        )
        crop = Crop.whole((sample.image.shape[0], sample.image.shape[1]))
        found = crop_candidates(model, embedding, crop, options, suppress=True)
        return found.rles, found.iou.astype(np.float64)

    def score(self, prediction: ImageDetections, truth: Instances) -> JSON:
        """The best IoU of each object, what was predicted for it, and how many masks there were."""
        require_image(prediction, truth)
        single = np.flatnonzero(~truth.crowd).tolist()
        asked = [i for i in single if truth.mask(i).any()]
        iou, place = best_masks(prediction.detections.rles, truth, asked)
        scores = prediction.detections.scores
        return {
            "objects": [truth.ids[i] for i in asked],
            "areas": [float(truth.areas[i]) for i in asked],
            "categories": [int(truth.categories[i]) for i in asked],
            "iou": iou.tolist(),
            "predicted": [float(scores[i]) if i >= 0 else None for i in place],
            "masks": len(prediction.detections.rles),
            "left_out": len(single) - len(asked),
        }

    def estimator(self, records: Sequence[JSON]) -> Estimator:
        """Mean over objects of the best IoU, by size too; mean number of masks."""
        values = [r["iou"] for r in records]
        masks = [[float(r["masks"])] for r in records]
        means = ratios({"mIoU": values, **sized("mIoU", values, records), "masks": masks})
        return with_confidence(means, _told(records))

    def by_category(self, records: Sequence[JSON]) -> Estimator:
        """Mean over the objects of each category of the best IoU."""
        return by_group([r["categories"] for r in records], [r["iou"] for r in records])

    def category_counts(self, records: Sequence[JSON]) -> Mapping[str, int]:
        """Objects of each category."""
        return category_counts(records)

    def curves(self, records: Sequence[JSON]) -> Sequence[Curve | Histogram]:
        """The best IoU of all objects, and what was predicted of it."""
        best = iou_histogram(iou for record in records for iou in record["iou"])
        return [best, *_told(records).drawings()]

    def layers(self, prediction: Prediction) -> Mapping[str, Layer]:
        """The masks, of hundreds the most confident."""
        return {"Prediction": prediction.layer()}

    def save(self, prediction: ImageDetections, stem: Path) -> Path:
        """Write COCO results JSON."""
        return write_results(prediction, stem)

    def load(self, stem: Path) -> ImageDetections:
        """Read COCO results JSON."""
        return read_results(stem)


def _told(records: Sequence[JSON]) -> Told:
    """Predicted and true IoU of the best mask of each object that a mask touches."""
    return Told.of([r["predicted"] for r in records], [r["iou"] for r in records])


def best_masks(
    found: Sequence[JSON], truth: Instances, objects: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Of each object the mask that fits it best, the first of equal ones.

    Args:
        found: N masks of the image as run lengths.
        truth: the objects; its `ignore` does not count.
        objects: K indices of those that are asked for.

    Returns:
        (K,) its IoU, 0 where no mask touches the object; (K,) its index, -1 where none does.
    """
    wanted = [truth.rles[i] for i in objects]
    if not found or not wanted:
        return np.zeros(len(wanted)), np.full(len(wanted), -1)
    if truth.ignore is None:
        iou = rle.overlaps(found, wanted)
    else:
        masks, pairs = rle.decode(found), (truth.mask(i) for i in objects)
        rows = [mask_metrics.iou(mask[None], masks, truth.ignore) for mask in pairs]
        iou = np.stack(rows, axis=1)
    best = iou.max(axis=0)
    return best, np.where(best > 0, iou.argmax(axis=0), -1)
