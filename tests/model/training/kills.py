"""Kill a real training once in every step and compare what it becomes with what nothing disturbed.

    python tests/model/training/kills.py OUTPUT --dataset scenes:images=8 --steps 12 --warmup 2

Options are those of `sambench train`. A process is killed (SIGKILL) at a moment drawn from the time
that a step takes, after a step that no process did before it; then the same command is started. In
the end the folders `killed` and `whole` of OUTPUT must be equal: model and state to the byte, the
log but for seconds.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def command(folder: Path, options: list[str]) -> list[str]:
    """A training that saves each step."""
    own = ["--output", str(folder), "--save-every", "1"]
    return [sys.executable, "-m", "sambench", "train", *own, *options]


def log(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of a log, without seconds."""
    path = folder / "log.jsonl"
    text = path.read_text().split("\n")[:-1] if path.exists() else []
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in text]


def killed_at(folder: Path, options: list[str], step: int, wait: float) -> bool:
    """Train; killed so long after that step was logged, unless the training ends before."""
    process = subprocess.Popen(command(folder, options), stderr=subprocess.DEVNULL)
    while process.poll() is None and len(log(folder)) < step:
        time.sleep(0.005)
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    code = process.wait()
    if code not in (0, -signal.SIGKILL):
        raise SystemExit(f"the training failed with {code}")
    return code != 0


def main(output: Path, options: list[str]) -> int:
    """0 if nothing differs."""
    whole, killed, draw = output / "whole", output / "killed", random.Random(0)
    start = time.monotonic()
    subprocess.run(command(whole, options), check=True)
    wanted = log(whole)
    lines = (whole / "log.jsonl").read_text().splitlines()
    seconds = sum(json.loads(line)["seconds"] for line in lines) / len(lines)
    print(f"{len(wanted)} steps in {time.monotonic() - start:.0f} s undisturbed")  # noqa: T201
    kills = 0
    while killed_at(killed, options, len(log(killed)) + 1, draw.uniform(0, seconds)):
        kills += 1
        print(f"killed {kills} times; the log has {len(log(killed))} lines", flush=True)  # noqa: T201
    names = ("model.safetensors", "state.safetensors")
    unequal = [n for n in names if (whole / n).read_bytes() != (killed / n).read_bytes()]
    unequal += [] if log(killed) == wanted else ["log.jsonl"]
    print(f"{kills} kills; unequal: {unequal or 'nothing'}")  # noqa: T201
    return bool(unequal)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
