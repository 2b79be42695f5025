"""Compile kernels with numba, typed and cached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

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


def _jit(function: Kernel, options: dict[str, Any]) -> Kernel:
    try:
        return cast(Kernel, numba.njit(cache=True, **options)(function))
    except RuntimeError:  # numba found no directory to write its cache to
        return cast(Kernel, numba.njit(**options)(function))
