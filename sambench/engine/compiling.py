"""Says that kernels are compiled, when it happens: a first run takes longer than those after it."""

import contextlib
from collections.abc import Iterator

from numba.core import event

from sambench.engine.progress import say

COMPILING = "compiling kernels once, about 20 s"


class _Once(event.Listener):
    """Hears that numba compiles, and says so once."""

    def __init__(self) -> None:
        self._said = False

    def on_start(self, event: object) -> None:
        """Compiling begins."""
        if not self._said:
            self._said = True
            say(COMPILING)

    def on_end(self, event: object) -> None:
        """It is done."""


@contextlib.contextmanager
def compiling_announced(*, show: bool) -> Iterator[None]:
    """Say it when kernels are compiled in here, which they are where no cache has them.

    Those that only scoring processes use are compiled there, unheard.
    """
    if not show:
        yield
        return
    with event.install_listener("numba:compile", _Once()):
        yield
