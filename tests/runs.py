"""Runs of a fast model on small scenes."""

import contextlib
import importlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sambench.cli import main
from sambench.registry.files import Neighbours

PARTS = Path(__file__).parent / "parts"
HANGS = 600
"""Seconds after which a process hangs: no machine is that slow."""


@dataclass
class Runner:
    """Starts `sambench run` on the parts of these tests, and reads what it leaves."""

    output: Path
    model: dict = field(default_factory=dict)
    task: dict = field(default_factory=dict)
    dataset: dict = field(default_factory=dict)

    def words(self, *more):
        specs = {"model": "mean", "task": "brightness", "dataset": "faulty"}
        chosen = [
            f"--{kind}={PARTS / name}.py:" + ",".join(f"{k}={v}" for k, v in options.items())
            for (kind, name), options in zip(
                specs.items(), (self.model, self.task, self.dataset), strict=True
            )
        ]
        rest = ["--device=cpu", f"--output={self.output}", "--resamples=20", *map(str, more)]
        if not any(str(word).startswith("--workers") for word in more):
            rest.append("--workers=0")
        return ["run", *chosen, *rest]

    def run(self, *more, code=0):
        assert main(self.words(*more)) == code

    def start(self, *more, prepare=lambda: None, **options):
        """The same in a process of its own, which heeds signals even where these tests do not.

        A shell has what it starts in the background ignore Ctrl-C, and that is inherited.
        """
        command = [sys.executable, "-m", "sambench", *self.words(*more)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

        def heed():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            prepare()

        return subprocess.Popen(command, preexec_fn=heed, **pipes, **options)

    def file(self, ending):
        (found,) = [*self.output.rglob(f"mean{ending}"), *self.output.rglob(f"mean-*{ending}")]
        return found

    @property
    def records(self):
        """All records by id, without what is measured."""
        return records_in(self.file(".records.jsonl"))

    @property
    def result(self):
        return json.loads(self.file(".json").read_text())

    @property
    def scores(self):
        """All that a run must reproduce to the byte."""
        kept = ("metrics", "images", "failed", "protocol", "complete")
        return json.dumps([self.records, {key: self.result[key] for key in kept}], sort_keys=True)

    def wait_for(self, process, count):
        """Wait until a process has written so many lines."""
        until = time.monotonic() + HANGS
        while time.monotonic() < until:
            found = [*self.output.rglob("*.records.jsonl")]
            if sum(path.read_bytes().count(b"\n") for path in found) >= count:
                return
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        raise AssertionError("nothing is written")


def records_in(path):
    lines = [json.loads(line) for line in path.read_bytes().splitlines()[1:]]
    return {
        line["id"]: {"image": line["image"], "record": line["record"]}
        for line in lines
        if "id" in line and "failed" not in line
    }


def manifest_of(model):
    """What lies beside the predictions of `records_text`."""
    made = {"model": {}, "dataset": {}, "code": ""}
    about = {"task": "points", "label": model, "options": {}, "model": {}}
    return json.dumps({**about, "predictions": made})


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path / "out")


@pytest.fixture
def plain(tmp_path):
    """A run that nothing disturbed."""
    runner = Runner(tmp_path / "plain")
    runner.run()
    return runner


@contextlib.contextmanager
def _process() -> Iterator[None]:
    """Plug-ins are imported as in a process of its own, and leave nothing behind."""
    before = set(sys.modules)
    importlib.invalidate_caches()
    with pytest.MonkeyPatch.context() as patch:
        others = [each for each in sys.meta_path if not isinstance(each, Neighbours)]
        patch.setattr(sys, "meta_path", others)
        patch.setattr(sys, "path", list(sys.path))
        yield
    for name in sys.modules.keys() - before:
        del sys.modules[name]


@pytest.fixture
def process():
    """Makes a block import plug-ins as a process of its own would."""
    return _process


@pytest.fixture
def alone():
    with _process():
        yield
