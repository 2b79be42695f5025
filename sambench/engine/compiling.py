"""Says that kernels are compiled, when it happens: a first run takes longer than those after it."""

import contextlib
from collections.abc import Iterator

from sambench.engine.progress import say

COMPILING = "compiling kernels once, about 20 s"


@contextlib.contextmanager
def compiling_announced(*, show: bool) -> Iterator[None]:
    """Say it when kernels are compiled in here, which they are where no cache has them.

    Those that only scoring processes use are compiled there, unheard.
    """
    if not show:
        yield
        return
    from numba.core import event  # not above: a finished run needs no kernel

    class Once(event.Listener):
        """Hears that numba compiles, and says so once."""

        said = False

        def on_start(self, event: object) -> None:
            """Compiling begins."""
            if not self.said:
                self.said = True
                say(COMPILING)

        def on_end(self, event: object) -> None:
            """It is done."""

    with event.install_listener("numba:compile", Once()):
        yield
