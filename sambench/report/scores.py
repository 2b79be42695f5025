"""The score of each image, and which images are worth a look."""

from collections.abc import Mapping, Sequence
from math import isfinite

from sambench.interfaces import JSON, Task
from sambench.shown import Metric
from sambench.store.comparing import of_one_image

Scores = dict[str, float | None]
"""Image id -> its value of the metric to rank by, None where it has none."""


def image_scores(task: Task, metric: str, lines: Sequence[JSON]) -> Scores:
    """Value of the metric to rank by for each image alone."""
    values = {line["id"]: of_one_image(task, metric, line["record"]) for line in lines}
    return {id: float(value) if isfinite(value) else None for id, value in values.items()}


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
