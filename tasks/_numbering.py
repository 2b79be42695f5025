"""Whether categories in files from other programs are numbered as the dataset's are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import Dataset
from sambench.masks import rle
from sambench.truths import Instances

from ._box_file import HIT, LOOKED_AT, PART, SEVERAL, overlap
from ._coco_results import ImageDetections, read_all

ENOUGH = 10
"""Of fewer objects nothing is said: each may be taken for something else."""
OWN = "the ids of the annotation file"

Found = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Detections of an image: N boxes (N, 4) XYXY and their categories (N,)."""


def check_numbering(
    found: Mapping[str, Found], path: Path, dataset: Dataset, ids: Sequence[str]
) -> None:
    """Refuse detections whose categories are numbered otherwise: their AP would mean nothing.

    Looked at are the objects that a box finds, with an IoU of .75, in the first images whose
    objects are known beforehand. Of a detector on COCO's 80 categories 88 % of those are found
    under their own category.

    Raises:
        UserError: of at least ten objects less than a tenth is, or more are if numbers are taken
            for places in the list of categories.
    """
    categories = sorted(getattr(dataset, "categories", {}))
    given = [id for id in ids if id in found][:LOOKED_AT]
    if len(categories) < 2 or Instances not in dataset.truths or dataset.annotated(given) is None:
        return
    named: Counter[str] = Counter()
    total = 0
    for id in given:
        corners, numbers = found[id]
        truth = dataset.read_truth(id, Instances)
        near = overlap(corners, truth.boxes) >= HIT
        total += int(near.any(axis=0).sum())
        for words, meant in _numberings(numbers, categories).items():
            right = near & (meant[:, None] == truth.categories)
            named[words] += int(right.any(axis=0).sum())
    own = named.pop(OWN)
    if total < ENOUGH:
        return
    [(likely, other)] = named.most_common(1)
    seen = f"of {total} annotated objects that it finds, {own} are found under their own category"
    if other >= own + max(SEVERAL, PART * own):
        raise UserError(
            f"{path} numbers categories by {likely}: read so, {other} are right; {seen}. Write "
            f"{OWN}."
        )
    if own < PART * total:
        raise UserError(
            f"{path} numbers categories otherwise than dataset {dataset.card.name}: {seen}. Write "
            f"{OWN}."
        )


def _numberings(
    numbers: NDArray[np.int64], categories: Sequence[int]
) -> Mapping[str, NDArray[np.int64]]:
    """Numbering in words -> the categories meant; -1 where it has no such number."""
    listed = f"their places in the list of {len(categories)}"
    places = {f"{listed}, from {first}": dict(enumerate(categories, first)) for first in (0, 1)}
    meant = {
        words: np.array([known.get(n, -1) for n in numbers.tolist()], dtype=np.int64)
        for words, known in places.items()
    }
    return {OWN: numbers, **meant}


def read_numbered(path: Path, dataset: Dataset) -> dict[str, ImageDetections]:
    """As `read_all`, of masks whose categories are the dataset's.

    Raises:
        UserError: see `read_all` and `check_numbering`.
    """
    results = read_all(path, dataset.ids, dataset, categories=True)
    found = {
        id: (rle.boxes(r.detections.rles), r.detections.categories) for id, r in results.items()
    }
    check_numbering(found, path, dataset, dataset.ids)
    return results
