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
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from sambench.interfaces import JSON, Embedding, Masks, Model, Prompts, masks_at_once
from sambench.masks import rle
from sambench.masks.candidates import Candidates, Room, joined
from sambench.masks.geometry import boxes_of, crop_boxes, nms, without_small
from sambench.masks.upsampling import enlarge
from sambench.options import Range, check_fields

Keep = Literal["logits", "rles"]
EDGE = 20
"""A box this near to the edge of a crop, in pixels, is likely cut off by it."""


@dataclass(frozen=True)
class GridOptions:
    """How one image, or one crop of it, is prompted and what is kept.

    Attributes:
        side: points along each side; the i-th is at (i + 0.5) / side of the width or height.
        multimask: several candidates for each point, or the single one.
        iou: the predicted IoU must be above this; 0 keeps all.
        stability: the stability score must be at least this; 0 keeps all, None does not compute it.
        offset: the stability score is the IoU of the masks thresholded at +offset and -offset.
        nms: of two boxes that overlap by more than this, the one of lower predicted IoU is dropped.
    """

    side: Annotated[int, Range(1)] = 32
    multimask: bool = True
    iou: Annotated[float, Range(0, 1)] = 0.88
    stability: Annotated[float | None, Range(0, 1)] = 0.95
    offset: Annotated[float, Range(0)] = 1.0
    nms: Annotated[float, Range(0, 1)] = 0.7

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class EverythingOptions(GridOptions):
    """How all of an image is segmented; the defaults are those of the reference.

    Attributes:
        crop_layers: layer i adds 2**i x 2**i overlapping crops, each embedded and prompted.
        crop_nms: the same as nms, between crops, where masks of smaller crops are preferred.
        crop_overlap: overlap of crops of the first layer, as a part of the shorter side; half of
            it in the next.
        crop_downscale: divides the points along each side from layer to layer.
        min_region: fill holes and remove islands of fewer pixels, then suppress once more.
    """

    crop_layers: Annotated[int, Range(0)] = 0
    crop_nms: Annotated[float, Range(0, 1)] = 0.7
    crop_overlap: Annotated[float, Range(0, below=1)] = 512 / 1500
    crop_downscale: Annotated[int, Range(1)] = 1
    min_region: Annotated[int, Range(0)] = 0


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


def point_grid(side: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """Points of a regular grid, row by row.

    Args:
        side: points along each side.
        size: (H, W) of the image.

    Returns:
        (side * side, 2) x, y in pixels.
    """
    ticks = np.linspace(0.5 / side, 1 - 0.5 / side, side)
    y, x = np.meshgrid(ticks, ticks, indexing="ij")
    points: NDArray[np.float64] = np.stack([x, y], axis=-1).reshape(-1, 2) * size[::-1]
    return points


def grid(
    model: Model,
    embedding: Embedding,
    size: tuple[int, int],
    *,
    side: int = 16,
    multimask: bool = True,
    iou_threshold: float = 0.0,
    stability_threshold: float | None = None,
    nms_threshold: float = 0.7,
) -> Grid:
    """Prompt one embedded image with a grid of points; keep the logits of what survives.

    Args:
        model: any model that takes points.
        embedding: of the image.
        size: (H, W) of the image.
        side: points along each side.
        multimask: several candidates for each point, or the single one.
        iou_threshold: the predicted IoU must be above this; 0 keeps all.
        stability_threshold: the stability score must be at least this; None does not compute it.
        nms_threshold: of two boxes that overlap by more, the one of lower predicted IoU is dropped.
    """
    options = GridOptions(side, multimask, iou_threshold, stability_threshold, nms=nms_threshold)
    found, resize = _candidates(model, embedding, _whole(size), options, "logits")
    kept = found.take(nms(found.boxes, found.iou, nms_threshold))
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
    places = crop_boxes(size, options.crop_layers, options.crop_overlap)
    parts = [_of_crop(model, image, _Place(box, size), layer, options) for layer, box in places]
    found = joined(parts)
    boxes = np.array([box for _, box in places], dtype=np.int64)
    crops = np.repeat(boxes, [len(part) for part in parts], axis=0)
    if len(places) > 1:
        areas = (crops[:, 2] - crops[:, 0]) * (crops[:, 3] - crops[:, 1])
        kept = nms(found.boxes, 1 / areas, options.crop_nms)
        found, crops = found.take(kept), crops[kept]
    if options.min_region > 0 and len(found):
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
    of_layer = replace(options, side=options.side // options.crop_downscale**layer)
    found, _ = _candidates(model, embedding, place, of_layer, "rles")
    return found.take(nms(found.boxes, found.iou, options.nms))


def _tidied(found: Candidates, options: EverythingOptions) -> tuple[Candidates, NDArray[np.int64]]:
    """Masks without small holes and islands, and which were kept; unchanged ones are preferred."""
    rles, boxes = list(found.rles), found.boxes.copy()
    unchanged = np.ones(len(found))
    for i, encoded in enumerate(found.rles):
        mask = rle.decode([encoded])[0]
        mask, filled = without_small(mask, options.min_region, holes=True)
        mask, removed = without_small(mask, options.min_region, holes=False)
        if filled or removed:
            unchanged[i] = 0
            rles[i] = rle.encode(mask[None])[0]
            boxes[i] = boxes_of(torch.from_numpy(mask[None]))[0]
    kept = nms(boxes, unchanged, max(options.nms, options.crop_nms))
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
    points = point_grid(options.side, place.size)
    room: Room | None = None
    for start in range(0, len(points), model.prompt_batch):
        part = points[start : start + model.prompt_batch]
        prompts = Prompts(points=part[:, None], labels=np.ones((len(part), 1), np.int64))
        if options.iou > 0:
            answer = model.predict_above(
                embedding, prompts, options.iou, multimask=options.multimask
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
    passing = iou > options.iou if options.iou > 0 else torch.ones_like(iou, dtype=torch.bool)
    index = passing.nonzero()[:, 0]
    step = masks_at_once(place.size, iou.device.type)
    channels = answer.iou.shape[1]
    for part in torch.split(index, step) if len(index) else ():
        logits = answer.logits.flatten(0, 1)[part]
        offset = None if options.stability is None else options.offset
        full = enlarge(answer.resize, logits, offset)  # of the crop
        stable = _stable(full.stability, options.stability)
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
