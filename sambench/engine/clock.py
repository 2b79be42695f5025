"""Seconds spent in each step of a run, on the device that spends them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

WAITED_FOR = frozenset({"mps", "xpu"})
"""Accelerators that go on computing when a call has returned, and have no events here."""


class Clock:
    """Seconds spent, by name of the step.

    Args:
        device: on a CUDA GPU its own events are read; another accelerator is waited for.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._mark: Callable[[], Callable[[], float]] = _gpu_mark(device) or _host_mark(device)
        self.seconds: dict[str, float] = {}
        self._running: set[str] = set()

    @contextlib.contextmanager
    def measure(self, step: str) -> Iterator[None]:
        """Add the time that passes to a step; within the same step, only the outermost counts."""
        if step in self._running:
            yield
            return
        self._running.add(step)
        elapsed = self._mark()
        try:
            yield
            self.seconds[step] = self.seconds.get(step, 0.0) + elapsed()
        finally:
            self._running.discard(step)

    def take(self) -> dict[str, float]:
        """What was measured since the last time."""
        seconds, self.seconds = self.seconds, {}
        return seconds


def on_gpu(device: str) -> bool:
    """Whether a device is a GPU that PyTorch can measure, which one of another runtime may not be.

    Args:
        device: cpu, cuda, cuda:1 and so on.
    """
    if not device.startswith("cuda"):
        return False
    import torch

    return torch.cuda.is_available()


def _host_mark(device: str) -> Callable[[], Callable[[], float]]:
    """This machine's clock, read when an accelerator has done what it was given."""
    kind = device.partition(":")[0]

    def now() -> float:
        if kind in WAITED_FOR:
            import torch

            torch.get_device_module(kind).synchronize()
        return time.perf_counter()

    def mark() -> Callable[[], float]:
        start = now()
        return lambda: now() - start

    return mark


def _gpu_mark(device: str) -> Callable[[], Callable[[], float]] | None:
    if not on_gpu(device):
        return None
    import torch

    new_event: Any = torch.cuda.Event

    def mark() -> Callable[[], float]:
        stream = torch.cuda.current_stream(device)
        start = stream.record_event(new_event(enable_timing=True))

        def elapsed() -> float:
            end = stream.record_event(new_event(enable_timing=True))
            end.synchronize()
            return float(start.elapsed_time(end)) / 1000

        return elapsed

    return mark
