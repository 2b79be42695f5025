"""The prompts that a user would give in training: a first point or box, then corrections.

Kirillov et al., "Segment Anything", 2023, appendix A, "Training algorithm". Points are (x, y) and
boxes (x0, y0, x1, y1), in pixels of the original image; every draw is from the generator given.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

BOX_NOISE, MOST_NOISE = 0.1, 20.0
"""Standard deviation as a fraction of the box's side, and the most pixels that a side may move."""


class Point(NamedTuple):
    """A click at pixel (x, y), foreground or background."""

    x: int
    y: int
    positive: bool


def point_in(region: NDArray[np.bool_], random: Generator) -> tuple[int, int]:
    """A pixel (x, y) drawn uniformly from a region (H, W), which is not empty."""
    pixels = np.flatnonzero(region)
    row, column = divmod(int(pixels[random.integers(len(pixels))]), region.shape[1])
    return column, row


def correction(
    truth: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    random: Generator,
    valid: NDArray[np.bool_] | None = None,
) -> Point:
    """A click drawn uniformly from where truth and prediction differ.

    Where they do not differ, of which the paper says nothing, one more click into the object.

    Args:
        truth: (H, W) of an object that has a pixel.
        predicted: (H, W).
        random: generator.
        valid: (H, W) pixels that count; None is all.
    """
    wrong = truth ^ predicted
    if valid is not None:
        wrong &= valid
    x, y = point_in(wrong if wrong.any() else truth, random)
    return Point(x, y, bool(truth[y, x]))


def noised_box(
    box: NDArray[np.float64], size: tuple[int, int], random: Generator
) -> NDArray[np.float64]:
    """A box (4,) whose sides were moved, each by Gaussian noise, and stay in the image (H, W).

    The deviation is a tenth of the width for x and of the height for y; no side moves by more than
    20 pixels.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    deviation = BOX_NOISE * np.array([width, height, width, height])
    noise = np.clip(random.normal(0.0, deviation), -MOST_NOISE, MOST_NOISE)
    edge = np.array([size[1], size[0]] * 2)
    moved: NDArray[np.float64] = np.clip(box + noise, 0, edge)
    return moved


def later_rounds(clicks: int, random: Generator) -> tuple[bool, ...]:
    """What follows the first prompt: True is a new click, False a round without new information.

    One of the latter is put before a click drawn uniformly, the other is at the end: with 8 clicks
    there are 10 rounds, 11 with the first.
    """
    rounds = [True] * clicks
    rounds.insert(int(random.integers(max(1, clicks))), False)
    return (*rounds, False)
