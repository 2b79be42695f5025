"""Where a number was measured: hardware, versions, peak memory."""

import os
import platform
import resource
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sambench.engine.clock import on_gpu
from sambench.interfaces import JSON

PACKAGES = ("torch", "numpy", "scipy", "pycocotools", "scikit-image", "numba")


def environment(device: str = "cpu") -> JSON:
    """Hardware and versions of this process."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "device": _device_name(device),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def peak_memory(device: str = "cpu", workers: int = 0) -> JSON:
    """Peak memory in bytes: of this process, of its scoring processes, and of the GPU's two kinds.

    Args:
        device: whose memory counts.
        workers: of the largest scoring process, as it says itself (`peak_rss`); 0 without any.
    """
    peak: JSON = {"host_rss": peak_rss(), "worker_rss": workers}
    if on_gpu(device):
        torch = _torch()
        peak["gpu_allocated"] = torch.cuda.max_memory_allocated(device)
        peak["gpu_reserved"] = torch.cuda.max_memory_reserved(device)
    return peak


def peak_rss() -> int:
    """Peak memory of this process in bytes, since its program began.

    getrusage knows what a process used before that, too: as much as the one that it was forked from
    then held. Linux has a count without it.
    """
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak(device: str) -> None:
    """Reset the GPU's peak memory; that of a process cannot be reset."""
    if on_gpu(device):
        _torch().cuda.reset_peak_memory_stats(device)


@dataclass
class Session:
    """What is to be noted of a session in this process.

    Attributes:
        device: of the model.
        worker_peak: bytes of memory of the largest scoring process.
    """

    device: str
    worker_peak: int = 0

    def cost(self) -> JSON:
        """Peak memory, hardware, versions."""
        memory = peak_memory(self.device, self.worker_peak)
        return {"memory": memory, "environment": environment(self.device)}


def _torch() -> Any:
    import torch

    return torch


@cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _device_name(device: str) -> str:
    return str(_torch().cuda.get_device_name(device)) if on_gpu(device) else device


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
