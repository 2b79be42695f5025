"""Python's search for garbage, while much is read that is none."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_search_for_garbage() -> Iterator[None]:
    """Leave circles of objects where they are; all that is in none is freed as ever.

    The search walks over all values of all records again and again as they become more: that is
    half the time of reading and of testing many runs.
    """
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()
