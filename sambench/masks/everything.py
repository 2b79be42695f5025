"""Masks of everything in an image: grids of points on it and on crops of it, filtered, suppressed.

The automatic mask generator of Segment Anything (Kirillov et al., 2023, section 5 and appendix B),
for any `Model`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray

from sambench.interfaces import Model
from sambench.masks import rle
from sambench.masks.crops import Crop, crop_boxes
from sambench.masks.geometry import boxes_of, nms, without_small
from sambench.masks.grid import crop_candidates
from sambench.masks.grid_options import GridOptions
from sambench.masks.mask_data import MaskData, joined
from sambench.options import Range


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

    crop_n_layers: Annotated[int, Range(0)] = 0
    crop_nms_thresh: Annotated[float, Range(0, 1)] = 0.7
    crop_overlap_ratio: Annotated[float, Range(0, below=1)] = 512 / 1500
    crop_n_points_downscale_factor: Annotated[int, Range(1)] = 1
    min_mask_region_area: Annotated[int, Range(0)] = 0


DEFAULT = EverythingOptions()


def everything(
    model: Model, image: NDArray[np.uint8], options: EverythingOptions = DEFAULT
) -> MaskData:
    """Segment everything in an image.

    Args:
        model: any model that takes points.
        image: (H, W, 3) uint8 RGB.
        options: the defaults are those of the reference.

    Returns:
        K masks as run lengths.
    """
    size = image.shape[0], image.shape[1]
    places = crop_boxes(size, options.crop_n_layers, options.crop_overlap_ratio)
    crops = [(layer, Crop(box, size)) for layer, box in places]
    found = joined([_of_crop(model, image, crop, layer, options) for layer, crop in crops])
    if len(crops) > 1:
        sides = found.crops[:, 2:] - found.crops[:, :2]
        found = found.take(nms(found.boxes, 1 / sides.prod(axis=1), options.crop_nms_thresh))
    if options.min_mask_region_area > 0 and len(found):
        found = _without_small_regions(found, options)
    return found


def _of_crop(
    model: Model, image: NDArray[np.uint8], crop: Crop, layer: int, options: EverythingOptions
) -> MaskData:
    x0, y0, x1, y1 = crop.box
    embedding = model.embed([np.ascontiguousarray(image[y0:y1, x0:x1])])[0]
    of_layer = replace(
        options,
        points_per_side=options.points_per_side // options.crop_n_points_downscale_factor**layer,
    )
    return crop_candidates(model, embedding, crop, of_layer, suppress=True)


def _without_small_regions(found: MaskData, options: EverythingOptions) -> MaskData:
    """Masks without small holes and islands; where they coincide, unchanged ones are preferred."""
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
    return replace(found, rles=tuple(rles), boxes=boxes).take(kept)
