"""Pictures of truth and prediction as transparent layers that lie over a photograph."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion

from sambench.interfaces import JSON
from sambench.masks.rle import areas, decode, encode
from sambench.metrics.superpixels import edges_of
from sambench.report.pages.overlay import colours
from sambench.truths import Boundaries, Concepts, Instances, Regions, Segments

TRUTH, EDGES = (20, 230, 150), (240, 130, 20)
MISSED, EXTRA = (220, 40, 160), (255, 170, 0)
FILL = 96
"""Opacity of the inside of a mask, of 255."""
MOST_DETECTIONS = 50
"""Of hundreds of proposals only the most confident are drawn."""


@dataclass(frozen=True)
class Scene:
    """What a layer shows: masks, or a map of boundaries.

    Attributes:
        masks: run-length encoded masks.
        map: (H, W) in [0, 1].
    """

    masks: Sequence[JSON] = ()
    map: NDArray[Any] | None = None


def truth_scene(truth: Any) -> Scene | None:
    """Scene of a truth; None if it is of no kind that can be drawn."""
    if isinstance(truth, Instances):
        return Scene(masks=truth.rles)
    if isinstance(truth, Boundaries):
        return Scene(map=np.mean(truth.annotators, axis=0)) if truth.annotators else Scene()
    if isinstance(truth, Concepts):
        return Scene(masks=[rle for own in truth.annotations for rle in own[0]])
    if isinstance(truth, Regions):
        return Scene(map=np.mean([edges_of(labels) for labels in truth.annotators], axis=0))
    if isinstance(truth, Segments):
        return Scene(masks=_masks_of(truth))
    return None


def _masks_of(segments: Segments) -> list[JSON]:
    """Run lengths of segments; crowd regions are not asked for and not drawn."""
    return [encode(segments.mask(int(i))[None])[0] for i in np.flatnonzero(~segments.crowd)]


def prediction_scenes(prediction: Any) -> dict[str, Scene]:
    """Layers of a prediction by name; none for one of a kind that cannot be drawn.

    A map of boundaries or saliency is one layer; so are the boundaries of superpixels, segments,
    scored detections, the most confident ones, and the masks of all phrases; clicks give the masks
    after the first prompt and after the last.
    """
    if isinstance(prediction, Segments):
        return {"Prediction": Scene(masks=_masks_of(prediction))}
    if isinstance(prediction, np.ndarray) and prediction.ndim == 2:
        if np.issubdtype(prediction.dtype, np.integer):
            return {"Prediction": Scene(map=edges_of(prediction))}
        return {"Prediction": Scene(map=prediction)}
    if hasattr(prediction, "detections"):
        return {"Prediction": Scene(masks=_most_confident(prediction.detections))}
    if hasattr(prediction, "phrases"):
        return {"Prediction": Scene(masks=[rle for own in prediction.rles for rle in own])}
    if hasattr(prediction, "clicks"):
        return _after_prompts([masks for masks in prediction.masks if masks])
    return {}


def _most_confident(detections: Any) -> list[JSON]:
    order = np.argsort(-detections.scores, kind="stable")[:MOST_DETECTIONS]
    return [detections.rles[i] for i in order]


def _after_prompts(masks: Sequence[Sequence[JSON]]) -> dict[str, Scene]:
    """Layers of objects, each with its mask after each prompt."""
    first = {"Prediction": Scene(masks=[own[0] for own in masks])}
    if all(len(own) == 1 for own in masks):
        return first
    return {**first, "After the last prompt": Scene(masks=[own[-1] for own in masks])}


def draw_outlines(scene: Scene, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The truth as a transparent picture, (h, w, 4) uint8 RGBA: outlines, or the boundary map."""
    alpha = np.zeros(size, dtype=np.uint8)
    if scene.map is not None:
        alpha = _strength(scene.map, size)
    for mask in resized_masks(scene.masks, size):
        alpha[_outline(mask)] = 255
    return _tinted(alpha, TRUTH)


def draw_prediction(scene: Scene, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A prediction as a transparent picture, (h, w, 4) uint8 RGBA.

    Each mask is tinted in a colour of its own and outlined, large ones first; a map of boundaries
    is as opaque as it is strong.
    """
    if scene.map is not None:
        return _tinted(_strength(scene.map, size), EDGES)
    picture = np.zeros((*size, 4), dtype=np.uint8)
    if not scene.masks:
        return picture
    order = np.argsort(-areas(scene.masks), kind="stable")
    hues = colours(len(scene.masks)).round().astype(np.uint8)
    masks = resized_masks([scene.masks[i] for i in order], size)
    for index, mask in zip(order, masks, strict=True):
        picture[mask] = (*hues[index], FILL)
        picture[_outline(mask)] = (*hues[index], 255)
    return picture


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    outline: NDArray[np.bool_] = mask & ~binary_erosion(
        mask, iterations=max(1, round(max(mask.shape) / 400))
    )
    return outline


def _strength(values: NDArray[Any], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A map in [0, 1] at another size as opacity."""
    clipped = np.clip(np.asarray(values, dtype=np.float64), 0, 1)
    opacity: NDArray[np.uint8] = (_shrunk_peaks(clipped, size) * 255).round().astype(np.uint8)
    return opacity


def draw_errors(truth: Scene, prediction: Scene, size: tuple[int, int]) -> NDArray[np.uint8] | None:
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


def write_photo(image: NDArray[np.uint8], size: tuple[int, int], path: Path) -> None:
    """Write a photograph at (h, w) as a JPEG."""
    small = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.LANCZOS)
    small.save(path, quality=82)


def fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(h, w) with the longest side at most `side`; never larger than it was."""
    factor = min(1.0, side / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
