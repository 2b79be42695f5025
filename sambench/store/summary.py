"""From records to a result, and to its numbers again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sambench.errors import UserError
from sambench.interfaces import JSON, Task
from sambench.metrics.statistics import RESAMPLES, Estimate, estimates
from sambench.shown import Metric, as_details, find_metric, with_references
from sambench.store.clips import left_out
from sambench.store.display import items_stated
from sambench.store.plan import protocol
from sambench.store.records import Index
from sambench.store.result import Result
from sambench.store.run import Run
from sambench.store.timing import summarize
from sambench.video.interfaces import ClipTask


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
    about = index.header["about"]
    if not lines:
        item = items_stated(about["dataset"]).removesuffix("s")
        raise UserError(f"no {item} could be scored; see {index.path}.")
    reasons = {**index.failed, **failed}
    return Result(
        task=about["task"],
        model=about["label"],
        dataset=about["dataset"]["label"],
        protocol=protocol(index.header, ids),
        failed={id: reasons.get(id, "not scored") for id in ids if id not in index.offsets},
        timing={**summarize(lines), **_cost(index.sessions)},
        environment=_machines(index.sessions),
        note=" ".join(filter(None, (about["note"], _said(task, lines)))),
        **_numbers(task, index, lines, resamples),
    )


def recomputed(run: Run, resamples: int = RESAMPLES) -> Result:
    """A result with its numbers computed anew from the records beside it; the rest is as it was.

    Raises:
        UserError: there are no records, or they are not those of the result.
    """
    lines = run.lines()
    if not lines:
        raise UserError(
            f"{run.path} has no records beside it that are its own; bring {run.records_path}."
        )
    return replace(run.result, **_numbers(run.task, run.index, lines, resamples))


def _said(task: Task, lines: Sequence[JSON]) -> str:
    """What a task of clips says of what its numbers leave out."""
    if not isinstance(task, ClipTask):
        return ""
    return " ".join(filter(None, (task.said([line["record"] for line in lines]), left_out(lines))))


def _numbers(task: Task, index: Index, lines: Sequence[JSON], resamples: int) -> dict[str, Any]:
    """The fields of a result that are computed from the records of images."""
    records = [line["record"] for line in lines]
    found = estimates(task.estimator(records), len(records), resamples=resamples)
    metrics = {name: _within(find_metric(task.metrics, name), e) for name, e in found.items()}
    curves = with_references(task.curves(records), index.header.get("references", ()))
    return {
        "metric": task.metric,
        "images": len(records),
        "metrics": metrics,
        "declared": tuple(metric for metric in task.metrics if metric.name in metrics),
        "details": as_details(curves),
    }


def _within(metric: Metric, estimate: Estimate) -> Estimate:
    """An estimate whose interval stays among the values that its metric can have."""
    least, most = metric.range
    if not least <= estimate.value <= most:
        return estimate
    return replace(estimate, low=max(estimate.low, least), high=min(estimate.high, most))


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
