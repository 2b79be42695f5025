"""Run-length encoding of masks as COCO does it, byte for byte, and what follows from runs alone.

A mask is ``{"size": [H, W], "counts": bytes}``: run lengths counted down the columns, background
first. Areas, boxes and overlaps are computed from the runs, without the pixels.

Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014, and its mask API.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

RLE = dict[str, Any]
"""A mask as COCO run lengths: ``{"size": [H, W], "counts": bytes}``."""

CHUNK = 2**29
"""Pixels looked at together on an accelerator: bounds memory, and nonzero takes less than 2**31."""


@dataclass(frozen=True)
class Runs:
    """N masks of one size as foreground runs.

    Attributes:
        size: (H, W).
        begins: (R,) int64 positions c * H + r at which runs begin, of all masks in order.
        ends: (R,) int64 positions before which they end.
        splits: (N + 1,) int64; runs ``splits[i]:splits[i + 1]`` belong to mask i.
        areas: (N,) int64 pixels.
        boxes: (N, 4) int64 tight XYXY, x1 and y1 behind the last pixel; zeros for an empty mask.
    """

    size: tuple[int, int]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    splits: NDArray[np.int64]
    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]


def encode(masks: NDArray[np.bool_] | Tensor) -> list[RLE]:
    """Encode masks.

    Args:
        masks: (N, H, W) bool, an array or a tensor on any device. Of a tensor on an accelerator
            only the ends of runs are copied to the host.

    Returns:
        N encodings, equal to ``pycocotools.mask.encode`` byte for byte.

    Raises:
        UserError: not (N, H, W), or not bool.
    """
    if len(masks.shape) != 3 or str(masks.dtype).removeprefix("torch.") != "bool":
        raise UserError(
            f"masks to encode are {tuple(masks.shape)} {masks.dtype}; give (N, H, W) bool."
        )
    from sambench.masks import _runs

    height, width = int(masks.shape[1]), int(masks.shape[2])
    text = np.empty(7 * (height * width + 1), dtype=np.uint8)
    rles = []
    for positions in _changes(masks):
        length = _runs.compress(positions, height * width, text)
        rles.append({"size": [height, width], "counts": text[:length].tobytes()})
    return rles


def _changes(masks: NDArray[np.bool_] | Tensor) -> Iterator[NDArray[np.int64]]:
    """Ascending positions of the changes of each mask."""
    if isinstance(masks, np.ndarray):
        return _changes_of_array(masks)
    if masks.device.type == "cpu":
        return _changes_of_array(masks.detach().numpy())
    return _changes_of_tensor(masks)


def _changes_of_array(masks: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    from sambench.masks import _runs

    _, height, width = masks.shape
    found = np.empty(height * width + 8, dtype=np.int64)
    positions = np.empty(height * width, dtype=np.int64)
    paired = max(height - 1, 0) * width // 8 * 8
    for mask in masks:
        pixels = np.ascontiguousarray(mask).view(np.uint8)
        flat = pixels.reshape(-1)
        words = flat[width : width + paired].view(np.uint64)
        n = _runs.changes(pixels, words, flat[:paired].view(np.uint64), found, positions)
        yield positions[:n]


def _changes_of_tensor(masks: Tensor) -> Iterator[NDArray[np.int64]]:
    import torch

    height, width = masks.shape[1:]
    pixels = max(height * width, 1)
    for chunk in torch.split(masks, max(CHUNK // pixels, 1)):
        columns = chunk.mT.flatten(1)  # a mask's pixels in the order in which runs are counted
        differs = columns.clone()
        differs[:, 1:] ^= columns[:, :-1]
        keys = differs.flatten().nonzero()[:, 0].cpu().numpy()
        splits = np.searchsorted(keys, np.arange(len(chunk) + 1) * pixels)
        for i in range(len(chunk)):
            yield keys[splits[i] : splits[i + 1]] - i * pixels


def runs(rles: Sequence[RLE]) -> Runs:
    """Read encodings.

    Args:
        rles: N encodings of one size; counts are bytes, a str, or a list of run lengths.

    Raises:
        UserError: sizes differ, or counts do not cover exactly H * W pixels.
    """
    from sambench.masks import _runs

    height, width = rles[0]["size"] if rles else (0, 0)
    begins, ends, splits, pixels = _read(rles)
    _require_whole(rles, pixels, (height, width))
    areas, boxes = np.zeros(len(rles), np.int64), np.zeros((len(rles), 4), np.int64)
    _runs.measure(begins, ends, splits, height, areas, boxes)
    n = splits[-1]
    return Runs((height, width), begins[:n], ends[:n], splits, areas, boxes)


def covered(rles: Sequence[RLE]) -> NDArray[np.int64]:
    """Pixels that each of N encodings covers, background too, (N,); -1 for a damaged one."""
    return _read(rles)[3]


def _read(rles: Sequence[RLE]) -> tuple[NDArray[np.int64], ...]:
    """Begins and ends of runs, splits, and pixels, as `_runs.runs` has them."""
    from sambench.masks import _runs

    texts = [_text(rle["counts"]) for rle in rles]
    text = np.frombuffer(b"".join(texts), dtype=np.uint8)
    text_splits = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    begins, ends = np.empty((2, len(text)), dtype=np.int64)
    splits = np.zeros(len(rles) + 1, dtype=np.int64)
    pixels = np.empty(len(rles), dtype=np.int64)
    _runs.runs(text, text_splits, begins, ends, splits, pixels)
    return begins, ends, splits, pixels


def _text(counts: Any) -> bytes:
    if isinstance(counts, bytes):
        return counts
    if isinstance(counts, str):
        return counts.encode()
    from sambench.masks import _runs

    text = np.empty(7 * max(len(counts), 1), dtype=np.uint8)
    ends = np.cumsum(np.asarray(counts, dtype=np.int64))
    return text[: _runs.compress(ends[:-1], ends[-1], text)].tobytes()


def _require_whole(rles: Sequence[RLE], pixels: NDArray[np.int64], size: tuple[int, int]) -> None:
    for i, rle in enumerate(rles):
        if tuple(rle["size"]) != size:
            raise UserError(
                f"run-length encoding {i} is of size {list(rle['size'])} and the first is of "
                f"{list(size)}; masks of one image need the image's [height, width]."
            )
        if pixels[i] != size[0] * size[1]:
            raise UserError(
                f"run-length encoding {i} does not cover its size {list(size)}: "
                "it is damaged or belongs to another image."
            )


def decode(rles: Sequence[RLE]) -> NDArray[np.bool_]:
    """Decode N encodings of one size to (N, H, W) bool; without any, (0, 0, 0)."""
    from sambench.masks import _runs

    given = runs(rles)
    height, width = given.size
    columns = np.zeros((len(rles), width * height), dtype=bool)
    _runs.paint(given.begins, given.ends, given.splits, columns)
    return columns.reshape(len(rles), width, height).transpose(0, 2, 1)


def areas(rles: Sequence[RLE]) -> NDArray[np.int64]:
    """Pixels of each of N masks, (N,)."""
    return runs(rles).areas


def boxes(rles: Sequence[RLE]) -> NDArray[np.float64]:
    """Tight boxes, (N, 4) XYXY, x1 and y1 behind the last pixel; zeros for an empty mask."""
    return runs(rles).boxes.astype(np.float64)


def overlaps(
    detections: Sequence[RLE],
    truths: Sequence[RLE],
    crowd: NDArray[np.bool_] | None = None,
    *,
    wanted: NDArray[np.bool_] | None = None,
    at_least: float = 0.0,
) -> NDArray[np.float64]:
    """IoU of every detection with every true mask, equal to ``pycocotools.mask.iou``.

    Boxes and areas bound an IoU from above; only pairs that can reach `at_least` are computed.

    Args:
        detections: D encodings.
        truths: G encodings of the same size.
        crowd: (G,) bool: for a crowd region the union is the detection alone.
        wanted: (D, G) bool, the pairs to look at; all by default.
        at_least: pairs that cannot reach this IoU are left at 0.

    Returns:
        (D, G) float64; 0 where the two have nothing in common, so for every empty mask.

    Raises:
        UserError: sizes differ, or an encoding is damaged.
    """
    from sambench.masks import _runs

    iou = np.zeros((len(detections), len(truths)))
    if not iou.size:
        return iou
    first, second = runs(detections), runs(truths)
    if first.size != second.size:
        raise UserError(
            f"detected masks are of size {list(first.size)} and true masks of "
            f"{list(second.size)}; both need the image's [height, width]."
        )
    alone = np.zeros(len(truths), bool) if crowd is None else crowd
    bound = _most_in_common(first, second)
    reach = bound >= (at_least - 1e-6) * _union(first, second, bound, alone)
    rows, columns = np.nonzero((bound > 0) & reach & (True if wanted is None else wanted))
    common = np.zeros(len(rows), dtype=np.int64)
    _runs.intersections(_parts(first), _parts(second), (rows, columns), common)
    union = first.areas[rows] + np.where(alone[columns], 0, second.areas[columns] - common)
    iou[rows, columns] = common / union
    return iou


def _parts(given: Runs) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    return given.begins, given.ends, given.splits


def _most_in_common(first: Runs, second: Runs) -> NDArray[np.int64]:
    """No two masks share more pixels than their boxes do, or than either has: (D, G)."""
    a, b = first.boxes[:, None], second.boxes[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = sides.clip(min=0).prod(axis=2)
    least = np.minimum.outer(first.areas, second.areas)
    most: NDArray[np.int64] = np.minimum(shared, least)
    return most


def _union(
    first: Runs, second: Runs, common: NDArray[np.int64], crowd: NDArray[np.bool_]
) -> NDArray[np.int64]:
    return first.areas[:, None] + np.where(crowd, 0, second.areas - common)
