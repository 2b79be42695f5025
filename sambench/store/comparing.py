"""Two runs on the same images: paired differences with intervals, and whether they are noise.

Both sides are taken on the same images, so that what makes an image easy or hard for both cancels:
the interval of a difference is far narrower than the two intervals suggest. Whether two models
differ is asked of a randomization test (`sambench.metrics.significance`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sambench.errors import UserError
from sambench.interfaces import JSON, Estimator, Metric, Task
from sambench.metrics import significance
from sambench.metrics.statistics import LEVEL, Estimate, estimates
from sambench.metrics.statistics import difference as less
from sambench.shown import find_metric
from sambench.store.display import (
    IMAGES,
    counted,
    html_table,
    interval,
    items_stated,
    metric_cells,
    number,
    show_p,
    withheld,
)
from sambench.store.records import Provenance, differences
from sambench.store.run import Run
from sambench.store.sources import PREDICTION

if TYPE_CHECKING:
    from pandas import DataFrame

STAR = "*: p of .05 or less: equal models would differ as much in at most 5 % of cases"


@dataclass(frozen=True)
class Difference:
    """A metric on both sides, and second minus first with its 95 % interval.

    Attributes:
        first, second: values.
        difference: second minus first.
        p: of the randomization test that both models are equal; of categories, corrected for their
            number (Holm). NaN where there is no difference to test or no test was asked for.
        settle: how many images would show a difference of this size, in four of five studies; None
            where that is not known.
    """

    first: float
    second: float
    difference: Estimate
    p: float
    settle: int | None

    @property
    def significant(self) -> bool:
        """Whether equal models would differ as much in 5 % of cases or fewer."""
        return self.p <= 1 - LEVEL


@dataclass(frozen=True)
class Comparison:
    """How two runs differ.

    Attributes:
        names: of the first and the second.
        metric: to rank by.
        declared: what the metrics are.
        images: scored by both: all that follows is about them.
        only: images that only the first, only the second has scored.
        choices: in which their protocols differ, the model aside.
        metrics: by name, sizes among them.
        categories: the main metric by the id of a category, where records tell it.
        category_names: by id, as far as records tell them.
        furthest: image id and both sides' values of the metric to rank by, widest apart first.
        items: what the images are, in the plural; clips are counted like them.
    """

    names: tuple[str, str]
    metric: str
    declared: tuple[Metric, ...]
    images: int
    only: tuple[int, int]
    choices: list[str]
    metrics: dict[str, Difference]
    categories: dict[str, Difference]
    category_names: Mapping[str, str]
    furthest: list[tuple[str, float, float]]
    items: str = IMAGES

    def to_pandas(self) -> DataFrame:
        """The metrics as a pandas table, indexed by name.

        Its columns are first, second, difference (second minus first), low and high, the ends of
        the difference's 95 % interval, and p, of the randomization test.
        """
        import pandas as pd

        columns = ["first", "second", "difference", "low", "high", "p"]
        found = _rows(self.metrics)
        rows = {name: [row[column] for column in columns] for name, row in found.items()}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=float)
        frame.index.name = "metric"
        return frame

    def _repr_html_(self) -> str:
        """The table that a notebook shows."""
        rows = []
        for name, row in self.metrics.items():
            metric, found = find_metric(self.declared, name), row.difference
            cells = [number(metric, row.first), number(metric, row.second)]
            cells += [number(metric, found.value, "+")]
            cells += [interval(metric, found.low, found.high, "+")]
            cells += [show_p(row.p) + " *" * row.significant]
            rows.append([*metric_cells(metric), *cells, metric.description])
        title = "A {}, B {}: {} that both have scored".format(
            *self.names, counted(self.images, self.items)
        )
        head = ["metric", "unit", "A", "B", "B - A", "95 % interval", "p", ""]
        notes = withheld(
            (find_metric(self.declared, name), row.difference) for name, row in self.metrics.items()
        )
        notes += [f"They differ by choice too: {choice}" for choice in self.choices]
        return html_table(title, head, rows, [STAR, *notes])


def compare(
    first: Run,
    second: Run,
    *,
    resamples: int,
    swaps: int = significance.SWAPS,
    seed: int = 0,
    images: int = 10,
) -> Comparison:
    """Compare two runs on the images that both have scored.

    Args:
        first: what the other is measured against.
        second: the difference is this one minus the first.
        resamples: how many sets of images the intervals may look at; 0: no intervals.
        swaps: of the randomization test; 0: no test.
        seed: of both.
        images: number of images to list, the most different first.

    Raises:
        UserError: they are of different tasks or different truth, or have no image in common.
    """
    ids = _common(first, second)
    records = first.index.read(ids), second.index.read(ids)
    tasks = first.task, second.task
    drawn = len(ids), resamples, swaps, seed
    both = [*records[0], *records[1]]
    metrics = _paired(
        [task.estimator(r) for task, r in zip(tasks, records, strict=True)],
        [task.estimator(both) for task in tasks],
        *drawn,
    )
    sides = first.index.header, second.index.header
    categories = [task.by_category(r) for task, r in zip(tasks, records, strict=True)]
    pooled = [task.by_category(both) for task in tasks]
    known = [estimator for estimator in categories if estimator is not None]
    known_pooled = [estimator for estimator in pooled if estimator is not None]
    by_category = _paired(known, known_pooled, *drawn) if len(known) == 2 else {}
    corrected = significance.holm({name: row.p for name, row in by_category.items()})
    sizes = len(first.index.offsets), len(second.index.offsets)
    return Comparison(
        names=(first.name, second.name),
        metric=first.task.metric,
        declared=tuple(metric for metric in first.task.metrics if metric.name in metrics),
        images=len(ids),
        only=(sizes[0] - len(ids), sizes[1] - len(ids)),
        choices=_choices(first, second),
        metrics=metrics,
        categories={name: replace(row, p=corrected[name]) for name, row in by_category.items()},
        category_names=next((s["categories"] for s in sides if s.get("categories")), {}),
        furthest=_furthest(ids, tasks, records)[:images],
        items=items_stated(sides[0]["about"]["dataset"]),
    )


def _common(first: Run, second: Run) -> list[str]:
    """The images that both have scored, in the dataset's order.

    Raises:
        UserError: there are none, or the two are of different tasks, truth or images.
    """
    abouts = first.index.header["about"], second.index.header["about"]
    where = f"{first.index.path} and {second.index.path}"
    differing = differences(abouts[0]["task"], abouts[1]["task"], "task")
    if abouts[0]["dataset"]["fingerprint"] != abouts[1]["dataset"]["fingerprint"]:
        differing += differences(abouts[0]["dataset"], abouts[1]["dataset"], "dataset")
    if differing:
        raise UserError(f"{where} cannot be compared: {'; '.join(differing)}.")
    items = items_stated(abouts[0]["dataset"])
    ids = [id for id in first.index.header["ids"] if id in first.index.offsets]
    both = [id for id in ids if id in second.index.offsets]
    if not both:
        raise UserError(f"{where} have no {items[:-1]} in common.")
    made = first.index.provenance, second.index.provenance
    other = [id for id in both if not _same_image(made[0][id], made[1][id])]
    if other:
        raise UserError(
            f"{where} cannot be compared: {len(other)} of {counted(len(both), items)} had other "
            f"pixels in one than in the other, first {other[0]}; run both on the same {items}."
        )
    return both


def _same_image(first: Provenance, second: Provenance) -> bool:
    """Whether two records are of the same pixels, as far as both were made from an image."""
    both = {first.image, second.image}
    return len(both) == 1 or any(each.startswith(PREDICTION) for each in both)


def _choices(first: Run, second: Run) -> list[str]:
    """Choices of the task, and code of its metric, in which two runs differ.

    A run without prompts leaves out choices that it has no use for; these do not differ.
    """
    choices = [
        {
            **run.index.header["about"]["choices"],
            "code of the metric": run.index.plan["scores"]["code"],
        }
        for run in (first, second)
    ]
    if any("direct" in run.index.header["about"] for run in (first, second)):
        shared = choices[0].keys() & choices[1].keys()
        choices = [{k: v for k, v in own.items() if k in shared} for own in choices]
    return differences(choices[0], choices[1])


def _paired(
    estimators: Sequence[Estimator],
    pooled: Sequence[Estimator],
    images: int,
    resamples: int,
    swaps: int,
    seed: int,
) -> dict[str, Difference]:
    """Differences of all metrics that both sides have.

    Args:
        estimators: of each side's own records.
        pooled: of each side, of the first side's records followed by the second's.
        images: that both have.
        resamples: for intervals.
        swaps: for tests.
        seed: of both.
    """
    first, second = (estimator(np.ones(images)) for estimator in estimators)
    found = estimates(less(*estimators), images, resamples=resamples, seed=seed)
    a, b = pooled
    p = significance.p_values(a, b, images, swaps=swaps, seed=seed) if swaps else {}
    return {
        name: Difference(
            first[name],
            second[name],
            row,
            p.get(name, float("nan")),
            significance.images_to_settle(row, images),
        )
        for name, row in found.items()
    }


def _furthest(
    ids: Sequence[str], tasks: Sequence[Task], records: Sequence[Sequence[JSON]]
) -> list[tuple[str, float, float]]:
    """Each image's value of the metric to rank by on both sides, widest apart first."""
    sides = [
        [of_one_image(task, task.metric, record) for record in found]
        for task, found in zip(tasks, records, strict=True)
    ]
    rows = [
        (id, first, second)
        for id, first, second in zip(ids, *sides, strict=True)
        if np.isfinite(first) and np.isfinite(second)
    ]
    return sorted(rows, key=lambda row: -abs(row[2] - row[1]))


def of_one_image(task: Task, metric: str, record: JSON) -> float:
    """The value of a metric for the image of one record; NaN where it is not defined."""
    return task.estimator([record])(np.ones(1)).get(metric, float("nan"))


def to_json(comparison: Comparison) -> JSON:
    """The comparison as JSON values; what is not defined is null."""
    first, second = comparison.names
    return {
        "first": first,
        "second": second,
        "metric": comparison.metric,
        "declared": [asdict(metric) for metric in comparison.declared],
        "images": comparison.images,
        "only": list(comparison.only),
        "choices": comparison.choices,
        "metrics": _rows(comparison.metrics),
        "categories": _rows(comparison.categories),
        "category_names": dict(comparison.category_names),
        "furthest": [{"id": i, "first": a, "second": b} for i, a, b in comparison.furthest],
    }


def _rows(differences: Mapping[str, Difference]) -> JSON:
    def number(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    return {
        name: {
            "first": number(row.first),
            "second": number(row.second),
            "difference": number(row.difference.value),
            "low": number(row.difference.low),
            "high": number(row.difference.high),
            "withheld": row.difference.withheld,
            "bias": row.difference.bias,
            "p": number(row.p),
            "images_to_settle": row.settle,
        }
        for name, row in differences.items()
    }
