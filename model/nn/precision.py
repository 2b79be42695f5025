"""Arithmetic of the networks: exact by default, faster on request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from sambench.errors import UserError, nearest

HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}
PRECISIONS = ("float32", "tf32", *HALF)


def check(device: torch.device, precision: str) -> None:
    """Refuse a device or an arithmetic that is not to be had here.

    Raises:
        UserError: names the remedy.
    """
    if precision not in PRECISIONS:
        raise UserError(f"precision {precision!r} is unknown; {nearest(precision, PRECISIONS)}")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device {device} is not available to PyTorch here; use device cpu.")
    if precision == "tf32" and device.type != "cuda":
        raise UserError(f"precision tf32 needs a CUDA device, not {device}; use float32.")


def halve(network: nn.Module, precision: str) -> None:
    """Keep the weights of products in half precision, if that is the arithmetic.

    Autocast would make the same numbers of them in every call; sums such as LayerNorm keep float32.
    """
    if (half := HALF.get(precision)) is not None:
        for layer in network.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                layer.to(half)


@contextmanager
def arithmetic(device: torch.device | str, precision: str) -> Iterator[None]:
    """Compute without gradients in the given arithmetic; weights stay as they are.

    With bfloat16 and float16, PyTorch's autocast runs matrix products in half precision and keeps
    sums such as LayerNorm and softmax in float32 on a GPU. Process-wide switches are restored.
    """
    before = torch.get_float32_matmul_precision()
    tf32, half = precision == "tf32", HALF.get(precision)
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    try:
        with (
            torch.no_grad(),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=tf32),
            torch.autocast(torch.device(device).type, half, enabled=half is not None),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
