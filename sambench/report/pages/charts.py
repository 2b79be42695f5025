"""Which plots a board, a run, a suite and a published table get."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sambench.interfaces import JSON
from sambench.report.leaderboard import Board, Entry
from sambench.report.numbers import lower_is_better, scale, show_metric
from sambench.report.pages import plots
from sambench.report.pages.links import file_slug
from sambench.report.pages.plots import Curve, Dot, Plot
from sambench.store.result import Result

MOST_BARS = 25
MOST_GAINS, FEW = 6, 4


def board_plots(board: Board, data: Mapping[Path, JSON]) -> list[Plot]:
    """Accuracy against speed and memory, and the curves of all models."""
    entries = [entry for entry in board.entries if entry.run is not None]
    return [*_pareto_plots(board, entries), *_curve_plots(board, entries, data)]


def _pareto_plots(board: Board, entries: Sequence[Entry]) -> list[Plot]:
    costs: dict[str, tuple[Callable[[Result], float | None], str, bool]] = {
        "speed": (_speed, "images/s of the model", True),
        "memory": (_memory, "peak memory, MiB", False),
    }
    found = []
    for name, (cost_of, label, more) in costs.items():
        dots = [dot for entry in entries if (dot := _dot(board, entry, cost_of)) is not None]
        if len(dots) > 1:
            title = show_metric(board.task, board.metric)
            lower = lower_is_better(board.metric)
            stem = f"{name}-{board.key}"
            found.append(plots.pareto(stem, dots, title, label, more_is_better=more, lower=lower))
    return found


def _dot(board: Board, entry: Entry, cost_of: Callable[[Result], float | None]) -> Dot | None:
    assert entry.run is not None
    cost, estimate = cost_of(entry.run.result), entry.metrics.get(board.metric)
    if not cost or estimate is None or estimate.value != estimate.value:
        return None
    factor = scale(board.task, board.metric)[0]
    scaled = type(estimate)(*(factor * v for v in (estimate.value, estimate.low, estimate.high)))
    return Dot(entry.label, cost, scaled, _hardware(entry.run.result))


def _speed(result: Result) -> float | None:
    speed: float | None = result.timing.get("images_per_second")
    return speed


def _memory(result: Result) -> float | None:
    memory = result.timing.get("memory", {})
    used = memory.get("gpu_reserved") or memory.get("gpu_allocated") or memory.get("host_rss")
    return used / 2**20 if used else None


def _hardware(result: Result) -> str:
    environment = result.environment
    device = environment.get("device", "cpu")
    return str(environment.get("cpu") or "cpu") if device == "cpu" else str(device)


def _curve_plots(board: Board, entries: Sequence[Entry], data: Mapping[Path, JSON]) -> list[Plot]:
    by_name: dict[str, dict[str, Curve]] = {}
    for entry in entries:
        assert entry.run is not None
        for name, curve in data[entry.run.path]["curves"].items():
            by_name.setdefault(name, {})[entry.label] = curve["x"], curve["y"]
    return [_curve_plot(name, curves, board.key) for name, curves in by_name.items()]


def _curve_plot(name: str, curves: Mapping[str, Curve], end: str) -> Plot:
    stem = f"{file_slug(name)}-{end}"
    if name == "precision-recall":
        return plots.precision_recall(stem, curves)
    x, _, y = {"mIoU-clicks": "clicks|mIoU %", "recall-proposals": "proposals|recall %"}.get(
        name, f"x|{name}"
    ).partition("|")
    percent = {label: (xs, [100 * v for v in ys]) for label, (xs, ys) in curves.items()}
    return plots.curves_plot(stem, percent, x, y, log=name == "recall-proposals")


def run_plots(address: str, result: Result, data: JSON) -> list[Plot]:
    """Curves, histograms and breakdowns of one result."""
    stem = address.removesuffix(".html")
    found = [
        _curve_plot(name, {result.model: (curve["x"], curve["y"])}, stem)
        for name, curve in data["curves"].items()
    ]
    for name, part in data["histograms"].items():
        found.append(
            plots.histogram(
                f"{file_slug('histogram', name)}-{stem}", part["edges"], part["counts"], name
            )
        )
    for name, part in data["breakdowns"].items():
        found += _breakdown_plot(name, part, result, stem)
    return found


def _breakdown_plot(name: str, part: JSON, result: Result, stem: str) -> list[Plot]:
    largest = sorted(part, key=lambda label: -part[label].get("count", 0))[:MOST_BARS]
    factor = scale(result.task, result.metric)[0]
    chosen = [label for label in part if label in set(largest)]
    if len(chosen) > FEW:  # such as categories, which have no order of their own
        chosen.sort(key=lambda label: -part[label]["value"])
    values = {label: factor * part[label]["value"] for label in chosen}
    caption = f"{show_metric(result.task, result.metric)} by {name}"
    caption += f", the {MOST_BARS} most frequent of {len(part)}." if len(part) > MOST_BARS else "."
    title = show_metric(result.task, result.metric)
    return [plots.bars(f"{file_slug('by', name)}-{stem}", values, title, caption)]


# ------------------------------------------------------------------ several datasets


def suites(boards: Sequence[Board]) -> list[list[Board]]:
    """Groups of boards that differ in nothing but the dataset, of two datasets or more."""
    groups: dict[str, list[Board]] = {}
    for board in boards:
        if any(name.startswith("dataset.datasets.") for name in board.fields):
            continue  # the mean of a suite is no member of one
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
        if entry.label == model and board.metric in entry.metrics:
            value = entry.metrics[board.metric].value
            return None if value != value else value
    return None


def gain_plots(stem: str, suite: Sequence[Board]) -> list[Plot]:
    """Gain of the best model over each other one on each dataset, as Figure 9 of SAM has it."""
    best, *others = by_mean(suite)
    metric = suite[0].metric
    factor = scale(suite[0].task, metric)[0] * (-1 if lower_is_better(metric) else 1)
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
            label = f"{show_metric(suite[0].task, metric)}: {best} over {other}"
            won = sum(gain > 0 for gain in gains.values())
            caption = f"Gain of {best} over {other} by dataset: ahead on {won} of {len(gains)}."
            found.append(plots.bars(f"{stem}-{i}", ordered, label, caption))
    return found


def by_mean(suite: Sequence[Board]) -> list[str]:
    """Models by their mean over datasets, best first; those that lack one come last."""
    sign = 1 if lower_is_better(suite[0].metric) else -1
    models = dict.fromkeys(entry.label for board in suite for entry in board.entries)
    means = {model: suite_mean(suite, model) for model in models}
    return sorted(models, key=lambda m: math.inf if (mean := means[m]) is None else sign * mean)


def published_plots(board: Board) -> list[Plot]:
    """Gains by dataset as bars, mIoU against clicks as lines."""
    if board.metric.endswith(" gain") and len(board.entries) > 1:
        gains = {entry.dataset: 100 * entry.metrics[board.metric].value for entry in board.entries}
        caption = f"{board.title}."
        return [plots.bars(f"published-{board.key}", gains, f"{board.metric}, IoU points", caption)]
    curves = {entry.label: _clicks(entry) for entry in board.entries}
    long = {label: curve for label, curve in curves.items() if len(curve[0]) > 2}
    if not long:
        return []
    return [plots.curves_plot(f"published-{board.key}", long, "points", "mIoU %")]


def _clicks(entry: Entry) -> Curve:
    named = {"mIoU": 1} | {f"mIoU@{k}": k for k in range(2, 21)}
    points = sorted((named[m], 100 * e.value) for m, e in entry.metrics.items() if m in named)
    return [x for x, _ in points], [y for _, y in points]
