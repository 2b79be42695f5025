"""How far a run is, on stderr: a bar on a terminal, now and then a line in a log file."""

import sys
import time
from types import TracebackType
from typing import Any

EVERY_SECONDS, EVERY_PART = 30.0, 0.1
"""A line is due after this many seconds or this part of all images, at least a second apart."""


class Progress:
    """Counts images and says when the rest will be done.

    Args:
        total: number of images.
        done: how many an earlier run has done; they do not count for the speed.
        show: whether to show anything.
        unit: what is counted.
    """

    def __init__(self, total: int, done: int, *, show: bool = True, unit: str = "image") -> None:
        self._unit = unit
        self._total, self._first, self._done, self._failed = total, done, done, 0
        self._start = self._said = time.monotonic()
        self._said_at = done
        self._lines = show and not sys.stderr.isatty()
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
        if self._bar is not None:
            self._bar.set_postfix({"failed": self._failed} if self._failed else {}, refresh=False)
            self._bar.update()
        elif self._lines and self._due():
            self._said, self._said_at = time.monotonic(), self._done
            print(self.line(), file=sys.stderr, flush=True)  # noqa: T201  # stderr is for this

    def line(self) -> str:
        """``120/1000 images, 3.20 images/s, 4 min 35 s left, 2 failed``."""
        spent = time.monotonic() - self._start
        speed = (self._done - self._first) / spent if spent else 0.0
        left = f", {duration((self._total - self._done) / speed)} left" if speed else ""
        failed = f", {self._failed} failed" if self._failed else ""
        unit = f"{self._unit}s"
        return f"{self._done}/{self._total} {unit}, {speed:.2f} {unit}/s{left}{failed}"

    def _due(self) -> bool:
        part = (self._done - self._said_at) / max(1, self._total)
        waited = time.monotonic() - self._said
        due = waited >= EVERY_SECONDS or (part >= EVERY_PART and waited >= 1)
        return due or self._done == self._total

    def _new_bar(self) -> Any:
        from tqdm import tqdm

        return tqdm(total=self._total, initial=self._first, unit=self._unit, file=sys.stderr)


def duration(seconds: float) -> str:
    """Seconds as two units that a person reads: ``4 min 35 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    parts = {"d": whole // 86400, "h": whole // 3600 % 24, "min": whole // 60 % 60, "s": whole % 60}
    units = list(parts)
    first = next((i for i, unit in enumerate(units) if parts[unit]), 3)
    return " ".join(f"{parts[unit]} {unit}" for unit in units[first : first + 2])
