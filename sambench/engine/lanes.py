"""Images side by side, each in a thread of its own that computes every operation alone.

PyTorch shares out each operation among threads instead. On a busy machine these wait for one
another at thousands of small operations, which costs a multiple of the time; and their number moves
the last bits of a sum. Images wait for nobody, and their numbers are those of a single thread.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

from sambench.interfaces import Model

MOST = 32
"""Images at a time, which bounds their memory."""
THREADS = "OMP_NUM_THREADS"


def lanes_for(model: Model) -> int:
    """How many images a model computes at a time: one for each core, if it takes several calls.

    Where the user says how many threads an operation has, it is one image after another.
    """
    if not model.concurrent or os.environ.get(THREADS):
        return 1
    return min(MOST, cores())


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Have PyTorch compute operations in the thread that calls them; restored for the process.

    The arithmetic of float32 is left alone: a model that may be called by several threads sees to
    its own, and PyTorch's older flags cannot even be read where a user has set the current ones.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def one_thread_inherited() -> Iterator[None]:
    """Processes started in here compute in one thread: there are as many of them as cores."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = before
