"""Does memory grow with the length of a run? A long run on rendered scenes, its memory sampled.

    OMP_NUM_THREADS=1 python benchmarks/memory.py --images 10000

The model answers each point with three discs, so that the run is long and cheap; the task, the
pipeline, the records and the processes that score are those of any run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sambench.engine.evaluation import Local
from sambench.engine.settings import Settings
from sambench.interfaces import Masks, Model, ModelCard, Prompts
from sambench.registry import load

RADII = (5, 9, 14)


class Discs(Model):
    """Three discs around each point."""

    prompts = frozenset({"points"})

    def __init__(self) -> None:
        self.card = ModelCard(name="discs")

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[int, int]]:
        """The size of each image."""
        return [(image.shape[0], image.shape[1]) for image in images]

    def predict(self, embedding: tuple[int, int], prompts: Prompts, *, multimask: bool) -> Masks:
        """Logits fall by one a pixel."""
        assert prompts.points is not None
        y, x = np.mgrid[: embedding[0], : embedding[1]]
        across = x - prompts.points[:, 0, 0, None, None]
        down = y - prompts.points[:, 0, 1, None, None]
        distance = np.hypot(across, down)
        radii = RADII if multimask else RADII[:1]
        logits = torch.tensor(np.stack([radius - distance for radius in radii], axis=1)).float()
        return Masks(logits, torch.zeros(logits.shape[:2]), embedding, _same)


def _same(logits: torch.Tensor) -> torch.Tensor:
    return logits


def resident(pid: str = "self") -> int:
    """Resident memory of a process, bytes."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0
    found = [line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")]
    return int(found[0]) * 1024 if found else 0


class Sampler(threading.Thread):
    """Notes memory, of this process and of its children, against images done."""

    def __init__(self, records: Path, seconds: float) -> None:
        super().__init__(daemon=True)
        self.records, self.seconds = records, seconds
        self.rows: list[tuple[int, int, int]] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Sample until it is over."""
        while not self.over.wait(self.seconds):
            found = [*self.records.rglob("*.records.jsonl")]
            done = sum(path.read_bytes().count(b"\n") for path in found)
            children = Path("/proc/self/task/self/children")
            own = [*Path("/proc/self/task").glob("*/children")]
            pids = {pid for path in own or [children] for pid in path.read_text().split()}
            self.rows.append((done, resident(), sum(resident(pid) for pid in pids)))


def growth(rows: Sequence[tuple[Any, ...]], column: int) -> float:
    """Bytes an image over the later three quarters of a run, by least squares."""
    late = np.array([row for row in rows if row[0] >= rows[-1][0] / 4], dtype=float)
    return float(np.polyfit(late[:, 0], late[:, column], 1)[0])


def main(words: Sequence[str] | None = None) -> int:
    """Run and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args(words)
    size = "width=64,height=64,objects=4"
    dataset = load("dataset", f"scenes:images={given.images},{size}")
    with tempfile.TemporaryDirectory() as folder:
        sampler = Sampler(Path(folder), seconds=2.0)
        sampler.start()
        start = time.monotonic()
        settings = Settings(Path(folder), workers=given.workers)
        Local(Discs()).carry_out({"points": load("task", "points")}, dataset, settings)
        seconds = time.monotonic() - start
        sampler.over.set()
        sampler.join()
    rows = sampler.rows
    print("images  this process MB  its workers MB")
    for row in rows[:: max(1, len(rows) // 12)]:
        print(f"{row[0]:6d}  {row[1] / 1e6:15.1f}  {row[2] / 1e6:14.1f}")
    own, workers = growth(rows, 1), growth(rows, 2)
    print(
        f"{given.images} images in {seconds:.0f} s; growth {own:.0f} and {workers:.0f} bytes/image"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
