"""The result of a suite: the mean of those of its datasets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from sambench.data.suites import SUITES, Selection
from sambench.metrics.statistics import Estimate
from sambench.store.result import Result


def suite_result(selection: Selection, results: Sequence[Result]) -> Result:
    """Unweighted mean over the datasets of a suite (Segment Anything, appendix D.1).

    A mean over fewer than all datasets says so in the name of each number. The interval is the
    normal one of a mean of independent datasets: half of it is the root of the sum of squares of
    the datasets' own halves, divided by their number.

    Args:
        selection: the suite.
        results: of one task and model, one for each dataset that is here.
    """
    wanted, first = len(SUITES[selection.suite]), results[0]
    partial = "" if len(results) == wanted else f" [{len(results)} of {wanted} datasets]"
    metrics = {
        name + partial: _mean([result.metrics[name] for result in results])
        for name in first.metrics
        if all(name in result.metrics for result in results)
    }
    values = {result.dataset: result.metrics[first.metric].value for result in results}
    declared = {metric.name: metric for result in results for metric in result.declared}
    return replace(
        first,
        dataset=selection.suite,
        metric=first.metric + partial,
        images=sum(result.images for result in results),
        metrics=metrics,
        declared=tuple(
            replace(metric, name=metric.name + partial, of=metric.of and metric.of + partial)
            for metric in declared.values()
            if metric.name + partial in metrics
        ),
        protocol={**first.protocol, "dataset": _members(selection, results)},
        failed={f"{r.dataset}/{id}": why for r in results for id, why in r.failed.items()},
        timing={},
        note="",
        details={"datasets": values, "absent": selection.absent},
    )


def _members(selection: Selection, results: Sequence[Result]) -> dict[str, object]:
    members = {result.dataset: result.protocol["dataset"] for result in results}
    return {"name": selection.suite, "datasets": members, "absent": sorted(selection.absent)}


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    """Mean of independent estimates; undefined ones are left out."""
    known = [e for e in estimates if not math.isnan(e.value)]
    if not known:
        return Estimate(math.nan, math.nan, math.nan)
    value = sum(e.value for e in known) / len(known)
    if any(e.withheld for e in known):
        return Estimate(value, math.nan, math.nan, "some of the datasets have none")
    low = math.sqrt(sum((e.value - e.low) ** 2 for e in known)) / len(known)
    high = math.sqrt(sum((e.high - e.value) ** 2 for e in known)) / len(known)
    return Estimate(value, value - low, value + high)
