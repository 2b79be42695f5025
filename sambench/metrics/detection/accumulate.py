"""From records of single images to average precision, for any weighting of the images.

Everything that does not depend on the weights is done once: detections are sorted, and those that
found something are listed for each threshold. A resample of the images then costs milliseconds,
and equals the evaluation of a data set in which each image occurs as often as its weight says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.metrics.detection.assignment import RANGES, THRESHOLDS

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recall levels at which COCO reads precision."""


@dataclass(frozen=True)
class _Detections:
    """All detections of all images, by category, then by descending score.

    Attributes:
        image: (D,) index of the record.
        category: (D,) index into the categories.
        rank: (D,) rank among those of the same image and category.
        ranges, matched, skipped: (D,) bits as in the records.
    """

    image: NDArray[np.int64]
    category: NDArray[np.int64]
    rank: NDArray[np.int64]
    ranges: NDArray[np.int64]
    matched: NDArray[np.int64]
    skipped: NDArray[np.int64]


@dataclass(frozen=True)
class _Events:
    """Detections that found something at a threshold, in one range of areas.

    Attributes:
        image: (E,) index of the record.
        behind: (E,) how many punishable detections there are up to this one, itself included.
        kind: (E,) 1 for a true positive, + 2 where it would have been punishable.
        rank: (E,) rank in its image and category.
        splits: (T * K + 1,) where the events of each threshold and category begin.
        start: (K,) how many punishable detections there are before each category.
        punishable: (P,) index of the record of each punishable detection.
    """

    image: NDArray[np.int32]
    behind: NDArray[np.int32]
    kind: NDArray[np.int8]
    rank: NDArray[np.int32]
    splits: NDArray[np.int64]
    start: NDArray[np.int64]
    punishable: NDArray[np.int32]


@dataclass(frozen=True)
class Curves:
    """Precision and recall of every category.

    Attributes:
        categories: (K,) ids in ascending order.
        precision: for each of `RANGES`, (T, 101, K).
        final_recall: for each of `RANGES`, (T, K).
        present: for each of `RANGES`, (K,) bool, whether there is any object.
    """

    categories: NDArray[np.int64]
    precision: dict[str, NDArray[np.float64]]
    final_recall: dict[str, NDArray[np.float64]]
    present: dict[str, NDArray[np.bool_]]

    def average(
        self,
        area: str = "",
        thresholds: slice = slice(None),
        among: NDArray[np.bool_] | None = None,
    ) -> float:
        """AP of a range of areas, of some thresholds, among some categories (K,) bool."""
        keep = self.present[area] if among is None else self.present[area] & among
        return _mean(self.precision[area][thresholds], keep)

    def recall(self, area: str = "") -> float:
        """AR of a range of areas."""
        return _mean(self.final_recall[area], self.present[area])

    def precisions(self) -> dict[str, float]:
        """AP, AP50, AP75, APs, APm, APl."""
        at = {50: slice(0, 1), 75: slice(5, 6)}
        single = {f"AP{percent}": self.average(thresholds=only) for percent, only in at.items()}
        sizes = {f"AP{area}": self.average(area) for area in RANGES if area}
        return {"AP": self.average(), **single, **sizes}


def _mean(values: NDArray[np.float64], keep: NDArray[np.bool_]) -> float:
    """Mean over the kept categories, summed in COCOeval's order: categories vary fastest."""
    kept = values if keep.all() else values[..., keep]
    return float(np.mean(np.ravel(kept))) if kept.size else float("nan")


@dataclass(frozen=True)
class Tally:
    """What records say, ready to be counted under any weights.

    Attributes:
        images: the number of records.
        categories: (K,) ids of the categories that have an object, ascending.
        truths: (4, n, 3) -> for each of `RANGES` arrays (n,) of record, category and number.
        events: for each of `RANGES`.
    """

    images: int
    categories: NDArray[np.int64]
    truths: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
    events: dict[str, _Events]

    @classmethod
    def of(cls, records: Sequence[JSON], per_category: int | None = None) -> Tally:
        """Read records.

        Args:
            records: of `assignment.record`; equal scores rank in their order.
            per_category: how many detections of a category count, the most confident ones of all
                images together. Chosen once, before any weighting. All by default.
        """
        image, category, truths, _ = _entries(records)
        used = np.unique(category[truths[:, 0] > 0])
        known = np.isin(category, used)
        index = np.searchsorted(used, category[known])
        detections = _detections(records, used, per_category)
        events = {area: _events(detections, a, len(used)) for a, area in enumerate(RANGES)}
        return cls(len(records), used, (image[known], index, truths[known]), events)

    def curves(self, weights: NDArray[np.float64], areas: Sequence[str] = tuple(RANGES)) -> Curves:
        """Precision and recall, of some areas, where record i counts weights[i] times."""
        from sambench.metrics.detection import _greedy

        weights = self._checked(weights)
        shape = len(THRESHOLDS), len(RECALLS), len(self.categories)
        precision = {area: np.zeros(shape) for area in areas}
        recall = {area: np.zeros((shape[0], shape[2])) for area in areas}
        present = {}
        for area in areas:
            a, events = list(RANGES).index(area), self.events[area]
            truths = self._truths(weights, a)
            punished = np.concatenate([[0.0], np.cumsum(weights[events.punishable])])
            columns = events.image, events.behind, events.kind
            _greedy.precision_curves(
                weights, truths, punished, events.start, columns, events.splits, RECALLS,
                precision[area], recall[area],
            )  # fmt: skip
            present[area] = truths > 0
        return Curves(self.categories, precision, recall, present)

    def recall_within(self, weights: NDArray[np.float64], budget: int) -> float:
        """AR over all areas with at most this many detections per image and category."""
        weights, events = self._checked(weights), self.events[""]
        within = (events.kind & 1).astype(bool) & (events.rank < budget)
        hits = weights[events.image[within]]
        found = np.bincount(self._groups[within], hits, minlength=len(events.splits) - 1)
        truths = self._truths(weights, 0)
        present = truths > 0
        recall = found.reshape(len(THRESHOLDS), -1)[:, present] / truths[present]
        return _mean(recall, np.ones(recall.shape[1], dtype=bool))

    @cached_property
    def _groups(self) -> NDArray[np.int64]:
        """Threshold and category of each event over all areas, as the index of its group."""
        splits = self.events[""].splits
        return np.repeat(np.arange(len(splits) - 1), np.diff(splits))

    def _truths(self, weights: NDArray[np.float64], area: int) -> NDArray[np.float64]:
        image, category, numbers = self.truths
        counts = weights[image] * numbers[:, area]
        return np.bincount(category, counts, minlength=len(self.categories)).astype(np.float64)

    def _checked(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        if np.shape(weights) != (self.images,):
            raise UserError(
                f"weights of shape {np.shape(weights)} do not fit {self.images} records; "
                "give one to each."
            )
        return np.asarray(weights, dtype=np.float64)


def _column(records: Sequence[JSON], name: str) -> NDArray[np.int64]:
    return np.fromiter(chain.from_iterable(r[name] for r in records), dtype=np.int64)


def _entries(
    records: Sequence[JSON],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Record, category id, truths per range (n, 4) and number of detections, of every entry."""
    image = np.repeat(np.arange(len(records)), [len(r["categories"]) for r in records])
    truths = chain.from_iterable(chain.from_iterable(r["truths"]) for r in records)
    numbers = np.fromiter(truths, dtype=np.int64).reshape(-1, len(RANGES))
    return image, _column(records, "categories"), numbers, _column(records, "detections")


def _detections(
    records: Sequence[JSON], used: NDArray[np.int64], per_category: int | None
) -> _Detections:
    image, category, _, numbers = _entries(records)
    ends = np.cumsum(numbers)
    rank = np.arange(numbers.sum()) - np.repeat(ends - numbers, numbers)
    image, category = np.repeat(image, numbers), np.repeat(category, numbers)
    scores = np.fromiter(chain.from_iterable(r["scores"] for r in records), dtype=np.float64)
    order = np.lexsort((-scores, category))
    order = order[np.isin(category[order], used)]
    index = np.searchsorted(used, category[order])
    if per_category is not None:
        kept = np.arange(len(order)) - np.searchsorted(index, index) < per_category
        order, index = order[kept], index[kept]
    bits = (_column(records, name)[order] for name in ("ranges", "matched", "skipped"))
    return _Detections(image[order], index, rank[order], *bits)


def _events(detections: _Detections, area: int, categories: int) -> _Events:
    punishable = (detections.ranges >> area) & 1
    behind = np.cumsum(punishable)
    first = np.searchsorted(detections.category, np.arange(categories))
    start = np.concatenate([[0], behind])[first]
    bit = len(THRESHOLDS) * area + np.arange(len(THRESHOLDS))[:, None]
    true = (detections.matched >> bit) & 1
    threshold, which = np.nonzero(true | (detections.skipped >> bit) & 1)
    group = threshold * categories + detections.category[which]
    return _Events(
        detections.image[which].astype(np.int32),
        behind[which].astype(np.int32),
        (true[threshold, which] + 2 * punishable[which]).astype(np.int8),
        detections.rank[which].astype(np.int32),
        np.searchsorted(group, np.arange(len(THRESHOLDS) * categories + 1)),
        start,
        detections.image[punishable == 1].astype(np.int32),
    )
