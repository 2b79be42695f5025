"""Data for plots and breakdowns: what a result carries, or what its metrics and records give.

The form is that of `details` in docs/result-schema.md.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sambench.interfaces import JSON
from sambench.store.result import Result

SIZES = {"s": "small", "m": "medium", "l": "large"}
FREQUENCIES = {"r": "rare", "c": "common", "f": "frequent"}
BINS = 20


def plot_data(
    result: Result, records: Sequence[JSON] = (), categories: Mapping[int, str] | None = None
) -> JSON:
    """Curves, histograms and breakdowns of a result.

    Args:
        result: what it carries in `details` comes first.
        records: of its run, where they were kept.
        categories: names by id, where they are known.
    """
    parts = {
        "curves": {
            **_clicks(result),
            **_recalls(result),
            **_precision_recall(records),
            **_own_curves(result.details),
        },
        "histograms": _histograms(records),
        "breakdowns": {**_by_suffix(result), **_by_category(records, categories or {})},
    }
    return {name: {**part, **result.details.get(name, {})} for name, part in parts.items()}


def _own_curves(details: JSON) -> JSON:
    """The curves that tasks give under names of their own."""
    curves: JSON = {}
    by_clicks = details.get("mIoU_by_clicks")
    if by_clicks:
        curves |= _curve("mIoU-clicks", dict(enumerate(by_clicks, 1)))
    recall = details.get("recall", {})
    if "proposals" in recall and "AR" in recall:
        curves |= _curve(
            "recall-proposals", dict(zip(recall["proposals"], recall["AR"], strict=True))
        )
    return curves


def _clicks(result: Result) -> JSON:
    """Mean IoU against clicks out of mIoU, mIoU@2, ..."""
    named = {name.replace("mIoU", "", 1): e.value for name, e in result.metrics.items()}
    points = {1 if not rest else int(rest[1:]): v for rest, v in named.items() if _count(rest)}
    return _curve("mIoU-clicks", points)


def _count(rest: str) -> bool:
    return rest == "" or re.fullmatch(r"@\d+", rest) is not None


def _recalls(result: Result) -> JSON:
    """Recall against proposals out of AR@10, AR@100, ..."""
    found = {re.fullmatch(r"AR@(\d+)", name): e.value for name, e in result.metrics.items()}
    return _curve("recall-proposals", {int(m[1]): v for m, v in found.items() if m})


def _curve(name: str, points: dict[int, float]) -> JSON:
    known = sorted((x, y) for x, y in points.items() if y is not None and np.isfinite(y))
    if len(known) < 2:
        return {}
    return {name: {"x": [x for x, _ in known], "y": [y for _, y in known]}}


def _precision_recall(records: Sequence[JSON]) -> JSON:
    """Precision and recall at each threshold, out of the counts of boundary records."""
    counts = [record["counts"] for record in records if _is_counts(record.get("counts"))]
    if not counts:
        return {}
    found, truth, right, drawn = np.asarray(counts, dtype=float).sum(axis=0).T
    keep = (truth > 0) & (drawn > 0)
    recall, precision = found[keep] / truth[keep], right[keep] / drawn[keep]
    return {"precision-recall": {"x": recall.tolist(), "y": precision.tolist()}}


def _is_counts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and np.asarray(value).shape[1:] == (4,)


def _object_values(records: Sequence[JSON]) -> list[tuple[int, float]]:
    """(category, IoU after the first prompt) of every object that records list."""
    pairs = []
    for record in records:
        values = record.get("iou")
        if not isinstance(values, list):
            continue
        first = [value[0] if isinstance(value, list) else value for value in values]
        categories = record.get("categories") or [0] * len(first)
        pairs += [(c, v) for c, v in zip(categories, first, strict=False) if v is not None]
    return pairs


def _histograms(records: Sequence[JSON]) -> JSON:
    values = [value for _, value in _object_values(records)]
    if not values:
        return {}
    counts, edges = np.histogram(values, bins=BINS, range=(0, 1))
    return {"IoU": {"edges": edges.round(6).tolist(), "counts": counts.tolist()}}


def _by_category(records: Sequence[JSON], names: Mapping[int, str]) -> JSON:
    groups: dict[int, list[float]] = {}
    for category, value in _object_values(records):
        groups.setdefault(category, []).append(value)
    if len(groups) < 2:
        return {}
    twice = len(set(names.values())) < len(names)
    labels = {c: _label(c, names.get(c, ""), twice=twice) for c in groups}
    return {"category": {labels[c]: _mean(values) for c, values in sorted(groups.items())}}


def _label(category: int, name: str, *, twice: bool) -> str:
    """The name of a category, its id where it has none, both where names are not unique."""
    return name if name and not twice else f"{category} {name}".strip()


def _mean(values: Iterable[float]) -> JSON:
    listed = list(values)
    return {"value": float(np.mean(listed)), "count": len(listed)}


def _by_suffix(result: Result) -> JSON:
    """By size and frequency out of metrics such as mIoUs, APr, ARl@1000."""
    stem, at, budget = result.metric.partition("@")
    found: JSON = {}
    for title, words in (("size", SIZES), ("frequency", FREQUENCIES)):
        names = {word: f"{stem}{letter}{at}{budget}" for letter, word in words.items()}
        metrics = {
            word: result.metrics[name] for word, name in names.items() if name in result.metrics
        }
        values = {word: {"value": e.value} for word, e in metrics.items() if np.isfinite(e.value)}
        if values:
            found[title] = values
    return found
