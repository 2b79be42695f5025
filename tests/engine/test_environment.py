"""Where a number was measured."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from sambench.engine.environment import environment, peak_memory


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
    # Of a process that was forked from a larger one, the kernel keeps the larger peak here.
    assert found >= before
    assert found % 1024 == 0
    models = {
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    }
    assert not models or environment()["cpu"] in models
