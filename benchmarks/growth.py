"""How cost grows: images, prompts, image size, scoring processes; measured, fitted and plotted.

    OMP_NUM_THREADS=1 python -m benchmarks.growth [--save NAME]

Each point is the lowest of some repeats, in CPU seconds of one thread (scoring processes: in
seconds of the clock). An exponent of 1 is linear; below 1 a fixed part is shared by more.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from sambench.engine.evaluation import evaluate
from sambench.interfaces import Prompts
from sambench.masks.everything import EverythingOptions, everything
from sambench.masks.grid import point_grid
from sambench.registry import load

from .everything import photograph
from .turns import RESULTS, save


@dataclass(frozen=True)
class Series:
    """Cost against one quantity.

    Attributes:
        name: of the quantity.
        run: does the work for one value of it.
        values: ascending.
        clock: what is read before and after.
        linear: exponent of linear growth; more processes share the work instead.
    """

    name: str
    run: Callable[[int], object]
    values: Sequence[int]
    clock: Callable[[], float] = time.process_time
    linear: int = 1


def series() -> list[Series]:
    """What is measured."""
    model: Any = load("model", "minisam")
    image = photograph(512)
    embedding = model.embed([image])[0]
    return [
        Series("prompts of an image", partial(decode, model, embedding), (1, 4, 16, 64, 256)),
        Series("side of the image, pixels", partial(segment, model), (256, 512, 1024, 2048)),
        Series("images of a run", partial(clicks, model), (1, 2, 4, 8)),
        Series("scoring processes", boundaries, (1, 2), time.perf_counter, -1),
    ]


def decode(model: Any, embedding: Any, count: int) -> None:
    """Masks of so many points."""
    points = point_grid(16, (512, 512))[:count, None]
    model.predict(
        embedding, Prompts(points=points, labels=np.ones((count, 1), int)), multimask=True
    )


def segment(model: Any, side: int) -> None:
    """Everything in a photograph of side x side pixels, on a small grid."""
    everything(model, photograph(side), EverythingOptions(points_per_side=4))


def clicks(model: Any, images: int) -> None:
    """The points task on so many rendered scenes."""
    with TemporaryDirectory() as folder:
        evaluate("points", model=model, dataset="scenes", limit=images, output=folder, workers=0)


def boundaries(workers: int) -> None:
    """The edge benchmark on scenes, so many that starting the processes is a small part."""
    with TemporaryDirectory() as folder:
        evaluate(
            "edges", model="sobel", dataset="scenes", limit=128, output=folder, workers=workers
        )


def measured(one: Series, repeats: int) -> list[float]:
    """The lowest cost at each value."""
    one.run(one.values[0])  # compiles and fills caches

    def cost(value: int) -> float:
        start = one.clock()
        one.run(value)
        return one.clock() - start

    return [min(cost(value) for _ in range(repeats)) for value in one.values]


def exponent(values: Sequence[int], costs: Sequence[float]) -> float:
    """Slope of the costs between the last two values, both as logarithms."""
    rise = np.log(costs[-1] / costs[-2]) / np.log(values[-1] / values[-2])
    return float(rise)


def plot(found: Sequence[tuple[Series, list[float], float]], path: Path) -> None:
    """A panel for each series, both axes logarithmic, a dotted line for linear growth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.2), layout="constrained")
    panels = figure.subplots(1, len(found))
    for panel, (one, costs, slope) in zip(panels, found, strict=True):
        values = np.array(one.values)
        linear = costs[0] * (values / values[0]) ** one.linear
        panel.loglog(values, costs, marker="o")
        panel.loglog(values, linear, ":", color="grey")
        panel.set(title=f"exponent {slope:.2f}", xlabel=one.name, ylabel="seconds")
        panel.set_xticks(values, [str(value) for value in values])
        ends = min(*costs, *linear), max(*costs, *linear)
        panel.set_yticks(ends, [f"{end:.2g}" for end in ends])
        panel.minorticks_off()
    for ending in ("png", "svg"):
        figure.savefig(path.with_suffix(f".{ending}"), dpi=120)


def main() -> None:
    """Measure, print, plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--save", help="name of the hardware, for results/NAME.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    for one in series():
        costs = measured(one, arguments.repeats)
        slope = exponent(one.values, costs)
        found.append((one, costs, slope))
        print(one.name, dict(zip(one.values, np.round(costs, 3), strict=True)), f"{slope:.2f}")
    if arguments.save:
        entries = {
            f"growth with {one.name}": {"at": list(one.values), "s": costs, "exponent": slope}
            for one, costs, slope in found
        }
        save(entries, arguments.save)
        plot(found, RESULTS / f"{arguments.save}-growth")


if __name__ == "__main__":
    main()
