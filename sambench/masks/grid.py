"""Masks of a grid of points on one embedded image, filtered and measured.

Memory does not grow with the grid: masks are upsampled a few at a time, measured, encoded as run
lengths, and dropped, before suppression decides which of them stay.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sambench.interfaces import Embedding, Masks, Model, Prompts
from sambench.masks import on_gpu
from sambench.masks.crops import Crop
from sambench.masks.geometry import nms
from sambench.masks.grid_options import GridOptions
from sambench.masks.mask_data import MaskBuffer, MaskData
from sambench.masks.upsampling import masks_at_once, upsample

Keep = Literal["logits", "rles"]


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
) -> Masks:
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

    Returns:
        K masks of a single candidate each, by descending predicted IoU.
    """
    options = GridOptions(
        points_per_side,
        multimask,
        pred_iou_thresh,
        stability_score_thresh,
        box_nms_thresh=box_nms_thresh,
    )
    kept, resize = _gathered(
        model, embedding, Crop.whole(size), options, keep="logits", suppress=True
    )
    logits = torch.stack(kept.logits) if len(kept) else torch.zeros(0, 1, 1)
    return Masks(logits[:, None], torch.from_numpy(kept.iou)[:, None], size, resize)


def candidates(
    model: Model, embedding: Embedding, size: tuple[int, int], options: GridOptions
) -> MaskData:
    """All masks of a grid that pass the filters, as run lengths, before any suppression.

    They come prompt by prompt, the candidates of a prompt in the model's order.

    Args:
        model: any model that takes points.
        embedding: of the image.
        size: (H, W) of the image.
        options: of the grid.
    """
    return crop_candidates(model, embedding, Crop.whole(size), options)


def crop_candidates(
    model: Model,
    embedding: Embedding,
    crop: Crop,
    options: GridOptions,
    *,
    suppress: bool = False,
) -> MaskData:
    """As `candidates`, of a crop of an image; masks, boxes and points are those of the image.

    Args:
        model: any model that takes points.
        embedding: of the crop alone.
        crop: where it lies.
        options: of the grid on the crop.
        suppress: drop what `options.box_nms_thresh` suppresses; the rest comes by descending
            predicted IoU.
    """
    return _gathered(model, embedding, crop, options, keep="rles", suppress=suppress)[0]


def _gathered(
    model: Model,
    embedding: Embedding,
    crop: Crop,
    options: GridOptions,
    *,
    keep: Keep,
    suppress: bool,
) -> tuple[MaskData, Callable[[Tensor], Tensor]]:
    """Masks of a grid that pass the filters, and how the model resizes their logits."""
    points = point_grid(options.points_per_side, crop.size)
    answers = _answers(model, embedding, points, options)
    buffer: MaskBuffer | None = None
    for part, answer in answers:
        if answer.logits.device.type != "cpu":
            every = chain([(part, answer)], answers)
            kept = on_gpu.gathered(every, crop, options, logits=keep == "logits", suppress=suppress)
            return kept, answer.resize
        buffer = buffer or MaskBuffer(len(points) * answer.iou.shape[1], crop)
        _filter(answer, part, crop, options, keep, buffer)
    assert buffer is not None
    found = buffer.data()
    if suppress:
        found = found.take(nms(found.boxes, found.iou, options.box_nms_thresh))
    return found, answer.resize


def _answers(
    model: Model, embedding: Embedding, points: NDArray[np.float64], options: GridOptions
) -> on_gpu.Answers:
    """Points, as many at a time as the model likes, and its masks of each."""
    start = 0
    while start < len(points):
        part = points[start : start + model.prompt_batch]
        yield part, _asked(model, embedding, part, options)
        start += len(part)


def _asked(
    model: Model, embedding: Embedding, points: NDArray[np.float64], options: GridOptions
) -> Masks:
    """The model's answer to points (n, 2), each a prompt by itself."""
    prompts = Prompts(points=points[:, None], labels=np.ones((len(points), 1), np.int64))
    least, multimask = options.pred_iou_thresh, options.multimask
    if least > 0:
        return model.predict_above(embedding, prompts, least, multimask=multimask)
    return model.predict(embedding, prompts, multimask=multimask)


def _filter(
    answer: Masks,
    points: NDArray[np.float64],
    crop: Crop,
    options: GridOptions,
    keep: Keep,
    buffer: MaskBuffer,
) -> None:
    """Filter by predicted IoU; upsample the rest a few at a time, to filter and measure them."""
    iou = answer.iou.flatten()
    least = options.pred_iou_thresh
    index = ((iou > least) | (least <= 0)).nonzero()[:, 0]
    step = masks_at_once(crop.size, iou.device.type)
    channels = answer.iou.shape[1]
    offset = None if options.stability_score_thresh is None else options.stability_score_offset
    for part in torch.split(index, step) if len(index) else ():
        logits = answer.logits.flatten(0, 1)[part]
        full = upsample(answer.resize, logits, offset)  # to the size of the crop
        stable = _stable(full.stability, options.stability_score_thresh)
        boxes = crop.uncrop_boxes(full.boxes[stable])
        inside = crop.holds(boxes)
        left = stable.nonzero()[:, 0][inside]
        prompted = points[(part[left] // channels).cpu().numpy()] + crop.box[:2]
        known = iou[part][left], full.stability[left], boxes[inside], prompted
        if keep == "logits":
            buffer.append(*known, logits=logits[left])
        else:
            buffer.append(*known, masks=crop.uncrop_masks(full.masks[left]))


def _stable(score: Tensor, least: float | None) -> Tensor:
    """Which of n masks are stable enough, (n,) bool."""
    if least is None:
        return torch.ones_like(score, dtype=torch.bool)
    # Without a threshold, masks whose score is not defined stay too.
    return (score >= least) | (least == 0)
