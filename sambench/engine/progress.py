"""How far a run is, on stderr: a bar where a line can be redrawn, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO

EVERY_SECONDS, EVERY_PART = 10.0, 0.1
"""A line is due after so many seconds, or that part of all images but a second at least."""


def say(text: str, *, quiet: bool = False) -> None:
    """Say what is being done, on stderr, unless it is to be quiet."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)  # noqa: T201  # stderr is for this


def redraws(stream: TextIO) -> bool:
    """Whether a line can be drawn again: on a terminal, and in a notebook."""
    return stream.isatty() or type(stream).__module__.startswith("ipykernel.")


class Progress:
    """Counts images and says when the rest will be done.

    The first image is left out of the speed: it has the warm-up in it. Under a second there is no
    speed: images that were in hand together come out together.

    Args:
        total: number of images.
        done: how many an earlier run has done; they do not count for the speed.
        show: whether to show anything.
        unit: what is counted.
        clock: gives seconds.
    """

    def __init__(
        self,
        total: int,
        done: int,
        *,
        show: bool = True,
        unit: str = "image",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unit, self._clock = unit, clock
        self._total, self._before, self._done, self._failed = total, done, done, 0
        self._warm = self._said = clock()
        self._said_at = done
        self._lines = show and not redraws(sys.stderr)
        self._bar = self._new_bar() if show and not self._lines else None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, *, failed: bool = False) -> None:
        """Count one more image."""
        self._done += 1
        self._failed += failed
        if self._done == self._before + 1:
            self._warm = self._clock()
        if self._bar is not None:
            self._bar.set_description_str(self.line(), refresh=False)
            self._bar.update()
        elif self._lines and self._due():
            self._said, self._said_at = self._clock(), self._done
            say(self.line())

    def line(self) -> str:
        """``120/1000 images, 3.20 images/s, 4 min 35 s left, 2 failed``."""
        parts = [f"{self._done}/{self._total} {self._unit}s"]
        spent = self._clock() - self._warm
        timed = self._done - self._before - 1
        if timed > 0 and spent >= 1:
            parts.append(f"{timed / spent:.2f} {self._unit}s/s")
            if self._done < self._total:
                parts.append(f"{duration((self._total - self._done) * spent / timed)} left")
        if self._failed:
            parts.append(f"{self._failed} failed")
        return ", ".join(parts)

    def _due(self) -> bool:
        part = (self._done - self._said_at) / max(1, self._total)
        waited = self._clock() - self._said
        due = waited >= EVERY_SECONDS or (part >= EVERY_PART and waited >= 1)
        return due or self._done in {self._before + 1, self._total}

    def _new_bar(self) -> Any:
        from tqdm import tqdm

        bar = tqdm(
            total=self._total, initial=self._before, file=sys.stderr, dynamic_ncols=True,
            bar_format="{percentage:3.0f}%|{bar:20}| {desc}",
        )  # fmt: skip
        bar.set_description_str(self.line())
        return bar


def duration(seconds: float) -> str:
    """Seconds as two units that a person reads: ``4 min 35 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    parts = {"d": whole // 86400, "h": whole // 3600 % 24, "min": whole // 60 % 60, "s": whole % 60}
    units = list(parts)
    first = next((i for i, unit in enumerate(units) if parts[unit]), 3)
    return " ".join(f"{parts[unit]} {unit}" for unit in units[first : first + 2])
