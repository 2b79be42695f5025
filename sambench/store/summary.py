"""From records to a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sambench.errors import UserError
from sambench.interfaces import JSON, Task
from sambench.metrics.statistics import Estimate, estimates
from sambench.shown import Metric, as_details, find_metric
from sambench.store.plan import protocol
from sambench.store.records import Index
from sambench.store.result import Result
from sambench.store.timing import summarize


def summary(
    task: Task, index: Index, ids: tuple[str, ...], resamples: int, failed: dict[str, str]
) -> Result:
    """The result that records give.

    Args:
        task: gives the estimator.
        index: the records.
        ids: the images asked for.
        resamples: how many sets of images the intervals may look at; 0: no intervals.
        failed: reasons that are not in the records.

    Raises:
        UserError: none of these images has a record.
    """
    lines = index.lines(id for id in ids if id in index.offsets)
    if not lines:
        raise UserError(f"no image could be scored; see {index.path}.")
    records = [line["record"] for line in lines]
    reasons = {**index.failed, **failed}
    about = index.header["about"]
    found = estimates(task.estimator(records), len(records), resamples=resamples)
    metrics = {name: _within(find_metric(task.metrics, name), e) for name, e in found.items()}
    return Result(
        task=about["task"],
        model=about["label"],
        dataset=about["dataset"]["label"],
        metric=task.metric,
        images=len(records),
        metrics=metrics,
        declared=tuple(metric for metric in task.metrics if metric.name in metrics),
        protocol=protocol(index.header, ids),
        failed={id: reasons.get(id, "not scored") for id in ids if id not in index.offsets},
        timing={**summarize(lines), **_cost(index.sessions)},
        environment=_machines(index.sessions),
        note=about["note"],
        details=as_details(task.curves(records)),
    )


def _within(metric: Metric, estimate: Estimate) -> Estimate:
    """An estimate whose interval stays among the values that its metric can have."""
    if metric.unit not in {"fraction", "percent"} or not 0 <= estimate.value <= 1:
        return estimate
    least = -1.0 if metric.signed else 0.0
    return replace(estimate, low=max(estimate.low, least), high=min(estimate.high, 1.0))


def _cost(sessions: Sequence[JSON]) -> JSON:
    """Peak memory and seconds of all sessions."""
    kinds = dict.fromkeys(kind for session in sessions for kind in session["memory"])
    peak = {kind: max(s["memory"].get(kind, 0) for s in sessions) for kind in kinds}
    return {"memory": peak, "wall": sum(session["wall"] for session in sessions)}


def _machines(sessions: Sequence[JSON]) -> JSON:
    """Where a run was carried out last, and the other places if it was more than one."""
    found: list[JSON] = []
    for session in reversed(sessions):
        if session["environment"] not in found:
            found.append(session["environment"])
    others = {"others": found[1:]} if found[1:] else {}
    return {**found[0], **others} if found else {}
