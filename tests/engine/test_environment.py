"""Where a number was measured."""

import os
import platform
import resource
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from sambench.engine.environment import environment, peak_memory, peak_rss
from sambench.engine.workers import Scorer, score_image
from sambench.registry import load

from ..runs import PARTS


def test_the_environment_is_this_one():
    found = environment("cpu")
    assert found.keys() == {"cpu", "cores", "device", "python", "platform", "packages"}
    assert (found["device"], found["cores"]) == ("cpu", os.cpu_count())
    assert found["python"] == platform.python_version()
    assert found["platform"] == platform.platform()
    names = {"torch", "numpy", "scipy", "pycocotools", "scikit-image", "numba"}
    assert found["packages"] == {name: version(name) for name in names}
    assert found["cpu"].strip() == found["cpu"] != ""


def test_peak_memory_is_in_bytes_and_grows():
    before = peak_memory()
    assert before.keys() == {"host_rss", "worker_rss"}
    assert 10 * 2**20 < before["host_rss"] < 2**40
    grown = bytearray(before["host_rss"] + 2**25)
    for place in range(0, len(grown), 4096):
        grown[place] = 1
    assert peak_memory()["host_rss"] >= before["host_rss"] + 2**25


def peak_of_the_kernel():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own words are Linux's")
def test_memory_and_processor_are_what_the_kernel_says():
    before = peak_of_the_kernel()
    found = peak_memory()["host_rss"]
    assert before <= found <= peak_of_the_kernel()
    models = {
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    }
    assert not models or environment()["cpu"] in models


def test_without_the_kernels_words_the_systems_count_is_taken(monkeypatch):
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    unit = 1 if sys.platform == "darwin" else 1024
    assert peak_rss() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def grows(size):
    return load("task", f"{PARTS / 'grows.py'}:size={size}")


def test_scoring_processes_tell_their_own_memory_and_not_their_parents():
    held = np.ones(2**26)  # 512 MiB
    assert peak_memory()["host_rss"] > held.nbytes
    for size, least, most in ((8, 2**24, held.nbytes), (2**29, 2**29, 2**30)):
        scores = {}
        scorer = Scorer(2, scores.__setitem__)
        for key in range(3):
            scorer.submit(key, score_image, grows(size), None, None)
        scorer.finish()
        scorer.close(keep=False)
        assert {score.record["sum"] for score in scores.values()} == {size // 8}
        assert least < scorer.peak < most
        assert peak_memory("cpu", scorer.peak)["worker_rss"] == scorer.peak


def test_scores_made_in_this_process_are_no_workers():
    scorer = Scorer(0, {}.__setitem__)
    scorer.submit("a", score_image, grows(8), None, None)
    assert scorer.peak == 0
