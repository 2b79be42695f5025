"""Masks of a grid on a GPU: filtered, measured, suppressed and encoded there.

It computes what `grid` computes on a CPU, in large steps that need no word from the host. For a
grid of up to 4096 masks the host waits four times: for how many reach the predicted IoU, for which
of these stay, for how many ends their runs have, and for these ends. A larger grid comes in waves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sambench.interfaces import JSON, Masks
from sambench.masks import rle
from sambench.masks.crops import Crop
from sambench.masks.geometry import nms, surviving
from sambench.masks.grid_options import GridOptions
from sambench.masks.mask_data import MaskData, joined
from sambench.masks.transfer import download, upload
from sambench.masks.upsampling import masks_at_once, upsample

WAVE = 2**30
"""Bytes of logits that are kept at a time."""
Answers = Iterator[tuple[NDArray[np.float64], Masks]]
"""Points (n, 2) in pixels of the crop, and the model's masks of each."""


@dataclass(frozen=True)
class Measured:
    """N masks of a wave whose predicted IoU is above the threshold, on the GPU.

    Attributes:
        logits: (N, h, w).
        resize: brings logits to the size of the crop.
        iou: (N,) float32.
        stability: (N,) float32.
        boxes: (N, 4) int64 XYXY in pixels of the image.
        prompts: (N,) int64, numbers of the points of the wave.
        passes: (N,) bool: stable enough, and not cut off by the crop.
    """

    logits: Tensor
    resize: Callable[[Tensor], Tensor]
    iou: Tensor
    stability: Tensor
    boxes: Tensor
    prompts: Tensor
    passes: Tensor


def gathered(
    answers: Answers, crop: Crop, options: GridOptions, *, logits: bool, suppress: bool
) -> MaskData:
    """Masks that pass the filters.

    Args:
        answers: at least one.
        crop: where the points lie.
        options: of the grid.
        logits: keep logits, or else run lengths.
        suppress: drop what `options.box_nms_thresh` suppresses; the rest comes by descending
            predicted IoU.
    """
    waves = _waves(answers)
    first, second = next(waves), next(waves, None)
    alone = suppress and second is None
    parts = [
        _of_wave(wave, crop, options, logits=logits, suppress=alone)
        for wave in chain([first], [] if second is None else [second], waves)
    ]
    found = joined(parts)
    if suppress and not alone:
        found = found.take(nms(found.boxes, found.iou, options.box_nms_thresh))
    return found


def _waves(answers: Answers) -> Iterator[list[tuple[NDArray[np.float64], Masks]]]:
    """Answers a few at a time."""
    wave: list[tuple[NDArray[np.float64], Masks]] = []
    held = 0
    for points, answer in answers:
        size = answer.logits.numel() * answer.logits.element_size()
        if wave and held + size > WAVE:
            yield wave
            wave, held = [], 0
        wave.append((points, answer))
        held += size
    yield wave


def _of_wave(
    wave: list[tuple[NDArray[np.float64], Masks]],
    crop: Crop,
    options: GridOptions,
    *,
    logits: bool,
    suppress: bool,
) -> MaskData:
    found = _measured([answer for _, answer in wave], crop, options)
    index, known = _chosen(found, options.box_nms_thresh if suppress else None)
    iou, stability, boxes, prompts = (values[index] for values in known)
    points = np.concatenate([points for points, _ in wave])[prompts] + crop.box[:2]
    kept = found.logits[upload(index, found.logits.device)]
    return MaskData(
        iou,
        stability,
        boxes.astype(np.float32),
        points,
        np.tile(np.array(crop.box, np.int64), (len(index), 1)),
        tuple(kept) if logits else (),
        () if logits else tuple(_encoded(kept, found.resize, crop)),
    )


def _measured(answers: list[Masks], crop: Crop, options: GridOptions) -> Measured:
    """Masks above the threshold of predicted IoU, measured at the size of the image."""
    iou = torch.cat([answer.iou.flatten() for answer in answers]).float()
    least, resize = options.pred_iou_thresh, answers[0].resize
    index = ((iou > least) | (least <= 0)).nonzero()[:, 0]
    logits = torch.cat([answer.logits.flatten(0, 1) for answer in answers])[index]
    offset = None if options.stability_score_thresh is None else options.stability_score_offset
    stability, boxes = iou.new_empty(len(index)), index.new_empty(len(index), 4)
    for part in _parts(len(index), crop, iou.device):
        full = upsample(resize, logits[part], offset, stored=False)
        stability[part], boxes[part] = full.stability, full.boxes
    boxes = crop.uncrop_boxes(boxes)
    passes = crop.holds(boxes)
    if options.stability_score_thresh:  # at 0, masks whose score is not defined stay too
        passes &= stability >= options.stability_score_thresh
    prompts = index // answers[0].iou.shape[1]
    return Measured(logits, resize, iou[index], stability, boxes, prompts, passes)


def _chosen(
    found: Measured, threshold: float | None
) -> tuple[NDArray[np.int64], list[NDArray[Any]]]:
    """Which masks stay, as (K,) indices, and what is known of all.

    Args:
        found: N masks.
        threshold: of suppression; None suppresses nothing.

    Returns:
        Also predicted IoU (N,), stability (N,), boxes (N, 4) and prompts (N,).
    """
    known = found.iou, found.stability, found.boxes, found.prompts
    if threshold is None:
        passes, *values = download(found.passes, *known)
        return np.flatnonzero(passes), values
    ranked, settled = surviving(found.boxes, found.iou, found.passes, threshold)
    passes, order, stays, sure, *values = download(found.passes, *ranked, settled, *known)
    if sure:
        return order[stays], values
    index = np.flatnonzero(passes)
    return index[nms(values[2][index], values[0][index], threshold)], values


def _encoded(logits: Tensor, resize: Callable[[Tensor], Tensor], crop: Crop) -> list[JSON]:
    """Logits (n, h, w) of masks of a crop as run lengths at the size of the image."""
    rles: list[JSON] = []
    for some in torch.split(logits, max(1, rle.CHUNK // math.prod(crop.image))):
        masks = [
            crop.uncrop_masks(upsample(resize, some[part], None).masks)
            for part in _parts(len(some), crop, some.device)
        ]
        rles += rle.encode(torch.cat(masks)) if masks else []
    return rles


def _parts(count: int, crop: Crop, device: torch.device) -> Iterator[slice]:
    """Slices of masks to upsample together."""
    step = masks_at_once(crop.size, device.type)
    return (slice(start, start + step) for start in range(0, count, step))
