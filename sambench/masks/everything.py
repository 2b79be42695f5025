"""Masks of everything in an image: a grid of points, filters, non-maximum suppression, crops.

The automatic mask generator of Segment Anything (Kirillov et al., 2023, section 5 and appendix B),
for any `Model`. `everything` is the whole of it for an image; `grid` prompts one embedded image and
keeps the logits of what survives.

Memory does not grow with the grid: masks are enlarged a few at a time, measured, encoded as run
lengths, and dropped, before suppression decides which of them stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from sambench.errors import UserError
from sambench.interfaces import JSON, Embedding, Masks, Model, Prompts, masks_at_once
from sambench.masks import rle
from sambench.masks.candidates import Candidates, Room, joined
from sambench.masks.geometry import boxes_of, crop_boxes, nms, without_small
from sambench.masks.upsampling import enlarge

Keep = Literal["logits", "rles"]
EDGE = 20
"""A box this near to the edge of a crop, in pixels, is likely cut off by it."""


@dataclass(frozen=True)
class GridOptions:
    """How one image, or one crop of it, is prompted and what is kept.

    Attributes:
        points_per_side: points along each side of the grid; of n points, the i-th lies at
            (i + 0.5) / n of the width or height.
        multimask: several candidate masks per point, or a single one.
        pred_iou_thresh: masks are kept if their predicted IoU is above this; 0 keeps all.
        stability_score_thresh: masks are kept if their stability score is at least this; 0 keeps
            all, None does not compute it.
        stability_score_offset: the stability score is the IoU between the masks thresholded at
            +offset and at -offset.
        box_nms_thresh: of two masks whose boxes have a higher IoU than this, the one of lower
            predicted IoU is suppressed.
    """

    points_per_side: int = 32
    multimask: bool = True
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float | None = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7

    def __post_init__(self) -> None:
        if self.points_per_side < 1:
            raise UserError(
                f"a grid with points_per_side={self.points_per_side} has no points; give 1 or more."
            )


@dataclass(frozen=True)
class EverythingOptions(GridOptions):
    """How all of an image is segmented; the defaults are those of the reference.

    Attributes:
        crop_n_layers: layer i adds 2**i x 2**i overlapping crops, each embedded and prompted.
        crop_nms_thresh: as box_nms_thresh, but between crops; masks of smaller crops are preferred.
        crop_overlap_ratio: overlap of the crops of the first layer as a fraction of the image's
            shorter side; it halves with every further layer.
        crop_n_points_downscale_factor: points_per_side is divided by it from layer to layer.
        min_mask_region_area: holes and islands of fewer pixels are removed, followed by another
            suppression of boxes.
    """

    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    min_mask_region_area: int = 0


DEFAULT = EverythingOptions()


@dataclass(frozen=True)
class Everything:
    """K masks of an image.

    Attributes:
        size: (H, W).
        rles: K run-length encodings.
        boxes: (K, 4) float32 XYXY, first and last pixel of the mask.
        iou: (K,) float32, as the model predicts it.
        stability: (K,) float32.
        points: (K, 2) float64 x, y, the prompt.
        crops: (K, 4) int XYXY, the crop that the mask is from.
    """

    size: tuple[int, int]
    rles: tuple[JSON, ...]
    boxes: NDArray[np.float32]
    iou: NDArray[np.float32]
    stability: NDArray[np.float32]
    points: NDArray[np.float64]
    crops: NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """What is left of a grid's masks after suppression, by descending predicted IoU.

    Attributes:
        logits: (K, h, w) float, low resolution, on the model's device.
        iou: (K,) float32, as the model predicts it.
        stability: (K,) float32; NaN where it was not computed.
        boxes: (K, 4) float32 XYXY, first and last pixel; zeros for an empty mask.
        points: (K, 2) float64 x, y, the prompt.
        resize: brings (n, h, w) logits to (n, H, W).
    """

    logits: Tensor
    iou: NDArray[np.float32]
    stability: NDArray[np.float32]
    boxes: NDArray[np.float32]
    points: NDArray[np.float64]
    resize: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Place:
    """A crop (x0, y0, x1, y1) of an image of size (H, W)."""

    box: tuple[int, int, int, int]
    image: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        return self.box[3] - self.box[1], self.box[2] - self.box[0]

    @property
    def whole(self) -> bool:
        return self.size == self.image

    def shifted(self, masks: Tensor) -> Tensor:
        """Masks (n, h, w) of the crop -> (n, H, W) of the image."""
        if self.whole:
            return masks
        (height, width), (x0, y0, x1, y1) = self.image, self.box
        return F.pad(masks, (x0, width - x1, y0, height - y1))

    def shifted_boxes(self, boxes: Tensor) -> Tensor:
        """Boxes (n, 4) of the crop -> of the image."""
        return boxes + torch.tensor(self.box[:2] * 2, device=boxes.device)

    def inside(self, boxes: Tensor) -> Tensor:
        """(n,) bool: boxes (n, 4) of the image that do not touch an edge where it is cut off."""
        crop = torch.tensor(self.box, device=boxes.device)
        edges = torch.tensor([0, 0, *self.image[::-1]], device=boxes.device)
        cut = ((boxes - crop).abs() <= EDGE) & ((boxes - edges).abs() > EDGE)
        return ~cut.any(dim=1)


def point_grid(points_per_side: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """Points of a regular grid, row by row.

    Args:
        points_per_side: points along each side.
        size: (H, W) of the image.

    Returns:
        (points_per_side**2, 2) float64 x, y in pixels.
    """
    first = 0.5 / points_per_side
    ticks = np.linspace(first, 1 - first, points_per_side)
    y, x = np.meshgrid(ticks, ticks, indexing="ij")
    points: NDArray[np.float64] = np.stack([x, y], axis=-1).reshape(-1, 2) * size[::-1]
    return points


def grid(
    model: Model,
    embedding: Embedding,
    size: tuple[int, int],
    *,
    points_per_side: int = 16,
    multimask: bool = True,
    pred_iou_thresh: float = 0.0,
    stability_score_thresh: float | None = None,
    box_nms_thresh: float = 0.7,
) -> Grid:
    """Prompt one embedded image with a grid of points; keep the logits of what survives.

    Args:
        model: any model that takes points.
        embedding: of the image.
        size: (H, W) of the image.
        points_per_side: points along each side.
        multimask: several candidate masks per point, or a single one.
        pred_iou_thresh: masks are kept if their predicted IoU is above this; 0 keeps all.
        stability_score_thresh: masks are kept if their stability score is at least this; None does
            not compute it.
        box_nms_thresh: of two masks whose boxes have a higher IoU than this, the one of lower
            predicted IoU is suppressed.
    """
    options = GridOptions(
        points_per_side,
        multimask,
        pred_iou_thresh,
        stability_score_thresh,
        box_nms_thresh=box_nms_thresh,
    )
    found, resize = _candidates(model, embedding, _whole(size), options, "logits")
    kept = found.take(nms(found.boxes, found.iou, box_nms_thresh))
    logits = torch.stack(kept.logits) if len(kept) else torch.zeros(0, 1, 1)
    return Grid(logits, kept.iou, kept.stability, kept.boxes, kept.points, resize)


def everything(
    model: Model, image: NDArray[np.uint8], options: EverythingOptions = DEFAULT
) -> Everything:
    """Segment everything in an image.

    Args:
        model: any model that takes points.
        image: (H, W, 3) uint8 RGB.
        options: the defaults are those of the reference.
    """
    size = image.shape[0], image.shape[1]
    places = crop_boxes(size, options.crop_n_layers, options.crop_overlap_ratio)
    parts = [_of_crop(model, image, _Place(box, size), layer, options) for layer, box in places]
    found = joined(parts)
    boxes = np.array([box for _, box in places], dtype=np.int64)
    crops = np.repeat(boxes, [len(part) for part in parts], axis=0)
    if len(places) > 1:
        areas = (crops[:, 2] - crops[:, 0]) * (crops[:, 3] - crops[:, 1])
        kept = nms(found.boxes, 1 / areas, options.crop_nms_thresh)
        found, crops = found.take(kept), crops[kept]
    if options.min_mask_region_area > 0 and len(found):
        found, kept = _tidied(found, options)
        crops = crops[kept]
    return Everything(
        size, found.rles, found.boxes, found.iou, found.stability, found.points, crops
    )


def _of_crop(
    model: Model, image: NDArray[np.uint8], place: _Place, layer: int, options: EverythingOptions
) -> Candidates:
    x0, y0, x1, y1 = place.box
    embedding = model.embed([np.ascontiguousarray(image[y0:y1, x0:x1])])[0]
    of_layer = replace(
        options,
        points_per_side=options.points_per_side // options.crop_n_points_downscale_factor**layer,
    )
    found, _ = _candidates(model, embedding, place, of_layer, "rles")
    return found.take(nms(found.boxes, found.iou, options.box_nms_thresh))


def _tidied(found: Candidates, options: EverythingOptions) -> tuple[Candidates, NDArray[np.int64]]:
    """Masks without small holes and islands, and which were kept; unchanged ones are preferred."""
    rles, boxes = list(found.rles), found.boxes.copy()
    unchanged = np.ones(len(found))
    for i, encoded in enumerate(found.rles):
        mask = rle.decode([encoded])[0]
        mask, filled = without_small(mask, options.min_mask_region_area, holes=True)
        mask, removed = without_small(mask, options.min_mask_region_area, holes=False)
        if filled or removed:
            unchanged[i] = 0
            rles[i] = rle.encode(mask[None])[0]
            boxes[i] = boxes_of(torch.from_numpy(mask[None]))[0]
    kept = nms(boxes, unchanged, max(options.box_nms_thresh, options.crop_nms_thresh))
    return replace(found, rles=tuple(rles), boxes=boxes).take(kept), kept


def candidates(
    model: Model, embedding: Embedding, size: tuple[int, int], options: GridOptions
) -> Candidates:
    """All masks of a grid that pass the filters, as run lengths, before any suppression.

    They come prompt by prompt, the candidates of a prompt in the model's order.
    """
    return _candidates(model, embedding, _whole(size), options, "rles")[0]


def _whole(size: tuple[int, int]) -> _Place:
    return _Place((0, 0, size[1], size[0]), size)


def _candidates(
    model: Model, embedding: Embedding, place: _Place, options: GridOptions, keep: Keep
) -> tuple[Candidates, Callable[[Tensor], Tensor]]:
    """Masks of a grid that pass the filters, and how the model resizes their logits."""
    points = point_grid(options.points_per_side, place.size)
    room: Room | None = None
    for start in range(0, len(points), model.prompt_batch):
        part = points[start : start + model.prompt_batch]
        prompts = Prompts(points=part[:, None], labels=np.ones((len(part), 1), np.int64))
        if options.pred_iou_thresh > 0:
            answer = model.predict_above(
                embedding, prompts, options.pred_iou_thresh, multimask=options.multimask
            )
        else:
            answer = model.predict(embedding, prompts, multimask=options.multimask)
        room = room or Room(len(points) * answer.iou.shape[1], place.image)
        _measure(answer, part, place, options, keep, room)
    assert room is not None
    return room.candidates(), answer.resize


def _measure(
    answer: Masks,
    points: NDArray[np.float64],
    place: _Place,
    options: GridOptions,
    keep: Keep,
    room: Room,
) -> None:
    """Filter by predicted IoU; enlarge the rest a few at a time, to filter and measure them."""
    iou = answer.iou.flatten()
    least = options.pred_iou_thresh
    index = ((iou > least) | (least <= 0)).nonzero()[:, 0]
    step = masks_at_once(place.size, iou.device.type)
    channels = answer.iou.shape[1]
    for part in torch.split(index, step) if len(index) else ():
        logits = answer.logits.flatten(0, 1)[part]
        offset = None if options.stability_score_thresh is None else options.stability_score_offset
        full = enlarge(answer.resize, logits, offset)  # of the crop
        stable = _stable(full.stability, options.stability_score_thresh)
        boxes = place.shifted_boxes(full.boxes[stable])
        inside = place.inside(boxes)
        left = stable.nonzero()[:, 0][inside]
        prompted = points[(part[left] // channels).cpu().numpy()] + place.box[:2]
        room.add(iou[part][left], full.stability[left], boxes[inside], prompted)
        if keep == "logits":
            room.logits += list(logits[left])
        else:
            room.encode(place.shifted(full.masks[left]))
        room.count += len(left)


def _stable(score: Tensor, least: float | None) -> Tensor:
    """Which of n masks are stable enough, (n,) bool."""
    if least is None:
        return torch.ones_like(score, dtype=torch.bool)
    # Without a threshold, masks whose score is not defined stay too.
    return (score >= least) | (least == 0)
