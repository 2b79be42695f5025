"""Kernels: one process compiles while others wait; where nothing can be kept, it is said once."""

import subprocess
from pathlib import Path

import numba
import pytest

from sambench import _compile


def twice(value):
    return 2 * value


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def locks(monkeypatch):
    """The locks that were taken."""
    fcntl = pytest.importorskip("fcntl")
    taken = []
    monkeypatch.setattr(fcntl, "flock", lambda file, kind: taken.append((file, kind)))
    return taken


def test_who_compiles_holds_a_lock_until_it_is_kept(folder, locks):
    assert _compile.compiled(twice)(3) == 6
    [(file, _)] = locks
    assert Path(file.name).parent.parent == folder
    assert file.closed
    again = _compile.compiled(twice)
    assert again(3) == 6
    assert sum(again.stats.cache_hits.values()) == len(locks) == 1


def test_who_waited_takes_what_the_other_has_kept(folder, locks, monkeypatch):
    waiting = _compile.compiled(twice)

    def wait(self):
        assert _compile.compiled(twice)(3) == 6  # the other one is done when the lock is had

    own = _compile._Shared._locked
    monkeypatch.setattr(
        _compile._Shared, "_locked",
        lambda self: wait(self) if self is waiting._cache else own(self),
    )  # fmt: skip
    assert waiting(3) == 6
    assert (sum(waiting.stats.cache_hits.values()), waiting.stats.cache_misses) == (1, {})


def test_a_part_is_compiled_beside_only_if_the_whole_is_not_kept(folder, monkeypatch):
    begun = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: begun.append(command[-1]))
    monkeypatch.setattr(_compile.os, "cpu_count", lambda: 2)
    kernel = _compile.compiled(twice)
    _compile.compiled_beside(kernel, "a.b", ["c"])
    assert begun == ["from a.b import c; c()"]
    kernel(3)
    _compile.compiled_beside(kernel, "a.b", ["c"])
    monkeypatch.setattr(_compile.os, "cpu_count", lambda: 1)
    _compile.compiled_beside(_compile.compiled(lambda value: value), "a.b", ["c"])
    assert len(begun) == 1


def test_where_nothing_can_be_kept_it_is_said_once(monkeypatch, caplog):
    def refuse(self, function):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(_compile._Shared, "__init__", refuse)
    _compile._say_that_nothing_is_kept.cache_clear()
    kernels = [_compile.compiled(twice), _compile.compiled(twice)]
    assert [kernel(3) for kernel in kernels] == [6, 6]
    assert [record.message.count("NUMBA_CACHE_DIR") for record in caplog.records] == [1]
    _compile.compiled_beside(kernels[0], "a.b", ["c"])  # of no use: nobody could take what it made
