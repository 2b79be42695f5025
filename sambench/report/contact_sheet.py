"""Images with their truth on one picture, to be looked at before any number is believed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sambench.interfaces import Dataset, Sample
from sambench.report.pages.layers import draw_prediction, fit
from sambench.report.pages.overlay import BOX
from sambench.shown import Layer
from sambench.truths import Instances, Truth
from sambench.video import ClipDataset, Tracks

CELL = 420
"""Longest side of an image, in pixels."""
COLUMNS = 4
GAP, CAPTION = 8, 22
"""Pixels between cells, and for the line below each."""
LETTERS = 52
"""Of a caption, in a cell's width."""
TINY = 10
"""An object of fewer pixels in height and width on the sheet is marked with a box."""


def contact_sheet(dataset: Dataset, ids: Sequence[str]) -> NDArray[np.uint8]:
    """Images, or frames of clips, with all their objects, each in a colour of its own.

    Args:
        dataset: where they are from; the first of its truths is drawn.
        ids: which images, in their order.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    samples = [sample for id in ids for sample in _samples(dataset, id)]
    columns = min(COLUMNS, max(len(samples), 1))
    rows = math.ceil(len(samples) / columns)
    width, height = CELL + GAP, CELL + CAPTION + GAP
    sheet = Image.new("RGB", (GAP + columns * width, GAP + rows * height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for place, sample in enumerate(samples):
        picture = _drawn(sample)
        left, top = GAP + place % columns * width, GAP + place // columns * height
        sheet.paste(picture, (left, top))
        pen.text((left, top + picture.height + 2), _caption(sample), fill="black", font=font)
    return np.asarray(sheet)


def _samples(dataset: Dataset, id: str) -> Iterator[Sample]:
    """What to draw of an id: its image; of a clip four annotated frames, the first and the last."""
    if not isinstance(dataset, ClipDataset):
        yield dataset[id]
        return
    clip, truth = dataset.clip(id), dataset.read_truth(id, Tracks)
    known = sorted({frame for each in truth.ids for frame in truth.annotated(each)})
    steps = {round(part * (len(known) - 1) / (COLUMNS - 1)) for part in range(COLUMNS)}
    for step in sorted(steps):
        frame = known[step]
        name = f"{id}, {clip.names[frame]}"
        yield Sample(name, clip.frame(frame), truth.instances(frame))


def _drawn(sample: Sample) -> Image.Image:
    """One image with its truth, at the size of a cell."""
    height, width = fit((sample.image.shape[0], sample.image.shape[1]), CELL)
    picture = Image.fromarray(sample.image).resize((width, height), Image.Resampling.LANCZOS)
    layer = draw_prediction(sample.truth.layer() or Layer(), (height, width))
    picture.paste(Image.fromarray(layer), (0, 0), Image.fromarray(layer[..., 3]))
    objects = _objects(sample)
    if objects is not None:
        pen, factor = ImageDraw.Draw(picture), width / sample.image.shape[1]
        for x0, y0, x1, y1 in objects.boxes * factor:
            if max(x1 - x0, y1 - y0) < TINY:
                pen.rectangle((x0 - 4, y0 - 4, x1 + 4, y1 + 4), outline=BOX, width=2)
    return picture


def _objects(sample: Sample) -> Instances | None:
    truth: Truth = sample.truth
    return truth.objects()


def _caption(sample: Sample) -> str:
    objects = _objects(sample)
    count = "" if objects is None else f": {len(objects)} objects"
    room = LETTERS - len(count)
    return (sample.id if len(sample.id) <= room else "..." + sample.id[3 - room :]) + count
