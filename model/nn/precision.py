"""Devices and the arithmetic of the networks on them: exact by default, faster on request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

import torch
from torch import nn

from sambench.errors import UserError, nearest

HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}
PRECISIONS = ("float32", "tf32", *HALF)
DEVICES = ("cpu", "cuda", "mps", "xpu")
SWITCHES = (
    ("generic", "all"), ("cuda", "all"), ("mkldnn", "all"),
    ("cuda", "matmul"), ("cuda", "conv"), ("cuda", "rnn"),
    ("mkldnn", "matmul"), ("mkldnn", "conv"), ("mkldnn", "rnn"),
) if hasattr(torch._C, "_get_fp32_precision_getter") else ()  # fmt: skip
"""Switches of float32 arithmetic, parents first: one at "none" follows its parent (PyTorch 2.9).

`torch.backends` shows the same, but sets that of mkldnn for all.
"""


def check(device: torch.device, precision: str) -> None:
    """Refuse a device or an arithmetic that is not to be had here.

    Raises:
        UserError: names the remedy.
    """
    if precision not in PRECISIONS:
        raise UserError(f"precision {precision!r} is unknown; {nearest(precision, PRECISIONS)}")
    kind, index = device.type, device.index or 0
    if kind not in DEVICES:
        raise UserError(f"models do not compute on device {device}; give --device cpu or cuda.")
    last = torch.get_device_module(kind).device_count() - 1
    if last < 0:
        raise UserError(f"device {kind} is not available to PyTorch here; give --device cpu.")
    if index > last:
        seen = f"{kind}:0 to {kind}:{last}" if last else f"{kind} alone"
        remedy = "one of them" if last else f"--device {kind}"
        raise UserError(f"there is no device {device}: PyTorch sees {seen} here; give {remedy}.")
    if precision == "tf32" and kind != "cuda":
        raise UserError(f"precision tf32 needs a CUDA device, not {device}; use float32.")


def halve(network: nn.Module, precision: str) -> None:
    """Keep the weights of products in half precision, if that is the arithmetic.

    Autocast would make the same numbers of them in every call; sums such as LayerNorm keep float32.
    """
    if (half := HALF.get(precision)) is not None:
        for layer in network.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                layer.to(half)


def widest(device: torch.device | str) -> torch.dtype:
    """float64 where a device has it for certain, float32 elsewhere: Apple's GPUs have none."""
    return torch.float64 if torch.device(device).type in {"cpu", "cuda"} else torch.float32


@contextmanager
def arithmetic(device: torch.device | str, precision: str) -> Iterator[None]:
    """Compute without gradients in the given arithmetic; weights stay as they are.

    With bfloat16 and float16, PyTorch's autocast runs matrix products in half precision and keeps
    sums such as LayerNorm and softmax in float32 on a GPU. Process-wide switches are restored.

    Raises:
        RuntimeError: another thread computes in here with the other setting of TF32.
    """
    half = HALF.get(precision)
    with (
        _PROCESS.float32(tf32=precision == "tf32"),
        torch.no_grad(),
        torch.autocast(torch.device(device).type, half, enabled=half is not None),
    ):
        yield


class _Process:
    """Switches that hold for all threads: the first one in sets them, the last one out restores."""

    def __init__(self) -> None:
        self._lock, self._inside, self._tf32 = Lock(), 0, False
        self._restore = ExitStack()

    @contextmanager
    def float32(self, *, tf32: bool) -> Iterator[None]:
        """Float32 as it is, or TF32, while any thread is in here."""
        with self._lock:
            if not self._inside:
                with ExitStack() as stack:
                    stack.enter_context(_float32(tf32=tf32))
                    stack.enter_context(torch.backends.cudnn.flags(enabled=True, allow_tf32=tf32))
                    self._restore, self._tf32 = stack.pop_all(), tf32
            elif tf32 != self._tf32:
                raise RuntimeError(
                    "models with and without precision tf32 cannot compute at the same time in one "
                    "process; run one after the other."
                )
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._restore.close()


_PROCESS = _Process()


@contextmanager
def _float32(*, tf32: bool) -> Iterator[None]:
    """Set PyTorch's switches of float32 arithmetic, current and older ones alike; restore both.

    PyTorch refuses to read an older flag where the current switches contradict it, and what
    torch.compile does reads older flags: within, and while they are read here, the two agree.
    """
    own = {}
    for switch in SWITCHES:  # once its parents are at "none", a switch says what is its own
        own[switch] = torch._C._get_fp32_precision_getter(*switch)
        torch._C._set_fp32_precision_setter(*switch, "none")
    matmul = torch.get_float32_matmul_precision()
    conv = _older_conv()
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = conv
        for switch, value in own.items():
            torch._C._set_fp32_precision_setter(*switch, value)


def _older_conv() -> bool:
    """The older flag of convolutions, which PyTorch shows only where the current ones agree."""
    for switch in {("cuda", "conv"), ("cuda", "rnn")}.intersection(SWITCHES):
        torch._C._set_fp32_precision_setter(*switch, "tf32")
    try:
        return torch.backends.cudnn.allow_tf32
    except RuntimeError:
        return False
