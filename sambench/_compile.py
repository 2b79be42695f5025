"""Compile kernels with numba, typed and cached."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache

log = logging.getLogger(__name__)
Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """Compile on first call; kept on disk, or only in memory where nothing can be written."""
    return _jit(function, {"no_cfunc_wrapper": True, "nogil": True})


def inner(function: Kernel) -> Kernel:
    """Compile a part that only compiled functions call: no bridge from Python, half the time.

    It neither makes nor returns arrays: no references to them are counted, half the time again.
    """
    return _jit(function, {"no_cfunc_wrapper": True, "no_cpython_wrapper": True, "_nrt": False})


def inner_with_arrays(function: Kernel) -> Kernel:
    """Compile a part that makes or returns arrays, see `inner`."""
    return _jit(function, {"no_cfunc_wrapper": True, "no_cpython_wrapper": True})


def compiled_beside(kernel: Any, module: str, functions: Sequence[str]) -> None:
    """Have other processes compile what a kernel calls, unless the kernel is kept already.

    They begin at once and are not waited for; whoever needs the same waits, see `_Shared`.

    Args:
        kernel: that was compiled by `compiled`.
        module: with functions that compile parts of it.
        functions: their names; each has a process of its own.
    """
    folder, cores = kernel.stats.cache_path, os.cpu_count() or 1
    if folder is None or cores < 2 or any(Path(folder).glob(f"*.{kernel.__name__}-*.nbi")):
        return
    for function in functions:
        _beside.append(subprocess.Popen(  # noqa: S603 (our own code)
            [sys.executable, "-c", f"from {module} import {function}; {function}()"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ))  # fmt: skip


_beside: list[subprocess.Popen[bytes]] = []  # those begun, so that none is taken for forgotten


class _Shared(FunctionCache):
    """A cache on disk for which one process compiles; others wait for what it keeps."""

    _lock: IO[str] | None = None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What is kept, or None: then this process is to compile it, and others wait."""
        load: Any = super().load_overload  # numba has no types
        found = load(sig, target_context)
        if found is None and self._lock is None:
            self._lock = self._locked()
            found = load(sig, target_context)  # made while this waited
            if found is not None:
                self._release()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled."""
        try:
            save: Any = super().save_overload
            save(sig, data)
        finally:
            self._release()

    def _locked(self) -> IO[str] | None:
        try:
            import fcntl
        except ImportError:  # not on Windows: each process compiles for itself
            return None
        self._impl.locator.ensure_cache_path()
        file = (Path(self.cache_path) / f"{self._impl.filename_base}.lock").open("w")
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        return file

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _jit(function: Kernel, options: dict[str, Any]) -> Kernel:
    kernel = numba.njit(error_model="numpy", **options)(function)
    try:
        shared: Any = _Shared
        kernel._cache = shared(function)
    except RuntimeError:  # numba found no folder to write its cache to
        _say_that_nothing_is_kept()
    return cast(Kernel, kernel)


@cache
def _say_that_nothing_is_kept() -> None:
    if multiprocessing.parent_process() is None:  # the others need not repeat it
        log.warning(
            "kernels are compiled anew in every process, for up to 20 s, because no folder to keep "
            "them in can be written; name one in NUMBA_CACHE_DIR"
        )
