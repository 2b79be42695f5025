"""Detected boxes from a COCO results JSON: read, checked, compared with a dataset."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sambench.data.box_conventions import COCO, others
from sambench.data.json_input import At
from sambench.errors import UserError
from sambench.interfaces import Dataset
from sambench.metrics.detection.assignment import by_score
from sambench.truths import Instances

from ._coco_results import check_categories, read_entries

Coverage = Literal["exact", "any"]
LOOKED_AT = 100
"""How many images show whether boxes are of the right convention."""
FARTHEST = 1e9
HIT = 0.75
"""IoU from which a detected box is that of an annotated object."""
SEVERAL, PART = 3, 0.1
"""From so many objects, and such a part of those found rightly, it is more than chance; that was
seen to be 0.01 for a detector on COCO."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Boxes:
    """N boxes of one image.

    Attributes:
        corners: (N, 4) float XYXY.
        scores: (N,) float.
        categories: (N,) int category ids.
    """

    corners: NDArray[np.float64]
    scores: NDArray[np.float64]
    categories: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.corners)

    def best(self, count: int | None, min_score: float | None) -> Boxes:
        """The most confident, in descending order of score; None sets no limit."""
        order = by_score(self.scores)
        if min_score is not None:
            order = order[self.scores[order] >= min_score]
        order = order[:count]
        return Boxes(self.corners[order], self.scores[order], self.categories[order])


NONE = Boxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.int64))


def read_boxes(path: Path) -> dict[str, Boxes]:
    """Read a COCO results JSON of boxes: image id as text -> its boxes, in the order of the file.

    As for pycocotools, a score is any number, and a box may have no area or lie outside its image.

    Raises:
        UserError: no such list, a value that is not finite, a box of negative sides, or boxes that
            are fractions of the image; the entry is named.
    """
    rows: dict[str, list[list[float]]] = defaultdict(list)
    greatest = 0.0
    entries = read_entries(path, "image_id, category_id, bbox [x, y, width, height] and score")
    for entry in entries:
        x0, y0, x1, y1, *_ = row = _row(entry)
        greatest = max(greatest, abs(x0), abs(y0), x1 - x0, y1 - y0)
        rows[str(entry["image_id"].id())].append(row)
    if entries and greatest <= 1:
        entries[0]["bbox"].fail(
            "is a part of a pixel, as are all others", "write pixels, not fractions of the image"
        )
    return {id: _boxes(np.array(found, dtype=np.float64)) for id, found in rows.items()}


def _row(entry: At) -> list[float]:
    """x0, y0, x1, y1, score, category."""
    x, y, width, height = entry["bbox"].numbers(4, "a list [x, y, width, height] of numbers")
    if max(abs(x), abs(y), width, height) > FARTHEST:
        entry["bbox"].fail(f"is {[x, y, width, height]}, farther away than any image is large")
    if width < 0 or height < 0:
        entry["bbox"].fail(
            f"is a box of {width:g} x {height:g} pixels", "write x, y, width, height"
        )
    score, category = entry["score"].number(), entry["category_id"].whole()
    return [x, y, x + width, y + height, score, category]


def _boxes(rows: NDArray[np.float64]) -> Boxes:
    return Boxes(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))


def check_boxes(
    boxes: Mapping[str, Boxes], path: Path, dataset: Dataset, coverage: Coverage
) -> None:
    """Check that detected boxes belong to a dataset.

    Raises:
        UserError: a category that the dataset does not know; with coverage "exact" also an image
            that the dataset does not have.
    """
    name = dataset.card.name
    given = np.unique(np.concatenate([NONE.categories, *(b.categories for b in boxes.values())]))
    check_categories(path, given.tolist(), dataset)
    foreign = sorted(boxes.keys() - set(dataset.ids))
    if coverage == "exact" and foreign:
        raise UserError(
            f"{path} has boxes for {len(foreign)} images that dataset {name} does not have, such "
            f"as {foreign[0]}; use the file that belongs to it, or coverage=any to leave them out."
        )


def check_coverage(
    boxes: Mapping[str, Boxes], path: Path, dataset: Dataset, ids: Sequence[str]
) -> None:
    """Check that there are boxes for all images that are asked for.

    Raises:
        UserError: one has none.
    """
    bare = [id for id in ids if id not in boxes]
    if bare:
        raise UserError(
            f"{path} has no boxes for {len(bare)} of the {len(ids)} images of dataset "
            f"{dataset.card.name} that are asked for, such as {bare[0]}; use the file that belongs "
            "to them, or coverage=any if nothing was detected there."
        )


def check_convention(
    boxes: Mapping[str, Boxes], path: Path, dataset: Dataset, ids: Sequence[str]
) -> None:
    """Refuse boxes that find annotated objects only if they are read in another convention.

    Looked at are the first images whose objects are known beforehand. Detectors find some by
    chance, so where a part of the boxes alone may be of another convention it is a warning.

    Raises:
        UserError: for most images such boxes do, and hardly any box does as COCO's.
    """
    given = [id for id in ids if id in boxes][:LOOKED_AT]
    if dataset.annotated(given) is None:
        return
    found: Counter[str] = Counter()
    compared = 0
    for id in given:
        truth = dataset.read_truth(id, Instances)
        compared += bool(len(truth))
        found += _found(boxes[id].corners, truth)
    right = found.pop(COCO, 0)
    if not found:
        return
    [(likely, other)] = found.most_common(1)
    words = (
        f"boxes {likely}: read so, {other} annotated boxes are found that are not as {COCO}, "
        f"which finds {right}"
    )
    if other > 4 * right and 2 * other >= compared:
        raise UserError(f"{path} has {words}; write the latter, as COCO's results have it.")
    if other >= max(SEVERAL, PART * right):
        log.warning("%s seems to have some %s; they are read as the latter.", path, words)


def _found(read: NDArray[np.float64], truth: Instances) -> Counter[str]:
    """How many objects boxes find as COCO's, and how many others in each other convention."""
    given = np.hstack([read[:, :2], read[:, 2:] - read[:, :2]])
    sides = np.tile(np.array(truth.size[::-1], dtype=np.float64), (len(given), 1))
    as_coco = _hit(read, truth)
    counts = {
        name: int((_hit(b, truth) & ~as_coco).sum()) for name, b in others(given, sides).items()
    }
    return Counter({COCO: int(as_coco.sum()), **counts})


def _hit(corners: NDArray[np.float64], truth: Instances) -> NDArray[np.bool_]:
    """Which objects any of the boxes finds."""
    best: NDArray[np.float64] = overlap(corners, truth.boxes).max(axis=0, initial=0.0)
    return best >= HIT


def overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of N and M boxes XYXY, (N, M); those whose corners are swapped have none."""
    a, b = first[:, None], second[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = sides.clip(min=0).prod(axis=2)
    areas = [(part[..., 2:] - part[..., :2]).clip(min=0).prod(axis=2) for part in (a, b)]
    iou: NDArray[np.float64] = common / np.maximum(areas[0] + areas[1] - common, 1e-9)
    return iou
