"""Seconds spent in each step of a run, on the device that spends them.

On a GPU a step ends when its work does, which is later than the host hands it over: the events that
tell are read when somebody wants to know, and nothing waits for them before.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

WAITED_FOR = frozenset({"mps", "xpu"})
"""Accelerators that go on computing when a call has returned, and have no events here."""

Read = Callable[[], float]
"""Gives the seconds of a step that is over; on a GPU it waits until it is."""
Stop = Callable[[], Read]
"""Ends a step."""
Seconds = Callable[[], dict[str, float]]
"""Gives the seconds of steps by name; on a GPU it waits until they are over."""


class Clock:
    """Seconds spent, by name of the step.

    Args:
        device: on a CUDA GPU its own events are read; another accelerator is waited for.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._mark: Callable[[], Stop] = _gpu_mark(device) or _host_mark(device)
        self._steps: list[tuple[str, Read]] = []
        self._running: set[str] = set()

    @contextlib.contextmanager
    def measure(self, step: str) -> Iterator[None]:
        """Add the time that passes to a step; within the same step, only the outermost counts."""
        if step in self._running:
            yield
            return
        self._running.add(step)
        stop = self._mark()
        try:
            yield
            self._steps.append((step, stop()))
        finally:
            self._running.discard(step)

    def take(self) -> dict[str, float]:
        """What was measured since the last time."""
        return self.later()()

    def later(self) -> Seconds:
        """As `take`, to be read later."""
        steps, self._steps = self._steps, []
        return lambda: _summed(steps)


def on_gpu(device: str) -> bool:
    """Whether a device is a GPU that PyTorch can measure, which one of another runtime may not be.

    Args:
        device: cpu, cuda, cuda:1 and so on.
    """
    if not device.startswith("cuda"):
        return False
    import torch

    return torch.cuda.is_available()


def _summed(steps: list[tuple[str, Read]]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for step, read in steps:
        seconds[step] = seconds.get(step, 0.0) + read()
    return seconds


def _host_mark(device: str) -> Callable[[], Stop]:
    """This machine's clock, read when an accelerator has done what it was given."""
    kind = device.partition(":")[0]

    def now() -> float:
        if kind in WAITED_FOR:
            import torch

            torch.get_device_module(kind).synchronize()
        return time.perf_counter()

    def mark() -> Stop:
        start = now()

        def stop() -> Read:
            seconds = now() - start
            return lambda: seconds

        return stop

    return mark


def _gpu_mark(device: str) -> Callable[[], Stop] | None:
    if not on_gpu(device):
        return None
    import torch

    new_event: Any = torch.cuda.Event

    def mark() -> Stop:
        stream = torch.cuda.current_stream(device)
        start = stream.record_event(new_event(enable_timing=True))

        def stop() -> Read:
            end = stream.record_event(new_event(enable_timing=True))

            def read() -> float:
                end.synchronize()
                return float(start.elapsed_time(end)) / 1000

            return read

        return stop

    return mark
