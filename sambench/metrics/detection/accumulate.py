"""From records of single images to average precision, for any weighting of the images.

Everything that does not depend on the weights is done once: detections are sorted, and those that
found something are listed for each threshold. A resample of the images then costs milliseconds,
and equals the evaluation of a data set in which each image occurs as often as its weight says, but
for equal scores: a detection of weight 2 counts twice at its own place, where two copies of an
image would have their equal scores one image after the other.
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
from sambench.metrics.statistics import PRECISION, RECALL, Kind

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recall levels at which COCO reads precision."""


def kind(name: str) -> Kind:
    """The kind of a metric named as here: AP, or AR."""
    return RECALL if name.startswith("AR") else PRECISION


def areas_of(names: frozenset[str] | None) -> list[str]:
    """Ranges of areas that metrics named AP, AP50, APs, AR@100, ARs@100 and so on are of.

    Args:
        names: of metrics; all if None.
    """
    if names is None:
        return list(RANGES)
    wanted = {name.partition("@")[0][2:] for name in names}
    return [area for area in RANGES if area in wanted or (not area and wanted - {*RANGES})]


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


@dataclass(frozen=True)
class Averages:
    """Precision, averaged over recall, and recall of every category under B weightings.

    Attributes:
        precision: for each of `RANGES`, (T, K, B).
        final_recall: for each of `RANGES`, (T, K, B).
        present: for each of `RANGES`, (K, B) bool, whether there is any object.
    """

    precision: dict[str, NDArray[np.float64]]
    final_recall: dict[str, NDArray[np.float64]]
    present: dict[str, NDArray[np.bool_]]

    def average(
        self,
        area: str = "",
        thresholds: slice = slice(None),
        among: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """AP as `Curves.average`, (B,)."""
        keep = self.present[area] if among is None else self.present[area] & among[:, None]
        return _means(self.precision[area][thresholds], keep)

    def recall(self, area: str = "") -> NDArray[np.float64]:
        """AR of a range of areas, (B,)."""
        return _means(self.final_recall[area], self.present[area])

    def precisions(self) -> dict[str, NDArray[np.float64]]:
        """As `Curves.precisions`, (B,) each, of the areas that are here."""
        sizes = {f"AP{area}": self.average(area) for area in self.precision if area}
        if "" not in self.precision:
            return sizes
        at = {50: slice(0, 1), 75: slice(5, 6)}
        single = {f"AP{percent}": self.average(thresholds=only) for percent, only in at.items()}
        return {"AP": self.average(), **single, **sizes}

    def recalls(self, budget: str) -> dict[str, NDArray[np.float64]]:
        """AR, ARs, ARm and ARl at a budget that stands in their names, (B,) each."""
        return {f"AR{area}@{budget}": self.recall(area) for area in self.final_recall}


def _means(values: NDArray[np.float64], keep: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean of (T, K, B) over thresholds and the kept categories (K, B), NaN where none is."""
    number = keep.sum(axis=0) * len(values)
    total = np.where(keep, values.sum(axis=0), 0.0).sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


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

    def averages(
        self, weights: NDArray[np.float64], areas: Sequence[str] = tuple(RANGES)
    ) -> Averages:
        """As `curves`, for many weightings: (B, n), where record i counts weights[b, i] times.

        Equal to the mean of the curves but for the order of summation.
        """
        from sambench.metrics.detection import _greedy

        lanes = _greedy.LANES
        number, many = len(weights), -(-len(weights) // lanes) * lanes
        padded = np.zeros((many, self.images))
        padded[:number] = weights
        shape = len(THRESHOLDS), len(self.categories), many
        found = Averages({}, {}, {})
        for area in areas:
            events, a = self.events[area], list(RANGES).index(area)
            truths = self._many_truths(padded, a)
            precision, recall = np.empty(shape), np.empty(shape)
            for start in range(0, many, lanes):
                part = slice(start, start + lanes)
                into = np.zeros((2, *shape[:2], lanes))
                _greedy.average_curves(
                    np.ascontiguousarray(padded[part].T), np.ascontiguousarray(truths[:, part]),
                    np.append(events.start, len(events.punishable)), events.punishable,
                    (events.image, events.behind, events.kind), events.splits, len(RECALLS),
                    into[0], into[1],
                )  # fmt: skip
                precision[..., part], recall[..., part] = into
            found.precision[area] = precision[..., :number]
            found.final_recall[area] = recall[..., :number]
            found.present[area] = truths[:, :number] > 0
        return found

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

    def recalls_within(self, weights: NDArray[np.float64], budget: int) -> NDArray[np.float64]:
        """As `recall_within`, for many weightings: (B, n) -> (B,)."""
        from scipy.sparse import csr_array

        events, truths = self.events[""], self._many_truths(weights, 0)
        within = (events.kind & 1).astype(bool) & (events.rank < budget)
        groups = len(events.splits) - 1
        where = self._groups[within], events.image[within]
        hits = csr_array((np.ones(int(within.sum())), where), (groups, self.images)) @ weights.T
        found = hits.reshape(len(THRESHOLDS), -1, len(weights))
        return _means(found / np.where(truths > 0, truths, 1), truths > 0)

    def _many_truths(self, weights: NDArray[np.float64], area: int) -> NDArray[np.float64]:
        """Weighted number of objects of each category, (K, B)."""
        from scipy.sparse import csr_array

        image, category, numbers = self.truths
        shape = len(self.categories), self.images
        return np.asarray(csr_array((numbers[:, area], (category, image)), shape) @ weights.T)

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
