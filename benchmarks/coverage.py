"""Do intervals hold what they say, are stars and ranks noise? Populations with a known truth.

    OMP_NUM_THREADS=1 python -m benchmarks.coverage --runs FOLDER [--part NAME] [--save]

Samples of 5 to 300 images are drawn from the records of real runs and from made-up ones; each
interval either covers the metric of the whole population or not. Two equal models are made by
giving each image's two records to them at random: every star is then false. `--runs` is the output
folder of the runs that `benchmarks/populations.py` lists. Parts: candidates, intervals, stars,
ranks, plot.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from sambench.metrics.significance import p_values, swaps_for
from sambench.metrics.statistics import (
    PRECISION,
    RECALL,
    Floats,
    Statistic,
    difference,
    estimates,
    evaluate,
    ratios,
)
from sambench.report.ranking import standings

from .populations import Population, made_up, real, ten_models

SIZES = (5, 10, 30, 100, 300)
RESULT = Path(__file__).parent / "results" / "coverage.json"
PLOT = Path(__file__).parent.parent / "docs" / "pictures" / "coverage.png"
RESAMPLES = 200
"""Of the candidates."""
METHODS = (
    *("BCa", "t-widened percentile", "basic", "jackknife-t", "subsampling", "double bootstrap"),
)
TITLES = {"mean": "means over objects", "edges": "ODS, OIS, AP of edges", "AR": "AR", "AP": "AP"}
FEWEST = {"AR": RECALL.fewest, "AP": PRECISION.fewest}
"""Images below which intervals are withheld, of kinds of which the study has less."""
Interval = tuple[float, float]
Row = dict[str, Any]


def candidates(statistic: Statistic, n: int, name: str, rng: np.random.Generator) -> Iterator[
    tuple[str, Interval]
]:  # fmt: skip
    """Intervals of one sample by the methods that were tried."""
    wanted = frozenset({name})
    value = statistic.one(np.ones(n))[name]
    counts = rng.multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(np.float64)
    draws = evaluate(statistic, counts, wanted)[name]
    left = evaluate(statistic, 1 - np.eye(n), wanted)[name]
    draws, left = draws[np.isfinite(draws)], np.where(np.isfinite(left), left, value)
    t = float(stats.t.ppf(0.975, n - 1))
    low, high = np.quantile(draws, [0.025, 0.975])
    wide = t / 1.96 * math.sqrt(n / (n - 1))
    error = math.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())
    yield "percentile", (low, high)
    yield "BCa", _bca(value, draws, left)
    yield "t-widened percentile", (value - wide * (value - low), value + wide * (high - value))
    yield "basic", (2 * value - high, 2 * value - low)
    yield "jackknife-t", (value - t * error, value + t * error)
    yield "subsampling", _extrapolated(statistic, n, name, value, rng)
    if n <= 30:
        yield "double bootstrap", _double(statistic, n, name, draws, counts, rng)


def _bca(value: float, draws: Floats, left: Floats) -> Interval:
    """Efron, Better bootstrap confidence intervals, JASA 82, 1987."""
    share = np.clip(np.mean(draws < value) + np.mean(draws == value) / 2, 0.002, 0.998)
    bias, gaps = stats.norm.ppf(share), left.mean() - left
    spread = (gaps**2).sum() ** 1.5
    skew = (gaps**3).sum() / (6 * spread) if spread > 0 else 0.0
    at = bias + stats.norm.ppf([0.025, 0.975])
    ends = np.quantile(draws, stats.norm.cdf(bias + at / (1 - skew * at)))
    return float(ends[0]), float(ends[1])


def _extrapolated(
    statistic: Statistic, n: int, name: str, value: float, rng: np.random.Generator
) -> Interval:
    """Half-samples: their spread, and the bias that halves and quarters extrapolate to."""

    def parts(size: int, number: int) -> Floats:
        places = rng.permuted(np.tile(np.arange(n), (number, 1)), axis=1)
        found = evaluate(statistic, (places < size).astype(np.float64), frozenset({name}))[name]
        return found[np.isfinite(found)]  # fmt: skip

    half, quarter = parts(n // 2, RESAMPLES // 2), parts(max(n // 4, 1), RESAMPLES // 2)
    first, second = half.mean() - value, quarter.mean() - half.mean()
    rate = min(max(first / second if second else 0.5, 0.0), 0.8)
    centre = value - first * rate / (1 - rate)
    reach = float(stats.t.ppf(0.975, n - 1)) * half.std(ddof=1)
    return centre - reach, centre + reach


def _double(
    statistic: Statistic, n: int, name: str, draws: Floats, counts: Floats,
    rng: np.random.Generator,
) -> Interval:  # fmt: skip
    """Percentile interval whose level a second bootstrap corrects (Hall, 1986)."""
    value, levels = statistic.one(np.ones(n))[name], []
    for row in counts[:25]:
        inner = rng.multinomial(n, row / row.sum(), 50).astype(np.float64)
        found = evaluate(statistic, inner, frozenset({name}))[name]
        levels.append(2 * abs(np.mean(found <= value) - 0.5))
    level = float(np.quantile(levels, 0.95))
    low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def study_candidates(populations: list[Population], simulations: int) -> list[Row]:
    """Coverage of every method, of the first metric of each population."""
    rows = []
    for population in populations:
        name, truth = _main(population), population.truth()[_main(population)]
        for n in SIZES[:-1]:
            rng, hits = np.random.default_rng([1, n]), dict[str, int]()
            for _ in range(simulations):
                statistic = population.sample(rng.integers(0, population.images, n))
                for method, (low, high) in candidates(statistic, n, name, rng):
                    hits[method] = hits.get(method, 0) + int(low <= truth <= high)
            covered = {method: count / simulations for method, count in hits.items()}
            rows.append(_row(population, name, n, simulations, covered=covered))
            print(rows[-1], flush=True)
    return rows


def _main(population: Population) -> str:
    return next(iter(population.metrics))


def _row(population: Population, metric: str, n: int, simulations: int, **more: Any) -> Row:
    return {
        "population": population.name, "kind": population.metrics[metric], "metric": metric,
        "images": n,
        "simulations": simulations, **more,
    }  # fmt: skip


def study_intervals(populations: list[Population], simulations: int) -> list[Row]:
    """Coverage, width and bias of the intervals as they are printed."""
    rows = []
    for population in populations:
        truth = population.truth()
        for n in SIZES:
            rng = np.random.default_rng([2, n])
            found: dict[str, list[tuple[float, float, float]]] = {m: [] for m in truth}
            for number in range(simulations):
                statistic = population.sample(rng.integers(0, population.images, n))
                for name, e in estimates(statistic, n, resamples=1000, seed=number).items():
                    found[name].append((e.value, e.low, e.high))
            for name, drawn in found.items():
                value, low, high = np.array(drawn).T
                inside = (low <= truth[name]) & (truth[name] <= high)
                rows.append(_row(
                    population, name, n, simulations, truth=truth[name],
                    covered=float(inside.mean()), bias=float(np.nanmean(value) - truth[name]),
                    half=float(np.nanmedian(high - low) / 2),
                ))  # fmt: skip
                print(rows[-1], flush=True)
    return rows


def study_stars(populations: list[Population], simulations: int) -> list[Row]:
    """How often equal models get a star, and the two real ones, by the old rule and the new."""
    rows = []
    for population in populations:
        name = _main(population)
        for n in (2, 3, 4, *SIZES):
            stars = np.zeros((2, 2))  # equal or not, old or new
            for number in range(simulations):
                rng = np.random.default_rng([3, n, number])
                drawn = rng.integers(0, population.images, n)
                for equal in (0, 1):
                    swapped = rng.integers(0, 1 + equal, n).astype(np.float64)
                    pair = population.pair(drawn, swapped)
                    p = p_values(pair, pair, n, swaps=499, seed=number)[name]
                    sides = population.sample(drawn, swapped), population.sample(drawn, 1 - swapped)
                    stars[equal] += _old_star(difference(*sides), n, name, rng), p <= 0.05
            power, false = stars / simulations
            rows.append(_row(
                population, name, n, simulations,
                false={"old": false[0], "new": false[1]}, power={"old": power[0], "new": power[1]},
            ))  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def _old_star(gap: Statistic, n: int, name: str, rng: np.random.Generator) -> bool:
    """Whether the percentile interval of the paired bootstrap leaves zero out."""
    counts = rng.multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(np.float64)
    draws = evaluate(gap, counts, frozenset({name}))[name]
    low, high = np.quantile(draws[np.isfinite(draws)], [0.025, 0.975])
    return bool(low > 0 or high < 0)


def study_ranks(simulations: int) -> list[Row]:
    """How many boards of ten equal models have any pair apart."""
    rows, pairs = [], 45
    for n in (10, 30, 100):
        false = 0
        for number in range(simulations):
            values = ten_models(n, np.random.default_rng([4, n, number]))
            p = {(i, j): _p(values[i], values[j], n) for i in range(10) for j in range(i + 1, 10)}
            found = [estimates(_mean([v]), n, resamples=0)["m"] for v in values]
            placed = standings(found, lower=False, p=p)
            false += any(s is not None and s.worst - s.best < len(values) - 1 for s in placed)
        rows.append({"images": n, "models": 10, "boards": simulations, "pairs": pairs,
                     "false": false / simulations})  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def _mean(sides: list[Floats]) -> Statistic:
    return ratios({"m": [[value] for side in sides for value in side.tolist()]})


def _p(first: Floats, second: Floats, n: int) -> float:
    both = _mean([first, second])
    return p_values(both, both, n, swaps=swaps_for(45))["m"]


def plot(found: Mapping[str, list[Row]], path: Path) -> None:
    """Coverage of the old and the new intervals against the number of images, by kind."""
    import matplotlib.pyplot as plt

    kinds = list(dict.fromkeys(row["kind"] for row in found["intervals"]))
    figure, axes = plt.subplots(1, len(kinds), figsize=(3 * len(kinds), 3), sharey=True)
    for axis, kind in zip(axes, kinds, strict=True):
        for color, part, value in (("0.6", "candidates", "percentile"), ("C0", "intervals", "")):
            rows = [row for row in found.get(part, []) if row["kind"] == kind]
            for key in dict.fromkeys((row["population"], row["metric"]) for row in rows):
                own = [row for row in rows if (row["population"], row["metric"]) == key]
                y = [100 * (r["covered"][value] if value else r["covered"]) for r in own]
                axis.plot([row["images"] for row in own], y, ".-", color=color, lw=1)
        axis.axhline(95, color="0.2", lw=0.8, ls="--")
        axis.axvspan(SIZES[0], FEWEST.get(kind, SIZES[0]), color="0.93", lw=0)
        axis.set(title=TITLES[kind], xscale="log", xticks=SIZES, xticklabels=SIZES, ylim=(40, 101))
        axis.minorticks_off()
        axis.set_xlabel("images")
    axes[0].set_ylabel("intervals that hold the truth, %")
    said = (
        "grey: percentile bootstrap; blue: the intervals of sambench, withheld where it is shaded"
    )
    figure.text(0.99, 0.01, said, ha="right", size=8)
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(path, dpi=90)


def tables(found: Mapping[str, list[Row]]) -> str:
    """The study as Markdown."""
    return "\n\n".join([
        "# Coverage, stars and ranks\n\nWritten by `python -m benchmarks.coverage`; percent. "
        "[What it means](../../docs/statistics.md).",
        "## Intervals as printed, nominally 95 %, with none withheld",
        _table(found, "intervals", lambda row: row["covered"]),
        "## Percentile bootstrap",
        _table(found, "candidates", lambda row: row["covered"]["percentile"]),
        "## What was tried",
        *(f"{method}:\n\n{_tried(found, method)}" for method in METHODS),
        "## Stars of equal models",
        _table(found, "stars", lambda row: row["false"]["new"]),
        "By the old rule, a percentile interval of the paired bootstrap that leaves zero out:",
        _table(found, "stars", lambda row: row["false"]["old"]),
        "## Stars of two models that differ",
        _table(found, "stars", lambda row: row["power"]["new"]),
        "By the old rule:",
        _table(found, "stars", lambda row: row["power"]["old"]),
        "## Boards of ten equal models with any pair apart",
        _table(found, "ranks", lambda row: row["false"]),
    ]) + "\n"  # fmt: skip


def _tried(found: Mapping[str, list[Row]], method: str) -> str:
    return _table(found, "candidates", lambda row: row["covered"].get(method))


def _table(found: Mapping[str, list[Row]], part: str, value: Callable[[Row], float | None]) -> str:
    """A line for each population, a column for each number of images."""
    rows = found.get(part, [])
    sizes = sorted({row["images"] for row in rows})
    lines: dict[str, dict[int, str]] = {}
    for row in rows:
        number = row.get("simulations", row.get("boards"))
        name = f"{row.get('population', 'ten models')} | {row.get('metric', 'mIoU')} | {number}"
        share = value(row)
        lines.setdefault(name, {})[row["images"]] = "" if share is None else f"{100 * share:.1f}"
    head = ["population | metric | simulations", *(f"n = {size}" for size in sizes)]
    body = [[name, *(cells.get(size, "") for size in sizes)] for name, cells in lines.items()]
    rule = ["---"] * (2 + len(head))
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body))


def _merged(known: list[Row], rows: list[Row]) -> list[Row]:
    """Rows of a part, those that were computed anew in place of the old ones."""

    def key(row: Row) -> tuple[Any, ...]:
        return tuple(row.get(name) for name in ("population", "metric", "images"))

    new = {key(row) for row in rows}
    return [*(row for row in known if key(row) not in new), *rows]


def main() -> None:
    """Run the study, or a part of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--part", default="all")
    parser.add_argument("--only", default="", help="what the name of a population begins with")
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--save", type=Path, default=RESULT, help="JSON to put the rows in")
    arguments = parser.parse_args()
    number, path = arguments.simulations, arguments.save
    named = arguments.only
    populations = [p for p in [*real(arguments.runs), *made_up()] if p.name.startswith(named)]
    alike = {"COCO boxes", "COCO masks"}  # of one run: no two models
    parts: dict[str, Callable[[], list[Row]]] = {
        "candidates": lambda: study_candidates(populations, number // 10),
        "intervals": lambda: study_intervals(populations, number),
        "stars": lambda: study_stars([p for p in populations if p.name not in alike], number),
        "ranks": lambda: study_ranks(number // 2),
    }
    for name, part in parts.items():
        if arguments.part in {"all", name}:
            rows = part()
            known = json.loads(path.read_text()) if path.exists() else {}
            merged = {**known, name: _merged(known.get(name, []), rows)}
            path.write_text(json.dumps(merged, indent=1) + "\n")
    found = json.loads(path.read_text())
    plot(found, PLOT)
    path.with_suffix(".md").write_text(tables(found))


if __name__ == "__main__":
    main()
