"""Which plots a board, a run, a suite and a published table get."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sambench.report.details import Drawings, Part
from sambench.report.leaderboard import Board, Entry
from sambench.report.numbers import metric_of, numbered, show_metric, speed
from sambench.report.pages import bars
from sambench.report.pages.links import file_slug
from sambench.report.pages.names import LONGEST, shortened
from sambench.report.pages.pareto import Dot, pareto
from sambench.report.pages.plots import curves_plot
from sambench.report.pages.svg import Plot
from sambench.shown import Curve
from sambench.store.result import Result

MOST_BARS = 25
MOST_GAINS, FEW = 6, 4


def board_plots(board: Board, data: Mapping[Path, Drawings]) -> list[Plot]:
    """Accuracy against speed and memory, and the curves of all models."""
    entries = [entry for entry in board.entries if entry.run is not None]
    return [*_pareto_plots(board, entries), *_curve_plots(board, entries, data)]


def _pareto_plots(board: Board, entries: Sequence[Entry]) -> list[Plot]:
    costs: dict[str, tuple[Callable[[Result], float | None], str, bool]] = {
        "speed": (_speed, f"{_unit(entries)} of the model", True),
        "memory": (_memory, "peak memory, MiB", False),
    }
    found = []
    for name, (cost_of, label, more) in costs.items():
        dots = [dot for entry in entries if (dot := _dot(board, entry, cost_of)) is not None]
        if len(dots) > 1:
            stem = f"{name}-{board.key}"
            found.append(pareto(stem, dots, board.metric, label, more_is_better=more))
    return found


def _dot(board: Board, entry: Entry, cost_of: Callable[[Result], float | None]) -> Dot | None:
    assert entry.run is not None
    cost, estimate = cost_of(entry.run.result), entry.metrics.get(board.metric.name)
    if not cost or estimate is None or estimate.value != estimate.value:
        return None
    factor = board.metric.factor
    value, low, high = (factor * v for v in (estimate.value, estimate.low, estimate.high))
    scaled = type(estimate)(value, low, high)
    return Dot(entry.label, cost, scaled, _hardware(entry.run.result))


def _speed(result: Result) -> float | None:
    found = speed(result)
    return found[0] if found else None


def _unit(entries: Sequence[Entry]) -> str:
    """Of the speed of models on a board."""
    found = (speed(entry.run.result) for entry in entries if entry.run)
    return next((each[1] for each in found if each), "images/s")


def _memory(result: Result) -> float | None:
    memory = result.timing.get("memory", {})
    used = memory.get("gpu_reserved") or memory.get("gpu_allocated") or memory.get("host_rss")
    return used / 2**20 if used else None


def _hardware(result: Result) -> str:
    environment = result.environment
    device = environment.get("device", "cpu")
    return str(environment.get("cpu") or "cpu") if device == "cpu" else str(device)


def _curve_plots(
    board: Board, entries: Sequence[Entry], data: Mapping[Path, Drawings]
) -> list[Plot]:
    by_name: dict[str, dict[str, Curve]] = {}
    for entry in entries:
        assert entry.run is not None
        for name, curve in data[entry.run.path].curves.items():
            by_name.setdefault(name, {})[entry.label] = curve
    return [curves_plot(f"{file_slug(n)}-{board.key}", c) for n, c in by_name.items()]


def run_plots(address: str, result: Result, data: Drawings) -> list[Plot]:
    """Curves, histograms and breakdowns of one result."""
    stem = address.removesuffix(".html")
    found = [
        curves_plot(f"{file_slug(name)}-{stem}", {result.model: curve})
        for name, curve in data.curves.items()
    ]
    found += [
        bars.histogram(f"{file_slug('histogram', name)}-{stem}", histogram)
        for name, histogram in data.histograms.items()
    ]
    return found + [
        _breakdown_plot(name, part, result, stem) for name, part in data.breakdowns.items()
    ]


def _breakdown_plot(name: str, part: Mapping[str, Part], result: Result, stem: str) -> Plot:
    largest = sorted(part, key=lambda label: -(part[label].count or 0))[:MOST_BARS]
    metric = metric_of(result)
    chosen = [label for label in part if label in set(largest)]
    if len(chosen) > FEW:  # such as categories, which have no order of their own
        chosen.sort(key=lambda label: -part[label].value)
    values = {label: metric.factor * part[label].value for label in chosen}
    title = show_metric(metric)
    which = "most frequent" if any(each.count for each in part.values()) else "first"
    caption = f"{title} by {name}"
    caption += f", the {MOST_BARS} {which} of {len(part)}." if len(part) > MOST_BARS else "."
    return bars.bars(f"{file_slug('by', name)}-{stem}", values, title, caption, metric.places)


# ------------------------------------------------------------------ several datasets


def suites(boards: Sequence[Board]) -> list[list[Board]]:
    """Groups of boards that differ in nothing but the dataset, of two datasets or more."""
    groups: dict[str, list[Board]] = {}
    for board in boards:
        if any(name.startswith("dataset.datasets.") for name in board.fields):
            continue  # the mean of a suite is not a member of it
        rest = {k: v for k, v in board.fields.items() if not k.startswith("dataset.")}
        groups.setdefault(json.dumps(rest, sort_keys=True), []).append(board)
    return [group for group in groups.values() if len({board.dataset for board in group}) > 1]


def suite_mean(suite: Sequence[Board], model: str) -> float | None:
    """Mean over datasets, None where the model lacks one or one was run in two ways."""
    values = [_value(board, model) for board in suite]
    if len({board.dataset for board in suite}) < len(suite):
        return None
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _value(board: Board, model: str) -> float | None:
    for entry in board.entries:
        if entry.label == model and board.metric.name in entry.metrics:
            value = entry.metrics[board.metric.name].value
            return None if value != value else value
    return None


def gain_plots(stem: str, suite: Sequence[Board]) -> list[Plot]:
    """Gain of the best model over each other one on each dataset, as Figure 9 of SAM has it."""
    best, *others = by_mean(suite)
    metric = suite[0].metric
    factor = metric.factor * (-1 if metric.lower_is_better else 1)
    found = []
    for i, other in enumerate(others[:MOST_GAINS]):
        gains = {
            board.dataset: factor * (own - base)
            for board in suite
            if (own := _value(board, best)) is not None
            and (base := _value(board, other)) is not None
        }
        if len(gains) > 1:
            ordered = dict(sorted(gains.items(), key=lambda item: -item[1]))
            short = shortened((best, other), LONGEST)
            label = f"{show_metric(metric)}: {short[best]} over {short[other]}"
            won = sum(gain > 0 for gain in gains.values())
            caption = f"Gain of {best} over {other} by dataset: ahead on {won} of {len(gains)}."
            found.append(bars.bars(f"{stem}-{i}", ordered, label, caption, metric.places))
    return found


def by_mean(suite: Sequence[Board]) -> list[str]:
    """Models by their mean over datasets, best first; models without a value come last."""
    sign = 1 if suite[0].metric.lower_is_better else -1
    models = dict.fromkeys(entry.label for board in suite for entry in board.entries)
    means = {model: suite_mean(suite, model) for model in models}
    return sorted(models, key=lambda m: math.inf if (mean := means[m]) is None else sign * mean)


def published_plots(board: Board) -> list[Plot]:
    """Gains by dataset as bars; a metric at several numbers of clicks as lines."""
    assert board.table is not None
    metric = board.metric
    if all(row.baseline for row in board.table.rows) and len(board.entries) > 1:
        gains = {e.dataset: metric.factor * e.metrics[metric.name].value for e in board.entries}
        title = f"{show_metric(metric)}, points"
        return [bars.bars(f"published-{board.key}", gains, title, f"{board.title}.")]
    groups = dict.fromkeys((m.of or m.name, m.group) for m in board.metrics if numbered(m))
    return [
        curves_plot(f"published-{board.key}{f'-{i}' if i else ''}", curves)
        for i, (of, group) in enumerate(groups)
        if (curves := _printed_curves(board, of, group))
    ]


def _printed_curves(board: Board, of: str, group: str) -> dict[str, Curve]:
    """For each line that has three points or more, a metric against what it is numbered by."""
    own = [m for m in board.metrics if numbered(m) and (m.of or m.name, m.group) == (of, group)]
    found = {}
    for entry in board.entries:
        points = sorted(
            (int(m.member), entry.metrics[m.name].value) for m in own if m.name in entry.metrics
        )
        if len(points) > 2:
            x, y = zip(*points, strict=True)
            found[entry.label] = Curve(f"{of}-{group}", x, y, group, of, own[0].unit)
    return found
