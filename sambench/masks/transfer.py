"""Arrays to a device and back, so that the host waits as seldom as can be."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(values: Any, device: torch.device | str) -> Tensor:
    """An array or a tensor on a device; a GPU fetches it while the host goes on.

    Args:
        values: array, or tensor on any device.
        device: where it is wanted.
    """
    tensor = torch.as_tensor(values)
    if tensor.device.type == "cpu":
        return pinned(tensor, device).to(device, non_blocking=True)
    return tensor.to(device)


def pinned(tensor: Tensor, device: torch.device | str) -> Tensor:
    """A tensor on the host where a CUDA device can fetch it, without the host, later."""
    return tensor.pin_memory() if torch.device(device).type == "cuda" else tensor


def download(*tensors: Tensor) -> list[NDArray[Any]]:
    """Tensors of one device as arrays, in one copy for which the host waits once."""
    parts = []
    for tensor in tensors:
        flat = tensor.reshape(-1).contiguous().view(torch.uint8)
        parts += [flat, flat.new_zeros(-len(flat) % 8)]  # each begins where any number may
    host: NDArray[Any] = torch.cat(parts).cpu().numpy()
    found, start = [], 0
    for tensor, flat in zip(tensors, parts[::2], strict=True):
        values = host[start : start + len(flat)].view(_DTYPES[tensor.dtype])
        found.append(values.reshape(tuple(tensor.shape)))
        start += -(-len(flat) // 8) * 8
    return found


_DTYPES: dict[torch.dtype, type[np.generic]] = {
    torch.bool: np.bool_,
    torch.uint8: np.uint8,
    torch.float32: np.float32,
    torch.int64: np.int64,
}
