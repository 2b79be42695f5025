"""What is drawn of a result: its curves and histograms, and its main metric broken down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sambench.interfaces import JSON, Task
from sambench.report.numbers import category_labels, declared_by, numbered
from sambench.shown import Curve, Histogram, from_details, with_references
from sambench.store.result import Result


@dataclass(frozen=True)
class Part:
    """The main metric of a part of the data, and how many objects it has, if that is known."""

    value: float
    count: int | None = None


@dataclass(frozen=True)
class Drawings:
    """What is drawn of a result.

    Attributes:
        curves: by name.
        histograms: by name.
        breakdowns: of the main metric: what it is by -> part of it -> value.
    """

    curves: Mapping[str, Curve]
    histograms: Mapping[str, Histogram]
    breakdowns: Mapping[str, Mapping[str, Part]]


def drawings(
    result: Result,
    task: Task | None = None,
    records: Sequence[JSON] = (),
    categories: Mapping[int, str] | None = None,
    references: Sequence[JSON] = (),
) -> Drawings:
    """Curves, histograms and breakdowns of a result.

    Args:
        result: what it carries in `details` is drawn where the records tell nothing newer.
        task: that it is of, where it is known.
        records: of its run, where they were kept.
        categories: names by id, where they are known.
        references: points of the dataset to draw beside curves, see `Reference`.
    """
    drawn = task.curves(records) if task is not None and records else ()
    computed = with_references(drawn, references)
    found = {drawing.name: drawing for drawing in [*from_details(result.details), *computed]}
    return Drawings(
        {n: d for n, d in found.items() if isinstance(d, Curve) and d.drawable},
        {n: d for n, d in found.items() if isinstance(d, Histogram)},
        {**_declared(result), **_by_category(task, records, categories or {})},
    )


def _declared(result: Result) -> dict[str, dict[str, Part]]:
    """Metrics that are declared as parts of the main one, such as mIoUs of mIoU; not numbers."""
    found: dict[str, dict[str, Part]] = {}
    for metric in declared_by(result):
        value = result.metrics[metric.name].value if metric.name in result.metrics else np.nan
        if metric.of == result.metric and np.isfinite(value) and not numbered(metric):
            found.setdefault(metric.group, {})[metric.member] = Part(value)
    return found


def _by_category(
    task: Task | None, records: Sequence[JSON], names: Mapping[int, str]
) -> dict[str, dict[str, Part]]:
    estimator = task.by_category(records) if task is not None and records else None
    if task is None or estimator is None:
        return {}
    values = {k: v for k, v in estimator(np.ones(len(records))).items() if np.isfinite(v)}
    if len(values) < 2:
        return {}
    counts = task.category_counts(records)
    labels = category_labels(values, {str(id): name for id, name in names.items()})
    return {"category": {labels[k]: Part(v, counts.get(k)) for k, v in values.items()}}
