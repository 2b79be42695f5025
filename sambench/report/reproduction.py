"""Does a published number hold? Published against measured, with what stands in between."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sambench.errors import UserError, nearest
from sambench.interfaces import JSON, DatasetCard
from sambench.metrics.statistics import Estimate
from sambench.registry import installed, names, split_spec
from sambench.report.numbers import (
    DASH,
    counted,
    few_images,
    legend,
    show_difference,
    show_estimate,
    show_interval,
    show_metric,
    show_value,
)
from sambench.report.published import MARKS, PublishedRow, PublishedTable
from sambench.shown import Metric, find_metric
from sambench.store.result import Result

PARTIAL = {"images", "datasets", "split"}
"""Differences that leave the protocol as it is, but not the data."""


@dataclass(frozen=True)
class Claim:
    """A published row with its table."""

    table: PublishedTable
    row: PublishedRow

    @property
    def name(self) -> str:
        """How it is called in print."""
        return f"{self.table.name} {self.row.label}"

    @property
    def options(self) -> JSON:
        """Options of the task that the paper used."""
        return {**self.table.options, **self.row.options}


@dataclass(frozen=True)
class Line:
    """One metric.

    Attributes:
        metric: which.
        published: as printed, with the error of reading a figure or its printed interval.
        measured: what was measured; None if that metric was not.
        verdict: equal, agrees, differs, or not measured.
    """

    metric: Metric
    published: Estimate
    measured: Estimate | None
    verdict: str

    @property
    def difference(self) -> float:
        """Measured less published, NaN if it was not measured."""
        return math.nan if self.measured is None else self.measured.value - self.published.value


@dataclass(frozen=True)
class Reproduction:
    """A published row against a measured result.

    Attributes:
        claim: what was published.
        result: what was measured.
        lines: one for each metric.
        differing: what of the protocol is known to differ.
        unknown: what of the protocol the paper leaves open.
        stated: what the paper states that is not an option here.
        verdict: the conclusion, in words.
    """

    claim: Claim
    result: Result
    lines: tuple[Line, ...]
    differing: tuple[str, ...]
    unknown: tuple[str, ...]
    stated: tuple[str, ...]
    verdict: str

    @property
    def contradicts(self) -> bool:
        """Whether the whole protocol was run and the number does not hold."""
        return self.verdict.startswith("not reproduced")

    @property
    def concludes(self) -> bool:
        """Whether the whole protocol was run, so that the number holds or does not."""
        return self.contradicts or self.verdict.startswith("reproduced")


def find_claims(
    tables: Sequence[PublishedTable], what: str, model: str = "", dataset: str = ""
) -> list[Claim]:
    """Published rows by task, or by table ``paper:table``; by model and dataset where given.

    Raises:
        UserError: there is none.
    """
    rows = [Claim(t, r) for t in tables for r in t.rows if r.model and not r.baseline]
    named = [claim for claim in rows if what in (claim.table.task, claim.table.name)]
    if not named and what in {table.name for table in tables}:
        raise UserError(
            f"{what} is of no model, so there is nothing to run; see results/README.md."
        )
    if not named:
        known = {claim.table.task for claim in rows} | {claim.table.name for claim in rows}
        raise UserError(f"nothing was published for {what!r}; {nearest(what, known)}")
    of_model = [claim for claim in named if model in ("", claim.row.model)]
    if not of_model:
        models = {claim.row.model for claim in named}
        raise UserError(f"{what} has no published row of {model!r}; {nearest(model, models)}")
    found = [claim for claim in of_model if dataset in ("", claim.row.dataset)]
    if not found:
        sets = sorted({claim.row.dataset for claim in of_model})
        raise UserError(f"{what} was published for {', '.join(sets)}, not for {dataset}.")
    return found


def dataset_of(result: Result) -> str:
    """The name of a result's dataset, whatever it is called; "" if it is the user's own."""
    about = result.protocol["dataset"]
    return "" if about.get("own") else str(about["name"])


def with_expected(result: Result) -> Result:
    """A result from a file, with how many images its dataset has when it is whole."""
    name = dataset_of(result)
    if name not in names("dataset"):
        return result
    card: DatasetCard | None = getattr(installed("dataset", name), "card", None)
    split = result.protocol["dataset"].get("split")
    return expecting(result, card) if card is not None and card.split == split else result


def expecting(result: Result, card: DatasetCard) -> Result:
    """How many images the whole dataset has is not a part of the protocol, but of the verdict."""
    expected = card.expected.get("images")
    about = {**result.protocol["dataset"], **({"expected": expected} if expected else {})}
    return replace(result, protocol={**result.protocol, "dataset": about})


def compare(claim: Claim, result: Result) -> Reproduction:
    """Hold a result against a published row."""
    published = claim.row.estimates()
    metrics = {name: find_metric(claim.table.metrics, name) for name in published}
    lines = tuple(_line(result, metrics[name], value) for name, value in published.items())
    differing = tuple(_differing(claim, result))
    facts = {**claim.table.facts, **claim.row.facts}
    unknown = list(claim.table.unknown)
    if "detector" in facts and result.protocol["task"].get("detections"):
        unknown.append(f"whether the boxes given are those of {facts['detector']}")
    stated = tuple(f"{name}: {value}" for name, value in facts.items())
    verdict = _verdict(claim, result, lines, differing, unknown)
    return Reproduction(claim, result, lines, differing, tuple(unknown), stated, verdict)


def _line(result: Result, metric: Metric, published: Estimate) -> Line:
    measured = _of_metric(result, metric.name)
    if measured is None or math.isnan(measured.value):
        return Line(metric, published, None, "not measured")
    return Line(metric, published, measured, _agreement(metric, published, measured))


def _of_metric(result: Result, metric: str) -> Estimate | None:
    """A metric; the mean over a part of a suite has how large a part it is behind its name."""
    partial = (e for name, e in result.metrics.items() if name.startswith(f"{metric} ["))
    return result.metrics.get(metric, next(partial, None))


def _agreement(metric: Metric, published: Estimate, measured: Estimate) -> str:
    """Equal to the last printed digit, within the intervals, or neither."""
    rounding = 0.5 * 10.0**-metric.places / metric.factor
    if abs(measured.value - published.value) <= rounding + 1e-9:
        return "equal"
    low, high = _bounds(measured)
    other_low, other_high = _bounds(published)
    return "agrees" if low <= other_high and other_low <= high else "differs"


def _bounds(estimate: Estimate) -> tuple[float, float]:
    low, high = estimate.low, estimate.high
    return (
        estimate.value if math.isnan(low) else low,
        estimate.value if math.isnan(high) else high,
    )


def _differing(claim: Claim, result: Result) -> list[str]:
    """Known differences between the published protocol and the measured one."""
    found = []
    model, dataset = result.protocol["model"], result.protocol["dataset"]
    name, variant = split_spec(claim.row.model)
    chosen = model.get("options", {})
    if model["name"] != name or any(str(chosen.get(k)) != v for k, v in variant.items()):
        found.append(f"weights: {claim.row.label} published, {result.model} measured")
    found += [f"{k}: {v} of the model measured" for k, v in chosen.items() if k not in variant]
    if dataset["name"] != claim.row.dataset or dataset.get("own"):
        found.append(f"dataset: {claim.row.dataset} published, {result.dataset} measured")
    split = result.protocol["dataset"].get("split")
    stated = str({**claim.table.facts, **claim.row.facts}.get("split", ""))
    if stated and not (split and (split in stated or stated in split)):
        measured = f"{split} measured" if split else "the measured one is not named"
        found.append(f"split: {stated} published, {measured}")
    options = result.protocol["task"]
    for name, value in claim.options.items():
        if name in options and options[name] != value:
            found.append(f"{name}: {value} published, {options[name]} measured")
    found += [f"protocol: {words}" for words in claim.table.differs]
    return [*found, *_missing_images(result)]


def _missing_images(result: Result) -> list[str]:
    """Images that were not scored: cut by --limit, failed, or not on this machine."""
    card = result.protocol["dataset"]
    scored, _, there = str(card.get("images", "")).partition(" of ")
    found = []
    if there and scored != there:
        found.append(f"images: {scored} of {there} scored")
    expected = card.get("expected")
    if expected and int(there or 0) < expected:
        found.append(f"images: {there} of the dataset's {expected} are here")
    if result.failed:
        found.append(f"images: {len(result.failed)} failed")
    if card.get("absent"):
        found.append(f"datasets: without {', '.join(card['absent'])}")
    return found


def _verdict(
    claim: Claim,
    result: Result,
    lines: Sequence[Line],
    differing: Sequence[str],
    unknown: Sequence[str],
) -> str:
    measured = [line for line in lines if line.measured is not None]
    if not measured:
        return "no verdict: none of the published metrics was measured"
    numbers = _in_words(measured)
    kinds = [difference.partition(":")[0] for difference in differing]
    if "weights" in kinds:
        who = f"{result.model} is not {claim.row.label}, so this says nothing about it"
        return f"different weights: {who} ({numbers})"
    if "dataset" in kinds:
        where = f"{result.dataset} is not {claim.row.dataset}, so this says nothing about it"
        return f"different data: {where} ({numbers})"
    partial = bool(PARTIAL & set(kinds))
    others = [d for d, k in zip(differing, kinds, strict=True) if k not in PARTIAL]
    if others:
        also = " on partial data" if partial else ""
        return f"another protocol{also} ({'; '.join(others)}): {numbers}"
    if partial:
        split = " of another split" if "split" in kinds else ""
        return f"partial: on {counted(result.images, result.items)}{split}, {numbers}"
    known = ", as far as the protocol is known" if unknown else ""
    holds = all(line.verdict != "differs" for line in measured)
    return f"{'reproduced' if holds else 'not reproduced'}{known}: {numbers}"


WORDS = {
    "equal": "equal to the printed digit",
    "agrees": "within the interval",
    "differs": "outside the interval",
    "not measured": "not measured",
}
"""Verdict of a metric -> how it is printed."""


def _in_words(lines: Sequence[Line]) -> str:
    """``of 4 metrics 2 equal to the printed digit, 1 within the interval, ...``."""
    verdicts = [line.verdict for line in lines]
    kinds = [word for word in WORDS if word in verdicts]
    if len(kinds) == 1:
        who = f"all {len(lines)} metrics are" if len(lines) > 1 else f"{lines[0].metric.name} is"
        return f"{who} {WORDS[kinds[0]]}"
    parts = [f"{verdicts.count(word)} {WORDS[word]}" for word in kinds]
    return f"of {len(lines)} metrics {', '.join(parts)}"


def show(found: Reproduction) -> str:
    """A reproduction as text for a terminal: the row, its numbers, the protocol, the verdict."""
    head = ["metric", "published", "measured", "95 % interval", "difference", ""]
    rows = [_show_line(line) for line in found.lines]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    of, row = found.claim.table, found.claim.row
    return "\n".join(
        [
            f"{of.name}: {row.label} on {row.dataset}, {MARKS[row.mark]}",
            f"{of.paper.title}, {of.where}: {of.title}",
            *table,
            *legend([line.metric for line in found.lines]),
            *([f"{few_images(1, items=found.result.items)}."] if found.result.images == 1 else []),
            *_listed("differs", found.differing),
            *_listed("unknown", found.unknown),
            *_listed("stated", found.stated),
            f"verdict: {found.verdict}.",
        ]
    )


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title if i == 0 else '':<9}{line}" for i, line in enumerate(lines)]


def _show_line(line: Line) -> list[str]:
    measured = interval = DASH
    if line.measured is not None:
        measured = show_value(line.metric, line.measured.value)
        interval = show_interval(line.metric, line.measured)
    difference = show_difference(line.metric, line.difference)
    published = show_estimate(line.metric, line.published)
    name = show_metric(line.metric)
    return [name, published, measured, interval, difference, WORDS[line.verdict]]


def summary(found: Sequence[Reproduction]) -> str:
    """How many rows got which verdict."""
    heads = [each.verdict.partition(":")[0].partition(" (")[0] for each in found]
    counts = (f"{heads.count(head)} {head}" for head in dict.fromkeys(heads))
    return f"{len(found)} published rows: {', '.join(counts)}."


def to_json(found: Reproduction) -> JSON:
    """A reproduction as JSON values."""

    def number(value: float) -> float | None:
        return None if math.isnan(value) else value

    return {
        "claim": found.claim.table.name,
        "label": found.claim.row.label,
        "model": found.result.model,
        "dataset": found.result.dataset,
        "lines": [
            {
                "metric": line.metric.name,
                "published": line.published.value,
                "measured": None if line.measured is None else line.measured.value,
                "low": None if line.measured is None else number(line.measured.low),
                "high": None if line.measured is None else number(line.measured.high),
                "difference": number(line.difference),
                "verdict": line.verdict,
            }
            for line in found.lines
        ],
        "differing": list(found.differing),
        "unknown": list(found.unknown),
        "stated": list(found.stated),
        "verdict": found.verdict,
    }
