"""Two ways of computing the same, taking turns in one process: CPU seconds, ratios, memory.

A ratio is that of one pair of turns, given as median, lowest and highest. Memory is what a fresh
process needs at most beyond what it starts with. What both compute is compared in the same run.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sambench.engine.environment import environment
from sambench.interfaces import JSON

Run = Callable[[], Any]
RESULTS = Path(__file__).parent / "results"


def tensors_differ(ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...]) -> JSON:
    """The largest difference of each output, its largest value, and how many signs differ."""
    found = {}
    for a, b in zip(ours, theirs, strict=True):
        found[" x ".join(map(str, a.shape))] = {
            "differs by": float((a - b).abs().max()),
            "of": float(b.abs().max()),
            "other signs": int(((a > 0) != (b > 0)).sum()),
        }
    return found


@dataclass(frozen=True)
class Case:
    """One thing that both compute.

    Attributes:
        name: what it is.
        ours: computes it our way.
        theirs: computes it the other way.
        peer: whose way the other is.
        compare: both results -> how they differ.
    """

    name: str
    ours: Run
    theirs: Run
    peer: str = "segment-anything"
    compare: Callable[[Any, Any], JSON] = tensors_differ


def timed(run: Run) -> tuple[float, Any]:
    """CPU seconds and result of a run."""
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def peak(run: Run) -> float:
    """MiB that a run needs at most, in a process of its own."""
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run()
        sender.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    needed: float = receiver.recv()
    process.join()
    return needed


def measure(case: Case, repeats: int, *, memory: bool = True) -> JSON:
    """Time both in turns, compare what they computed, print a line and return what it says."""
    entry: JSON = {"peer": case.peer, "pairs": repeats}
    pairs = []
    for _ in range(repeats):
        (ours, mine), (theirs, other) = timed(case.ours), timed(case.theirs)
        pairs.append((ours, theirs))
    entry["ours, s"], entry["theirs, s"] = (
        round(statistics.median(pair[i] for pair in pairs), 3) for i in (0, 1)
    )
    ratios = sorted(b / a for a, b in pairs)
    entry["ratio"] = [round(r, 2) for r in (statistics.median(ratios), ratios[0], ratios[-1])]
    entry["outputs"] = case.compare(mine, other)
    if memory:
        entry["MiB"] = [round(peak(run)) for run in (case.ours, case.theirs)]
    print(f"{case.name}: {json.dumps(entry)}", flush=True)
    return entry


def save(entries: dict[str, JSON], name: str) -> None:
    """Put figures into ``results/<name>.json``, in place of older ones of the same things."""
    path = RESULTS / f"{name}.json"
    known = json.loads(path.read_text()) if path.is_file() else {}
    known["machine"] = environment() | {"malloc": _malloc(), "threads": torch.get_num_threads()}
    today = datetime.now(UTC).date().isoformat()
    known["figures"] = known.get("figures", {}) | {
        what: entry | {"date": today} for what, entry in entries.items()
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(known, indent=1) + "\n")


def _malloc() -> str:
    tuned = sorted(name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_TUNABLES")))
    preloaded = os.environ.get("LD_PRELOAD", "")
    return ", ".join(filter(None, ["default" if not tuned else " ".join(tuned), preloaded]))
