"""Pictures of truth and prediction as transparent layers that lie over a photograph."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion

from sambench.interfaces import JSON
from sambench.masks.rle import areas, decode
from sambench.report.pages.overlay import colours
from sambench.shown import RLE, Layer

TRUTH = (20, 230, 150)
WEAK, STRONG = (255, 190, 0), (225, 20, 60)
"""Colours of a map's faintest and strongest values."""
FAINT = 0.08
"""Lower values of a map are not drawn."""
MISSED, EXTRA = (220, 40, 160), (255, 170, 0)
FILL = 96
"""Opacity of the inside of a mask, of 255."""
MOST_HUES = 127
"""Masks with colours of their own in a palette of 256: the inside's, the outline's, and none."""


def draw_outlines(layer: Layer, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The truth as a transparent picture, (h, w, 4) uint8 RGBA: outlines, or the boundary map."""
    alpha = np.zeros(size, dtype=np.uint8)
    if layer.map is not None:
        alpha = _strength(layer.map, size)
    for mask in resized_masks(layer.masks, size):
        alpha[_outline(mask)] = 255
    return _tinted(alpha, TRUTH)


def draw_prediction(layer: Layer, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A prediction as a transparent picture, (h, w, 4) uint8 RGBA.

    Each mask is tinted in a colour of its own and outlined, large ones first; a map goes from
    yellow to an opaque red, and is plain to see where it is faint.
    """
    if layer.map is not None:
        return _ramp(_shrunk_peaks(_clipped(layer.map), size))
    picture = np.zeros((*size, 4), dtype=np.uint8)
    if not layer.masks:
        return picture
    order = np.argsort(-areas(layer.masks), kind="stable")
    hues = colours(len(layer.masks)).round().astype(np.uint8)
    masks = resized_masks([layer.masks[i] for i in order], size)
    for index, mask in zip(order, masks, strict=True):
        picture[mask] = (*hues[index], FILL)
        picture[_outline(mask)] = (*hues[index], 255)
    return picture


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    outline = np.zeros_like(mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):  # beyond its box there is as little as beyond the picture
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        width = max(1, round(max(mask.shape) / 400))
        outline[box] = mask[box] & ~binary_erosion(mask[box], iterations=width)
    return outline


def _strength(values: NDArray[Any], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A map in [0, 1] at another size as opacity."""
    shrunk = _shrunk_peaks(_clipped(values), size)
    opacity: NDArray[np.uint8] = (shrunk * 255).round().astype(np.uint8)
    return opacity


def _clipped(values: NDArray[Any]) -> NDArray[np.float64]:
    clipped: NDArray[np.float64] = np.clip(np.asarray(values, dtype=np.float64), 0, 1)
    return clipped


def _ramp(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A map in [0, 1] as colours and opacities that tell faint from strong, (h, w, 4) uint8."""
    strength = np.sqrt(np.where(values < FAINT, 0, values))[..., None]  # most of a map is faint
    colour = (1 - strength) * WEAK + strength * STRONG
    return np.concatenate([colour, 255 * strength], axis=-1).round().astype(np.uint8)


def draw_errors(truth: Layer, prediction: Layer, size: tuple[int, int]) -> NDArray[np.uint8] | None:
    """Where masks of prediction and truth differ, (h, w, 4) uint8 RGBA; None for maps.

    Pixels of the truth that no predicted mask covers are missed, those of a prediction outside of
    the truth are extra; with masks in the same order they are compared one by one.
    """
    if truth.map is not None or prediction.map is not None:
        return None
    wanted = union(resized_masks(truth.masks, size), size)
    drawn = union(resized_masks(prediction.masks, size), size)
    picture = np.zeros((*size, 4), dtype=np.uint8)
    picture[wanted & ~drawn] = (*MISSED, 200)
    picture[drawn & ~wanted] = (*EXTRA, 200)
    return picture


def union(masks: Iterable[NDArray[np.bool_]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels that are in any mask, (h, w) bool."""
    joined = np.zeros(size, dtype=bool)
    for mask in masks:
        joined |= mask
    return joined


def resized_masks(masks: Sequence[JSON], size: tuple[int, int]) -> Iterable[NDArray[np.bool_]]:
    """Masks at the size of a picture, (h, w) bool each, one at a time to bound memory."""
    for rle in masks:
        mask = decode([rle])[0]
        if mask.shape == size:
            yield mask
        else:
            image = Image.fromarray(mask.astype(np.uint8) * 255)
            small = image.resize((size[1], size[0]), Image.Resampling.BOX)
            yield np.asarray(small) >= 128


def _shrunk_peaks(values: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """A map at another size; thin lines must not fade, so it is shrunk by its maximum."""
    if values.shape == size:
        return values
    rows = np.arange(values.shape[0]) * size[0] // values.shape[0]
    columns = np.arange(values.shape[1]) * size[1] // values.shape[1]
    out = np.zeros(size)
    np.maximum.at(out, (rows[:, None], columns[None, :]), values)
    return out


def _tinted(alpha: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    picture = np.zeros((*alpha.shape, 4), dtype=np.uint8)
    picture[..., :3] = colour
    picture[..., 3] = alpha
    return picture


def write_layer(picture: NDArray[np.uint8], path: Path) -> None:
    """Write a transparent picture as a PNG of 128 colours, which is small."""
    image = Image.fromarray(picture).quantize(128, method=Image.Quantize.FASTOCTREE)
    image.save(path, optimize=True)


def write_outlines(masks: Sequence[RLE], size: tuple[int, int], path: Path) -> None:
    """As `draw_outlines` and `write_layer` of masks, in a tenth of the time."""
    places = np.zeros(size, dtype=np.uint8)
    for mask in resized_masks(masks, size):
        places[_outline(mask)] = 1
    _write_places(places, [(0, 0, 0, 0), (*TRUTH, 255)], path)


def write_prediction(masks: Sequence[RLE], size: tuple[int, int], path: Path) -> None:
    """As `draw_prediction` and `write_layer` of masks, in a fifth of the time.

    Of more masks than a palette has colours for, some share theirs.
    """
    hues = colours(min(len(masks), MOST_HUES)).round().astype(np.uint8).tolist()
    palette = [(0, 0, 0, 0), *((*hue, opacity) for hue in hues for opacity in (FILL, 255))]
    order = np.argsort(-areas(masks), kind="stable").tolist()
    places = np.zeros(size, dtype=np.uint8)
    for index, mask in zip(order, resized_masks([masks[i] for i in order], size), strict=True):
        first = 1 + 2 * (index % MOST_HUES)
        places[mask] = first
        places[_outline(mask)] = first + 1
    _write_places(places, palette, path)


def _write_places(places: NDArray[np.uint8], palette: Sequence[Sequence[int]], path: Path) -> None:
    """Write a picture as a PNG of given colours.

    Args:
        places: (h, w), of each pixel's colour in the palette.
        palette: RGBA.
        path: where to.
    """
    image = Image.fromarray(places, mode="P")
    image.putpalette([value for colour in palette for value in colour[:3]])
    image.save(path, transparency=bytes(colour[3] for colour in palette))


def write_photo(image: NDArray[np.uint8], size: tuple[int, int], path: Path) -> None:
    """Write a photograph at (h, w) as a JPEG."""
    small = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    small.save(path, quality=82)


def fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(h, w) with the longest side at most `side`; never larger than it was."""
    factor = min(1.0, side / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
