"""What a user waits for: help, a finished run, the first run on a machine, and threads.

Each command runs in a process of its own, each setting in turn; of several rounds the median is
told, with the lowest and the highest. CPU seconds are of all its processes.

python -m benchmarks.start [NAME ...] [--rounds N] [--output FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sambench.engine.environment import environment

FIVE = ("run", "--task", "points", "--dataset", "mini", "--limit", "5", "-q", "--resamples", "0")
ONE_THREAD, PASSIVE = {"OMP_NUM_THREADS": "1"}, {"OMP_WAIT_POLICY": "PASSIVE"}


def measured(words: tuple[str, ...], more: dict[str, str]) -> dict[str, float]:
    """Wall and CPU seconds of one command."""
    unset = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, "-m", "sambench", *words], env={**unset, **more}, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu, "load": os.getloadavg()[0]}


def cold(*words: str) -> Callable[[Path], dict[str, float]]:
    """The first run on a machine: nothing was compiled, nothing of our own is kept."""

    def run(folder: Path) -> dict[str, float]:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            kept = {"NUMBA_CACHE_DIR": f"{own}/kernels", "SAMBENCH_CACHE": f"{own}/cache"}
            return measured(("run", *words, "-q", "--output", f"{own}/runs"), kept)

    return run


def warm(more: dict[str, str], *words: str) -> Callable[[Path], dict[str, float]]:
    """A run with kernels compiled, begun anew or, without ``--fresh``, finished before."""
    return lambda folder: measured((*words, "--output", str(folder / "runs")), more)


CASES: dict[str, Callable[[Path], dict[str, float]]] = {
    "help": lambda _: measured(("--help",), {}),
    "threads: default": warm({}, *FIVE, "--fresh"),
    "threads: one": warm(ONE_THREAD, *FIVE, "--fresh"),
    "threads: passive": warm(PASSIVE, *FIVE, "--fresh"),
    "finished run": warm({}, *FIVE),
    "cold: README's job": cold("--task", "points", "--dataset", "mini", "--model", "minisam"),
    "cold: edges": cold("--task", "edges", "--model", "sobel", "--limit", "2"),
}


def spread(values: list[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    found = {"median": statistics.median(values), "low": min(values), "high": max(values)}
    return {name: round(value, 2) for name, value in found.items()}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    chosen = {name: case for name, case in CASES.items() if name in (arguments.names or CASES)}
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in chosen}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for name, case in chosen.items():
                taken[name].append(case(Path(folder)))
                print(name, taken[name][-1], flush=True)
    results: dict[str, Any] = {
        name: {key: spread([one[key] for one in runs]) for key in ("wall", "cpu", "load")}
        for name, runs in taken.items()
    }
    found = {"environment": environment(), "rounds": arguments.rounds, "results": results}
    print(json.dumps(found, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
