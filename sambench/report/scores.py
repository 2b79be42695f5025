"""The score of each image, and which images are worth a look."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import JSON, Estimator, Task
from sambench.metrics.statistics import Statistic, evaluate
from sambench.shown import Metric
from sambench.store.comparing import of_one_image

TOGETHER = 256
"""Records that are scored at once: each is weighted beside the others, which takes their square."""
Scores = dict[str, float | None]
"""Image id -> its value of the metric to rank by, None where it has none."""


def image_scores(
    task: Task, metric: str, lines: Sequence[JSON], estimator: Estimator | None = None
) -> Scores:
    """Value of the metric to rank by for each image alone.

    Args:
        task: of the run.
        metric: the one to rank by.
        lines: of the records of the run.
        estimator: of all these records, if it is at hand.
    """
    records = [line["record"] for line in lines]
    values = _each_alone(task, metric, records, estimator)
    ids = (line["id"] for line in lines)
    pairs = zip(ids, values, strict=True)
    return {id: float(value) if isfinite(value) else None for id, value in pairs}


def _each_alone(
    task: Task, metric: str, records: Sequence[JSON], estimator: Estimator | None
) -> Iterator[float]:
    """Value of a metric for each record alone, of many at once where records are summed up."""
    part = _part_of(estimator or task.estimator(records[:1]))
    if part is not None and estimator is None:
        part = _part_of(task.estimator(records))
    if part is None:
        yield from (of_one_image(task, metric, record) for record in records)
        return
    for start in range(0, len(records), TOGETHER):
        some = np.arange(start, min(start + TOGETHER, len(records)))
        found = evaluate(part(some), np.eye(len(some)), frozenset({metric}))
        yield from found.get(metric, np.full(len(some), np.nan)).tolist()


def _part_of(estimator: Estimator) -> Callable[[NDArray[np.int64]], Statistic] | None:
    return estimator.part if isinstance(estimator, Statistic) else None


def chosen_images(runs: Mapping[str, Scores], metric: Metric, most: int) -> list[str]:
    """Images worth drawing: the worst, median and best of each run, and where runs differ most.

    Args:
        runs: scores by run.
        metric: that they are of.
        most: how many images at most.
    """
    lists = [_ends_and_middle(scores, metric) for scores in runs.values()]
    names = list(runs)
    for i, first in enumerate(names):
        lists += [_differing(runs[first], runs[second]) for second in names[i + 1 :]]
    chosen: dict[str, None] = {}
    for place in range(max((len(ids) for ids in lists), default=0)):
        for ids in lists:
            if place < len(ids) and len(chosen) < most:
                chosen.setdefault(ids[place])
    return list(chosen)


def _ends_and_middle(scores: Scores, metric: Metric) -> list[str]:
    """Ids in turn from the worst, the best and the median outwards."""
    known = sorted((v, id) for id, v in scores.items() if v is not None)
    if metric.lower_is_better:
        known.reverse()
    ids = [id for _, id in known]
    middle = sorted(range(len(ids)), key=lambda i: abs(2 * i - (len(ids) - 1)))
    turns = zip(ids, reversed(ids), (ids[i] for i in middle), strict=True)
    return list(dict.fromkeys(id for turn in turns for id in turn))


def _differing(first: Scores, second: Scores) -> list[str]:
    both = [
        (-abs(value - other), id)
        for id, value in first.items()
        if value is not None and (other := second.get(id)) is not None
    ]
    return [id for _, id in sorted(both)]
