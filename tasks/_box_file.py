"""Detected boxes from a COCO results JSON: read, checked, compared with a dataset."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import Dataset
from sambench.metrics.assignment import by_score
from sambench.results import read_json

Coverage = Literal["exact", "any"]


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

    def best(self, count: int | None, min_score: float) -> Boxes:
        """The most confident, in descending order of score; all if count is None."""
        order = by_score(self.scores)
        order = order[self.scores[order] >= min_score][:count]
        return Boxes(self.corners[order], self.scores[order], self.categories[order])


NONE = Boxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.int64))


def read_boxes(path: Path) -> dict[str, Boxes]:
    """Read a COCO results JSON of boxes: image id as text -> its boxes, in the order of the file.

    Raises:
        UserError: no such list, a number that is none, or a box without area; the entry is named.
    """
    entries = read_json(path)
    if not isinstance(entries, list):
        raise UserError(
            f"{path} holds a JSON {type(entries).__name__}; give a COCO results file, a list of "
            "objects with image_id, category_id, bbox [x, y, width, height] and score."
        )
    rows: dict[str, list[list[float]]] = defaultdict(list)
    for number, entry in enumerate(entries):
        try:
            rows[str(entry["image_id"])].append(_row(entry))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(f"{path}: entry {number} has {reason}; correct the file.") from None
    return {id: _boxes(np.array(found, dtype=np.float64)) for id, found in rows.items()}


def _row(entry: Mapping[str, Any]) -> list[float]:
    """x0, y0, x1, y1, score, category."""
    box, score, category = entry["bbox"], entry["score"], entry["category_id"]
    if not isinstance(box, list) or len(box) != 4 or not all(map(_number, box)):
        raise ValueError(f"a bbox {box} that is not four numbers x, y, width, height")
    if box[2] <= 0 or box[3] <= 0:
        raise ValueError(f"a bbox of {box[2]} x {box[3]} pixels, which has no area")
    if not _number(score):
        raise ValueError(f"a score {score} that is no number")
    if not isinstance(category, int):
        raise ValueError(f"a category_id {category!r} that is no whole number")
    return [box[0], box[1], box[0] + box[2], box[1] + box[3], score, category]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _boxes(rows: NDArray[np.float64]) -> Boxes:
    return Boxes(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))


def check_boxes(
    boxes: Mapping[str, Boxes], path: Path, dataset: Dataset, coverage: Coverage
) -> None:
    """Check that detected boxes belong to a dataset.

    Raises:
        UserError: a category that the dataset does not know; with coverage "exact" also an image
            that the dataset does not have, or one without any box.
    """
    name = dataset.card.name
    known: Mapping[int, str] = getattr(dataset, "categories", {})
    given = np.unique(np.concatenate([NONE.categories, *(b.categories for b in boxes.values())]))
    strange = [int(category) for category in given if known and category not in known]
    if strange:
        raise UserError(
            f"{path} has {len(strange)} categories that dataset {name} does not, such as "
            f"{strange[0]}; use detections with the category ids of the annotation file."
        )
    foreign, bare = sorted(boxes.keys() - set(dataset.ids)), set(dataset.ids) - boxes.keys()
    if coverage == "exact" and foreign:
        raise UserError(
            f"{path} has boxes for {len(foreign)} images that dataset {name} does not have, such "
            f"as {foreign[0]}; use the file that belongs to it, or coverage=any to leave them out."
        )
    if coverage == "exact" and bare:
        raise UserError(
            f"{path} has no boxes for {len(bare)} of the {len(dataset)} images of dataset {name}, "
            f"such as {min(bare)}; use the file that belongs to it, or coverage=any if nothing was "
            "detected there."
        )
