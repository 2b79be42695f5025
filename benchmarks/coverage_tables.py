"""Tables and plot of the study of coverage, see `benchmarks.coverage`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sambench.metrics.calibration import ERROR, ORDER
from sambench.metrics.panoptic import MATCHED
from sambench.metrics.statistics import CATEGORIES, MEAN, ONE_CATEGORY, PRECISION, RECALL

from .intervals_tried import METHODS

RESULT = Path(__file__).parent / "results" / "coverage.json"
PLOT = Path(__file__).parent.parent / "docs" / "pictures" / "coverage.png"
TITLES = {
    "mean": "means over objects", "edges": "ODS, OIS, AP of edges", "AR": "AR",
    "AP": "AP, mean over categories", "category": "AP of one category",
    "labels": "PQ, RQ and semantic mIoU", "SQ": "SQ",
    "ECE": "ECE of the predicted IoU", "order": "Spearman, AUC of the predicted IoU",
}  # fmt: skip
KINDS = {
    "mean": MEAN, "edges": MEAN, "AR": RECALL, "AP": PRECISION, "category": ONE_CATEGORY,
    "labels": CATEGORIES, "SQ": MATCHED, "ECE": ERROR, "order": ORDER,
}  # fmt: skip
BARS = {
    "mean": (10, 93), "edges": (10, 93), "AR": (30, 92), "AP": (100, 90), "category": (30, 90),
    "labels": (30, 92), "SQ": (100, 92), "ECE": (30, 92), "order": (30, 92),
}  # fmt: skip
"""Images from which intervals are to cover so many percent."""
Row = dict[str, Any]
Share = Callable[[Row], tuple[float, int] | None]
"""A share of a row with the number of samples that it is of."""


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the rows as JSON, as Markdown beside it, and as a plot.

    Args:
        rows: of the study.
        path: of the JSON; the plot goes to the documentation if it is `RESULT`, else beside it.
    """
    path.write_text(json.dumps(rows, indent=1) + "\n")
    path.with_suffix(".md").write_text(tables(rows))
    plot(rows, PLOT if path == RESULT else path.with_suffix(".png"))


def tables(rows: Sequence[Row]) -> str:
    """The study as Markdown."""
    return "\n\n".join([
        "# Coverage, stars and ranks\n\nWritten by `python -m benchmarks.coverage`; percent, with "
        "the standard error of the number of samples. "
        "[What it means](../../docs/statistics.md).",
        "## Intervals as printed, nominally 95 %, with none withheld",
        _table(rows, "intervals", _covered),
        "By how much the value of a sample is too high on average, in percent of the truth:",
        _biases(rows),
        "## Other methods",
        *(f"{method}:\n\n{_tried(rows, method)}" for method in METHODS),
        "## Stars of equal models",
        _table(rows, "stars", _share("new false")),
        "By the old rule, a percentile interval of the paired bootstrap that leaves zero out:",
        _table(rows, "stars", _share("old false")),
        "## Stars of two models that differ",
        _table(rows, "stars", _share("new power")),
        "By the old rule:",
        _table(rows, "stars", _share("old power")),
        "By the old rule if it is made so strict that equal models get 5 % of stars:",
        _table(rows, "stars", _share("fair power")),
        "## Boards of ten equal models with any pair apart",
        _table(rows, "ranks", lambda row: (row["false"], row["simulations"])),
    ]) + "\n"  # fmt: skip


def _covered(row: Row) -> tuple[float, int]:
    return row["covered"], row["simulations"]


def _share(name: str) -> Share:
    def share(row: Row) -> tuple[float, int] | None:
        number = row["simulations" if name == "new false" else "few"]
        return None if row[name] is None else (row[name], number)

    return share


def _tried(rows: Sequence[Row], method: str) -> str:
    def share(row: Row) -> tuple[float, int] | None:
        found = row["covered"].get(method)
        return None if found is None else (found, row["simulations"])

    return _table(rows, "tried", share)


def _table(rows: Sequence[Row], part: str, share: Share) -> str:
    def cell(row: Row) -> str:
        found = share(row)
        if found is None:
            return ""
        p, number = found
        return f"{100 * p:.1f} ±{100 * math.sqrt(p * (1 - p) / number):.1f}"

    return _laid_out([row for row in rows if row["part"] == part], cell)


def _biases(rows: Sequence[Row]) -> str:
    biased = [r for r in rows if r["part"] == "intervals" and r["kind"] in {"AR", "AP"}]
    return _laid_out(biased, lambda row: f"{100 * row['bias'] / row['truth']:+.1f}")


def _laid_out(rows: Sequence[Row], cell: Callable[[Row], str]) -> str:
    """A line for each metric of each population, a column for each number of images."""
    sizes = sorted({row["images"] for row in rows})
    lines: dict[str, dict[int, str]] = {}
    for row in sorted(rows, key=lambda row: [*TITLES].index(row["kind"])):
        if said := cell(row):
            lines.setdefault(f"{row['population']} | {row['metric']}", {})[row["images"]] = said
    head = ["population | metric", *(f"n = {size}" for size in sizes)]
    body = [[name, *(cells.get(size, "") for size in sizes)] for name, cells in lines.items()]
    rule = ["---"] * (1 + len(head))
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body))


def plot(rows: Sequence[Row], path: Path) -> None:
    """Coverage of the old and the new intervals against the number of images, by kind."""
    import matplotlib.pyplot as plt

    kinds = [kind for kind in TITLES if any(row["kind"] == kind for row in rows)]
    lines = -(-len(kinds) // 2)
    figure, axes = plt.subplots(lines, 2, figsize=(8, 2.9 * lines), sharey=True)
    for axis in axes.flat[len(kinds) :]:
        axis.set_axis_off()
    for axis, kind in zip(axes.flat, kinds, strict=False):
        own = [row for row in rows if row["kind"] == kind]
        for row in _lines(own, "tried"):
            y = [100 * r["covered"]["percentile"] for r in row]
            axis.plot([r["images"] for r in row], y, ".-", color="0.6", lw=1)
        for row in _lines(own, "intervals"):
            y = [100 * r["covered"] for r in row]
            axis.plot([r["images"] for r in row], y, ".-", color="C0", lw=1)
        start, bar = BARS[kind]
        axis.plot([start, 300], [bar, bar], color="C3", lw=0.8)
        axis.axhline(95, color="0.2", lw=0.8, ls="--")
        axis.axvspan(4.5, max(KINDS[kind].fewest, 4.5), color="0.93", lw=0)
        axis.set(title=TITLES[kind], xscale="log", xlim=(4.5, 330), ylim=(20, 101))
        sizes = (5, 10, 30, 100, 300)
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.minorticks_off()
    figure.supxlabel("images in a sample", size=10)
    figure.supylabel("intervals that hold the truth, %", size=10)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _lines(rows: Sequence[Row], part: str) -> list[list[Row]]:
    """Rows of each metric of each population."""
    lines: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["part"] == part:
            lines.setdefault((row["population"], row["metric"]), []).append(row)
    return list(lines.values())
