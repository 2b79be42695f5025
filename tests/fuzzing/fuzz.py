"""Mutated real inputs for every format and command: read as meant, or refused in one sentence.

    python tests/fuzzing/fuzz.py --cases 20000

Case i is a function of i alone. A case fails on a traceback, a raw Python error, a crash, a hang,
an exit without a word, a success without a number, or an image that went missing without a word.
Cases run one after another in a process of their own; if that dies, the next goes on behind it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mutations import mutate
from seeds import SEEDS

from sambench.cli import main
from sambench.engine import environment
from sambench.registry import finding

SECONDS, WAIT = 60, 600
"""CPU seconds, and seconds of waiting, after which a case hangs: most take a twentieth of a second,
but the first to need a kernel compiles it, and other programs may hold the machine."""
MEMORY = 6 << 30
RAW = re.compile(
    r"Traceback|\b(?:Key|Type|Value|Index|Attribute|Assertion|ZeroDivision|Overflow|Recursion|Runtime"
    r"|UnicodeDecode|UnicodeEncode|Memory|NotImplemented|JSONDecode|Name|Import|EOF)Error\b"
    r"|struct\.error|<class '"
)


class Hang(BaseException):
    """Raised in a case that takes too long; no `except Exception` may take it for an image's."""


def judge(code: Any, out: str, err: str, words: Sequence[str]) -> str:
    """What is wrong with how a case ended, "" if nothing."""
    if found := RAW.search(err):
        return f"raw error: {found.group()}"
    if code not in (0, 1, 2):
        return f"exit {code!r}"
    if code and not (out.strip() or err.strip()):
        return f"exit {code} without a word"
    if code == 0 and words[0] in {"run", "score"} and "--json" in words:
        return _judge_result(out, words)
    return ""


def _judge_result(out: str, words: Sequence[str]) -> str:
    """What is wrong with the result of a run that succeeded."""
    try:
        found = json.loads(out)
    except ValueError:
        return "" if any(word.startswith("--shard") for word in words) else "no JSON"
    for result in found if isinstance(found, list) else [found]:
        if "metrics" not in result:
            continue
        if result["metrics"][result["metric"]]["value"] is None:
            return "no number, and exit 0"
        scored, _, there = result["protocol"]["dataset"]["images"].partition(" of ")
        narrowed = any(word.startswith(("--limit", "--ids")) for word in words)
        if not narrowed and (scored != there or result["failed"]):
            return f"{scored} of {there} images, and exit 0"
    return ""


def limit(cpu: float, wait: float) -> None:
    """Have a signal come after so much CPU time or waiting, whichever is first; 0 is never."""
    signal.setitimer(signal.ITIMER_PROF, cpu)
    signal.setitimer(signal.ITIMER_REAL, wait)


def attempt(folder: Path, words: list[str]) -> str:
    """Run a command in this process; returns what is wrong with how it ended."""
    out, err = io.StringIO(), io.StringIO()
    code: Any = None
    limit(SECONDS, WAIT)
    try:
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main(words)
    except SystemExit as ended:
        code = ended.code
    except Hang:
        return f"hangs: {SECONDS} s of CPU time or {WAIT} s"
    except BaseException as error:  # noqa: BLE001 (whatever comes out is the finding)
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
    finally:
        limit(0, 0)
    wrong = judge(code, out.getvalue(), err.getvalue(), words)
    said = " ".join(err.getvalue().split())
    return f"{wrong} | {said[-600:]}" if wrong else ""


def read_once() -> None:
    """Read once what a command reads anew and no case changes: our own plug-ins, what is installed.

    It is a third of the time of a small run.
    """
    for module, name in ((finding, "_files"), (finding, "_file_entry"), (environment, "_version")):
        setattr(module, name, cache(getattr(module, name)))


def work(first: int, last: int, seeds: Path, report: Path) -> None:
    """Do cases first ... last - 1, and note each in a file before and after."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def give_up(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGPROF, give_up)
    signal.signal(signal.SIGALRM, give_up)
    with report.open("a", encoding="utf-8", buffering=1) as file:
        for number in range(first, last):
            rng = random.Random(number)  # no secret
            seed = SEEDS[number % len(SEEDS)]
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place) / "case"
                shutil.copytree(seeds / str(SEEDS.index(seed)), folder)
                words, what = mutate(folder, list(rng.choice(seed.commands)), rng)
                told = f"{seed.name}: {what} | {' '.join(words)}"
                file.write(json.dumps({"begin": number, "case": told}) + "\n")
                wrong = attempt(folder, words)
            file.write(json.dumps({"end": number, "case": told, "wrong": wrong}) + "\n")


def write_seeds(folder: Path) -> Iterator[str]:
    """Write all seeds; gives each command that does not succeed on its seed as it is."""
    for index, seed in enumerate(SEEDS):
        place, copy = folder / str(index), folder / "copy"
        place.mkdir()
        seed.write(place)
        for words in seed.commands if seed.whole else ():
            shutil.copytree(place, copy)
            with contextlib.chdir(copy), contextlib.redirect_stdout(io.StringIO()):
                code = main(list(words))
            if code:
                yield f"{seed.name}: {' '.join(words)} ends with {code}"
            shutil.rmtree(copy)


def cases(first: int, last: int, folder: Path) -> Iterator[tuple[int, str, str]]:
    """Number, description and fault of each case, a crash of the process among the faults."""
    report = folder / f"report-{first}.jsonl"
    while first < last:
        report.unlink(missing_ok=True)
        words = [str(first), str(last), str(folder), str(report)]
        done = subprocess.run(  # this file
            [sys.executable, __file__, "--work", *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        told = ""
        for line in report.read_text(encoding="utf-8").splitlines() if report.is_file() else []:
            entry = json.loads(line)
            told = entry["case"]
            if "end" in entry:
                yield entry["end"], told, entry["wrong"]
                first = entry["end"] + 1
        if done.returncode and first < last:
            yield first, told, f"the process ended with {done.returncode}: {done.stderr[-400:]}"
            first += 1


def run() -> int:
    """Run cases; 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    read_once()
    if given.work:
        first, last, seeds, report = given.work
        work(int(first), int(last), Path(seeds), Path(report))
        return 0
    with tempfile.TemporaryDirectory() as place:
        wrong = list(write_seeds(Path(place)))
        if wrong:
            print("\n".join(wrong))
            return 1
        found = 0
        for number, told, fault in cases(given.first, given.first + given.cases, Path(place)):
            if fault:
                found += 1
                print(f"case {number}: {told}\n    {fault}", flush=True)
    print(f"{given.cases} cases, {found} failed")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(run())
