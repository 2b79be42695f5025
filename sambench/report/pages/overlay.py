"""Masks and prompts drawn over a photograph."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import binary_erosion

from sambench.errors import UserError

OPACITY = 0.45
BAND = 512
"""Rows of a photograph that are tinted at a time."""
GREEN, RED, BOX = (40, 220, 90), (235, 50, 60), (255, 210, 30)


def colours(count: int) -> NDArray[np.float64]:
    """Distinct colours, (count, 3) in 0..255: hues by the golden angle."""
    hue = (np.arange(count) * 0.61803398875 + 0.58) % 1.0
    # The three channels of a fully saturated colour are one wave, shifted by a third each.
    waves = np.abs(((hue[:, None] + np.array([0.0, 2 / 3, 1 / 3])) % 1.0) * 6 - 3) - 1
    return np.asarray(np.clip(waves, 0, 1) * 205 + 50)


def overlay(image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Tint each mask in a colour of its own, large ones first, and outline it.

    Args:
        image: (H, W, 3) uint8 RGB.
        masks: (N, H, W) bool.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    picture = image.astype(np.float32)
    order = np.argsort(-masks.sum(axis=(1, 2)), kind="stable")
    width = max(1, round(max(image.shape[:2]) / 500))
    for index, colour in zip(order, colours(len(masks)), strict=True):
        mask = masks[index]
        outline = mask & ~binary_erosion(mask, iterations=width)
        for top in range(0, len(picture), BAND):  # a huge photograph's pixels all at once are GB
            rows = slice(top, top + BAND)
            band, inside = picture[rows], mask[rows]
            band[inside] = (1 - OPACITY) * band[inside] + OPACITY * colour
            band[outline[rows]] = colour
    return np.round(picture, out=picture).astype(np.uint8)


def draw_prompts(
    picture: NDArray[np.uint8],
    points: Sequence[Sequence[float]] = (),
    negatives: Sequence[Sequence[float]] = (),
    box: Sequence[float] | None = None,
) -> NDArray[np.uint8]:
    """Draw clicks (x, y) as discs, green on the object and red off it, and a box XYXY."""
    canvas = Image.fromarray(picture)
    pen = ImageDraw.Draw(canvas)
    radius = max(4, round(max(picture.shape[:2]) / 100))
    if box is not None:
        pen.rectangle(tuple(box), outline=BOX, width=max(2, radius // 2))
    for clicks, colour in ((points, GREEN), (negatives, RED)):
        for x, y in clicks:
            disc = (x - radius, y - radius, x + radius, y + radius)
            pen.ellipse(disc, fill=colour, outline=(255, 255, 255), width=2)
    return np.asarray(canvas)


def write_png(picture: NDArray[np.uint8], path: Path) -> None:
    """Write (H, W, 3) uint8 as a PNG, whatever the ending of its name.

    Raises:
        UserError: the folder does not exist or cannot be written.
    """
    try:
        Image.fromarray(picture).save(path, format="PNG")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}).") from None
