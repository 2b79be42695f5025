"""Where a number was measured."""

import os
import platform
from importlib.metadata import version

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
