"""Compile a kernel with numba, typed and cached."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """Compile on first call; kept on disk, or only in memory where nothing can be written."""
    try:
        return cast(Kernel, numba.njit(cache=True)(function))
    except RuntimeError:  # numba found no directory to write its cache to
        return cast(Kernel, numba.njit(function))


def inlined(function: Kernel) -> Kernel:
    """Compile into each caller: for the inner part of a loop over tuples of many arrays."""
    return cast(Kernel, numba.njit(inline="always")(function))
