"""Where a number was measured: hardware, versions, peak memory."""

import os
import platform
import resource
import sys
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


def peak_memory(device: str = "cpu") -> JSON:
    """Peak memory in bytes: of this process, of its largest child, and of the GPU's two kinds."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak: JSON = {
        "host_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        "worker_rss": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit,
    }
    if on_gpu(device):
        torch = _torch()
        peak["gpu_allocated"] = torch.cuda.max_memory_allocated(device)
        peak["gpu_reserved"] = torch.cuda.max_memory_reserved(device)
    return peak


def forget_peak(device: str) -> None:
    """Reset the GPU's peak memory; that of a process cannot be reset."""
    if on_gpu(device):
        _torch().cuda.reset_peak_memory_stats(device)


def _torch() -> Any:
    import torch

    return torch


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
