"""Kernels are compiled once a machine, before the first run if one likes."""

import os
import subprocess
import sys

from sambench.cli import main
from sambench.engine.compiling import COMPILING

PICTURE = """
import numpy as np
from sambench.metrics.edges.boundaries import edge_counts
from sambench.metrics.edges import _counting, _pairs, _thinning
edge_counts(np.random.default_rng(0).random((9, 11)), [np.eye(9, 11), np.eye(9, 11)])
for kernel in (_counting.walk, _pairs._pairs, _thinning._events):
    print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""


def test_after_the_warm_up_nothing_is_compiled(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def python(*words):
        done = subprocess.run(
            [sys.executable, *words], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout + done.stderr

    assert COMPILING in python("-m", "sambench", "warm-up")
    assert COMPILING not in python("-m", "sambench", "warm-up")
    assert python("-c", PICTURE).splitlines() == ["1 0"] * 3
    kept = {path.name for path in tmp_path.glob("edges_*/*.nbc")}
    assert any(name.startswith("_assignment.search-") for name in kept)  # by a process beside
    assert {name.split(".")[-2] for name in kept} == {"1"}  # each kernel for one set of types


def test_it_takes_nothing(capsys):
    assert main(["warm-up", "now"]) == 2
    assert "now" in capsys.readouterr().err
