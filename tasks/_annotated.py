"""Masks of annotated boxes: the boxes, the view of an image they are asked in, what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON, Curve, Estimator, Histogram, Metric
from sambench.masks import rle
from sambench.metrics import iou as mask_metrics
from sambench.metrics.statistics import ratios
from sambench.truths import Instances as Truth

from ._chosen import best_iou
from ._coco_results import ImageDetections
from ._confidence import CHOICE, Told, with_confidence
from ._objects import GroundTruth, iou_histogram, object_mask
from ._sizes import by_size, sized
from ._surface import object_values

View = Literal["image", "stretched"]
"""What a model looks at: the image, or the image stretched to a square of 1024 x 1024."""
_MEAN = Metric("mIoU", "mean IoU over objects", "percent")
OVERLAP = (
    _MEAN,
    *by_size(_MEAN),
    Metric("BoundaryIoU", "mean Boundary IoU over objects", "percent"),
)
"""What is measured of the masks of annotated boxes."""
OVERLAP_FACTS = {
    "mIoU": "at the image's original size, logits > 0; an object with an empty mask is left out; "
    "sizes by annotated area: small < 32^2 <= medium < 96^2 <= large",
    "BoundaryIoU": "2 % of the diagonal",
}


def object_boxes(truth: Truth, objects: Sequence[int], view: View) -> NDArray[np.float64]:
    """The boxes of annotated objects, (N, 4) XYXY in pixels of the image.

    Where the image is stretched they are those of the stretched masks.
    """
    if view == "image":
        return truth.boxes[list(objects)]
    from sambench.masks.stretched import box_of

    grey = truth.extra.get("grey")
    masks = (truth.mask(i).astype(np.uint8) * 255 if grey is None else grey for i in objects)
    return np.array([box_of(mask) for mask in masks], dtype=np.float64).reshape(-1, 4)


def require_answers(found: ImageDetections, truth: Truth, objects: Sequence[int]) -> None:
    """Refuse a prediction without a mask for each object: left out, it would count as nothing.

    Raises:
        UserError: an object has no mask, or more than one.
    """
    wanted = [truth.ids[index] for index in objects]
    if sorted(found.objects) != sorted(wanted):
        answered = len(set(found.objects) & set(wanted))
        raise UserError(
            f"the prediction has {len(found.objects)} masks, for {answered} of the {len(wanted)} "
            "objects of its image; give one for each."
        )


def overlaps(found: ImageDetections, truth: Truth, ground_truth: GroundTruth) -> JSON:
    """IoU and Boundary IoU of the masks of annotated boxes, and the best of all candidates' IoU."""
    places = {id: index for index, id in enumerate(truth.ids)}
    objects = [places[id] for id in found.objects]
    pairs = [
        (object_mask(truth.mask(i), ground_truth), rle.decode([encoded])[0])
        for i, encoded in zip(objects, found.detections.rles, strict=True)
    ]
    iou = [float(mask_metrics.iou(*pair, truth.ignore)) for pair in pairs]
    best = best_iou(found, iou, [own for own, _ in pairs], truth.ignore)
    return {
        "objects": list(found.objects),
        "areas": truth.areas[objects].tolist(),
        "categories": truth.categories[objects].tolist(),
        "iou": iou,
        **({} if best is None else {"oracle": best}),
        "boundary_iou": [mask_metrics.boundary_iou(*pair) for pair in pairs],
        "left_out": len(truth) - len(objects),
        **({"predicted": list(found.predicted)} if len(found.predicted) == len(objects) else {}),
    }


def mean_iou(records: Sequence[JSON]) -> Estimator:
    """Mean IoU and Boundary IoU over objects, and what the predicted IoU says of the IoU."""
    whole = [record["iou"] for record in records]
    boundary = [record["boundary_iou"] for record in records]
    by_area, contours = sized("mIoU", whole, records), object_values(records, whole)
    rest = {**contours, **_cost(records)}
    means = ratios({"mIoU": whole, **by_area, "BoundaryIoU": boundary, **rest})
    return with_confidence(means, _told(records))


def _cost(records: Sequence[JSON]) -> dict[str, list[list[float]]]:
    """What each object lost by the choice among several masks, by metric, where all are known."""
    if not all("oracle" in record for record in records):
        return {}
    pairs = [zip(record["oracle"], record["iou"], strict=True) for record in records]
    return {CHOICE.name: [[best - taken for best, taken in own] for own in pairs]}


def overlap_drawings(records: Sequence[JSON]) -> list[Curve | Histogram]:
    """The IoU of all objects, and what was predicted of it, where that is known."""
    told = _told(records)
    objects = iou_histogram(value for record in records for value in record["iou"])
    return [objects, *([] if told is None else told.drawings())]


def _told(records: Sequence[JSON]) -> Told | None:
    """Predicted and true IoU of the masks, where all are known."""
    if not all("predicted" in record for record in records):
        return None
    return Told.of([r["predicted"] for r in records], [r["iou"] for r in records])
