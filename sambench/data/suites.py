"""Named sets of datasets that are evaluated together, and their mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sambench.errors import UserError
from sambench.interfaces import Dataset
from sambench.metrics.statistics import Estimate
from sambench.registry import load, split_spec
from sambench.store.result import Result

SUITES: dict[str, tuple[str, ...]] = {
    "sa23": (
        "ppdls",
        "bbbc038v1",
        "doors",
        "timberseg",
        "ndd20",
        "lvis_v05",
        "streets",
        "zerowaste_f",
        "ishape",
        "ade20k",
        "ovis",
        "hypersim",
        "ndispark",
        "visor",
        "plittersdorf",
        "egohos",
        "ibd",
        "woodscape",
        "cityscapes",
        "pidray",
        "dram",
        "trashcan",
        "gtea",
    ),
    "saco_gold": tuple(
        f"saco:subset=gold_{name}"
        for name in (
            "metaclip",
            "sa1b",
            "crowded",
            "fg_food",
            "fg_sports_equipment",
            "attributes",
            "wiki_common",
        )
    ),
    "saco_silver": tuple(
        f"saco:subset=silver_{name}"
        for name in (
            "bdd100k",
            "droid",
            "ego4d",
            "food_rec",
            "geode",
            "inaturalist",
            "nga_art",
            "sav",
            "yt1b",
            "fathomnet",
        )
    ),
}
"""Name -> datasets in the order of the paper, with options where one reader has several.

sa23: the 23 of Kirillov et al., Segment Anything, ICCV 2023, table 7, whose unweighted mean is the
headline number of point prompts. SAM 2 and 3 add 14 sets of video frames (SA-37) whose readers are
not here.

saco_gold, saco_silver: the subsets of Carion et al., SAM 3, 2025, whose unweighted mean is the
headline number of noun phrases.
"""


@dataclass(frozen=True)
class Selection:
    """Datasets to run one after another.

    Attributes:
        suite: its name, or "" for a dataset by itself.
        datasets: those that are here.
        absent: why not, by name, for those that are not.
    """

    suite: str
    datasets: tuple[Dataset, ...]
    absent: dict[str, str]


def select(spec: str) -> Selection:
    """A dataset, or the members of a suite that are here.

    Args:
        spec: dataset with options, or suite, such as ``sa23`` or ``sa23:root=DIR``, where each
            member lies in ``DIR/<name>``.

    Raises:
        UserError: there is no such dataset, or no member of the suite is here.
    """
    name, options = split_spec(spec)
    if name not in SUITES:
        dataset: Dataset = load("dataset", spec)
        if not dataset.ids:  # found here, before hours are spent on the datasets before it
            raise UserError(f"dataset {name} has no images; check its options.")
        return Selection("", (dataset,), {})
    root = options.pop("root", "")
    if options:
        raise UserError(f"suite {name} takes the option root only, not {', '.join(options)}.")
    present: list[Dataset] = []
    absent: dict[str, str] = {}
    for member in SUITES[name]:
        try:
            own = {"root": f"{root}/{split_spec(member)[0]}"} if root else {}
            present.append(load("dataset", member, **own))
        except UserError as error:
            absent[member] = str(error)
    if not present:
        raise UserError(f"no dataset of {name} is here; see sambench data list.")
    return Selection(name, tuple(present), absent)


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
    """Mean of independent estimates, those that are not defined left out."""
    known = [e for e in estimates if not math.isnan(e.value)]
    if not known:
        return Estimate(math.nan, math.nan, math.nan)
    value = sum(e.value for e in known) / len(known)
    low = math.sqrt(sum((e.value - e.low) ** 2 for e in known)) / len(known)
    high = math.sqrt(sum((e.high - e.value) ** 2 for e in known)) / len(known)
    return Estimate(value, value - low, value + high)
