"""Matching of scored masks or boxes with the truth of one image, shared by all AP metrics.

The matching is COCO's (Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014;
``pycocotools.cocoeval.COCOeval``), except that annotation ids play no role: an object with id 0
can be found too, which COCOeval counts as missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.masks import rle
from sambench.metrics import iou as masks
from sambench.truths import Instances

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU from .50 to .95 in steps of .05."""
RANGES = {"": (0, 1e5**2), "s": (0, 32**2), "m": (32**2, 96**2), "l": (96**2, 1e5**2)}
"""Bins of area in pixels, by the letter in a metric's name; both ends belong to a bin, as in COCO,
so that an object of exactly 32**2 or 96**2 pixels is in two of them."""
IOU_TYPES = ("segm", "bbox", "boundary")


@dataclass(frozen=True)
class Detections:
    """Scored objects that a model found in one image.

    Attributes:
        rles: N COCO run-length encodings of the image's size.
        scores: (N,) float, higher is more confident.
        categories: (N,) int category ids.
        boxes: (N, 4) float XYXY in pixels; by default the tight boxes of the masks.
    """

    rles: tuple[JSON, ...]
    scores: NDArray[np.float64]
    categories: NDArray[np.int64]
    boxes: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.rles), len(self.scores), len(self.categories)}
        if self.boxes is not None:
            lengths.add(len(self.boxes))
        if len(lengths) > 1:
            raise UserError(
                f"detections have {len(self.rles)} masks, {len(self.scores)} scores and "
                f"{len(self.categories)} categories; give one of each to every detection."
            )
        if np.isnan(self.scores).any():
            raise UserError(
                f"the score of detection {int(np.isnan(self.scores).argmax())} is not a number; "
                "remove the detection or give it a score."
            )

    def __len__(self) -> int:
        return len(self.rles)

    def take(self, index: NDArray[np.int64]) -> Detections:
        """The detections of the given indices, in their order."""
        return Detections(
            tuple(self.rles[i] for i in index),
            self.scores[index],
            self.categories[index],
            None if self.boxes is None else self.boxes[index],
        )

    def xyxy(self) -> NDArray[np.float64]:
        """Boxes, (N, 4) XYXY: the given ones, or those of the masks."""
        return rle.boxes(self.rles) if self.boxes is None else self.boxes

    def areas(self, iou_type: str) -> NDArray[np.float64]:
        """Areas in pixels, (N,): of the boxes for "bbox", else of the masks."""
        if iou_type != "bbox":
            return rle.areas(self.rles).astype(np.float64)
        sides = self.xyxy()[:, 2:] - self.xyxy()[:, :2]
        return sides[:, 0] * sides[:, 1]


def by_score(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices in descending order of score; equal scores keep their order.

    Scores are compared as float64, so that precision lost elsewhere makes no ties here.
    """
    return np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")


def take_truths(truth: Instances, index: NDArray[np.int64]) -> Instances:
    """The objects of the given indices, in their order."""
    return replace(
        truth,
        rles=tuple(truth.rles[i] for i in index),
        ids=tuple(truth.ids[i] for i in index),
        categories=truth.categories[index],
        boxes=truth.boxes[index],
        areas=truth.areas[index],
        crowd=truth.crowd[index],
    )


def without_crowd(truth: Instances) -> Instances:
    """The same objects, all of them single."""
    return replace(truth, crowd=np.zeros(len(truth), dtype=bool))


def require_size(rles: Sequence[JSON], truth: Instances) -> None:
    """Raise a UserError where a mask is not of the image's size: [W, H] is a usual mistake."""
    for i, encoded in enumerate(rles):
        if tuple(encoded["size"]) != tuple(truth.size):
            raise UserError(
                f"the mask of detection {i} is of size {list(encoded['size'])} and the image of "
                f"{list(truth.size)}; give [height, width]."
            )


def overlaps(
    detections: Detections,
    truth: Instances,
    iou_type: str,
    *,
    by_category: bool,
    at_least: float = float(THRESHOLDS[0]),
) -> NDArray[np.float64]:
    """IoU of detections with true objects, (D, G); pairs that cannot reach `at_least` may be 0.

    Args:
        detections: D of them.
        truth: G objects.
        iou_type: "segm": of the masks; "bbox": of the boxes; "boundary": the lesser of mask IoU
            and Boundary IoU (Cheng et al., CVPR 2021, section 6), but mask IoU for crowd regions,
            as their COCO evaluation does.
        by_category: objects of another category are at 0.
        at_least: the least IoU that matters.
    """
    if iou_type not in IOU_TYPES:
        raise UserError(f"unknown IoU type {iou_type!r}: choose {', '.join(IOU_TYPES)}.")
    require_size(detections.rles, truth)
    wanted = np.ones((len(detections), len(truth)), dtype=bool)
    if by_category:
        wanted = detections.categories[:, None] == truth.categories[None]
    if iou_type == "bbox":
        return np.where(wanted, _box_iou(detections.xyxy(), truth), 0.0)
    iou = rle.overlaps(detections.rles, truth.rles, truth.crowd, wanted=wanted, at_least=at_least)
    if iou_type == "boundary":
        _lower_to_boundary_iou(iou, detections.rles, truth, at_least)
    return iou


def _box_iou(boxes: NDArray[np.float64], truth: Instances) -> NDArray[np.float64]:
    from pycocotools import mask as coco_mask

    if not len(boxes) or not len(truth):
        return np.zeros((len(boxes), len(truth)))
    xywh = [
        np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).astype(np.float64)
        for corners in (boxes, truth.boxes)
    ]
    iou: NDArray[np.float64] = coco_mask.iou(*xywh, truth.crowd.astype(np.uint8).tolist())
    return iou


def _lower_to_boundary_iou(
    iou: NDArray[np.float64], rles: Sequence[JSON], truth: Instances, at_least: float
) -> None:
    """Only pairs whose masks overlap enough need boundaries."""
    close = (iou >= at_least) & ~truth.crowd
    rows = np.flatnonzero(close.any(axis=1)).tolist()
    columns = np.flatnonzero(close.any(axis=0)).tolist()
    block = np.ix_(rows, columns)
    lower = rle.overlaps(
        [_contour(rles[i]) for i in rows],
        [_contour(truth.rles[i]) for i in columns],
        wanted=close[block],
    )
    iou[block] = np.where(close[block], np.minimum(iou[block], lower), iou[block])


def _contour(mask: JSON) -> JSON:
    return rle.encode(masks.boundary(rle.decode([mask])[0])[None])[0]


def match(
    iou: NDArray[np.float64], role: NDArray[np.int8], crowd: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Match detections in their order, for B views of the truth.

    Args:
        iou: (D, G).
        role: (B, G), what each object is to a view: 0 counted, 1 ignored, 2 absent.
        crowd: (G,), may be matched more than once.

    Returns:
        (B, T, D) int64 index of the object that a detection found at each threshold, or -1.
    """
    from sambench.metrics.detection import _greedy

    matched = np.full((len(role), len(THRESHOLDS), len(iou)), -1, dtype=np.int64)
    able = np.flatnonzero((iou >= THRESHOLDS[0]).any(axis=1))
    found = np.empty((*matched.shape[:2], len(able)), dtype=np.int64)
    _greedy.match(iou[able], THRESHOLDS, role, crowd.astype(bool), found)
    matched[..., able] = found
    return matched


def within(areas: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each area lies in each of `RANGES`: (n,) -> (4, n)."""
    return np.stack([(areas >= low) & (areas <= high) for low, high in RANGES.values()])


def record(
    detections: Detections,
    truth: Instances,
    iou_type: str,
    unpunished: NDArray[np.bool_] | None = None,
) -> JSON:
    """All that average precision needs to know of one image.

    Args:
        detections: ordered by category, then by descending score.
        truth: the objects.
        iou_type: see `overlaps`.
        unpunished: (D,) bool, detections that are not false positives where they match nothing.

    Returns:
        ``categories``, and for each the number of ``truths`` in each of `RANGES` and the number of
        ``detections``. For each detection, category after category: its score in ``scores``; in
        ``ranges`` bit a is set if it is a false positive of range a unless matched; bit
        10 a + t of ``matched`` if it found an object of range a at threshold t; of ``skipped`` if
        it found one that does not count.
    """
    present = np.union1d(detections.categories, truth.categories)
    counted = within(truth.areas) & ~truth.crowd
    iou = overlaps(detections, truth, iou_type, by_category=True)
    matched = match(iou, (~counted).astype(np.int8), truth.crowd)
    punishable = within(detections.areas(iou_type))
    if unpunished is not None:
        punishable &= ~unpunished
    true = np.zeros_like(matched, dtype=bool)
    for view in range(len(counted)):
        hit = matched[view] >= 0
        true[view][hit] = counted[view][matched[view][hit]]
    skipped = (matched >= 0) & ~true & punishable[:, None]
    of_category = truth.categories == present[:, None]
    return {
        "categories": present.tolist(),
        "truths": (of_category.astype(np.int64) @ counted.T.astype(np.int64)).tolist(),
        "detections": (detections.categories == present[:, None]).sum(axis=1).tolist(),
        "scores": np.asarray(detections.scores, dtype=np.float64).tolist(),
        "ranges": _bits(punishable),
        "matched": _bits(np.concatenate(true)),
        "skipped": _bits(np.concatenate(skipped)),
    }


def _bits(flags: NDArray[np.bool_]) -> list[int]:
    """Bit i of number d is flag [i, d]; fewer than 53 bits, so that JSON keeps them."""
    powers = 1 << np.arange(len(flags), dtype=np.int64)
    bits: list[int] = (powers @ flags.astype(np.int64)).tolist()
    return bits
