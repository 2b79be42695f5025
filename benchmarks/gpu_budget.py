"""What SAM's parts cost on a GPU by arithmetic alone: operations, bytes, launches.

Tensors of the device meta have shapes and no numbers, so that this runs anywhere, in a second. A
part takes at least the sum, over its kernels, of the longer of computing and moving bytes; a kernel
counts as one operator with its inputs and outputs. Rates are an NVIDIA H200's: matrix products as
measured on such cards (half precision 790 TFLOP/s, memory 4.3 TB/s), float32 and tf32 by its data
sheet's proportions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from sambench.interfaces import JSON

RATES = {"float32": 60e12, "tf32": 390e12, "bfloat16": 790e12, "float16": 790e12}
"""Floating-point operations a second, a multiplication and an addition being two."""
MEMORY = 4.3e12
"""Bytes a second, read or written."""
FREE = ("empty", "view", "reshape", "expand", "permute", "transpose", "detach", "alias", "slice",
        "select", "unsqueeze", "squeeze", "split", "unbind", "unflatten", "t.default")  # fmt: skip
"""Operators that only look at the same memory in another way, by what their names begin with."""


@dataclass
class Cost:
    """What kernels cost so far."""

    flops: float = 0.0
    bytes: float = 0.0
    launches: int = 0
    seconds: float = 0.0

    def add(self, flops: float, moved: float, rate: float) -> None:
        """Count a kernel."""
        self.flops += flops
        self.bytes += moved
        self.launches += 1
        self.seconds += max(flops / rate, moved / MEMORY)

    def entry(self) -> JSON:
        """In the units of the table."""
        return {
            "GFLOP": round(self.flops / 1e9, 1),
            "GB": round(self.bytes / 1e9, 2),
            "launches": self.launches,
            "ms": round(1000 * self.seconds, 2),
        }


@dataclass
class Tally:
    """Counts kernels while something runs on tensors without numbers.

    Attributes:
        rate: floating-point operations a second.
        cost: so far.
    """

    rate: float
    cost: Cost = field(default_factory=Cost)

    def of(self, run: Callable[[], Any]) -> Cost:
        """What a run costs."""
        with torch.no_grad(), _Attention(self), _Operators(self):
            run()
        return self.cost


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts each operator that is not just another view."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tally = tally

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        name = str(func).removeprefix("aten.").lstrip("_")
        if not name.startswith(FREE):
            flops = flop_registry.get(func.overloadpacket)
            count = flops(*args, **(kwargs or {}), out_val=found) if flops else 0
            self._tally.cost.add(count, _size((args, kwargs)) + _size(found), self._tally.rate)
        return found


class _Attention(TorchFunctionMode):
    """Counts attention as the one kernel that it is on a GPU, whose scores are never stored."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        q, k, v = args[:3]
        out = torch.empty(*q.shape[:-1], v.shape[-1], dtype=q.dtype, device=q.device)
        flops = 2 * q.numel() * k.shape[-2] + 2 * out.numel() * k.shape[-2]
        self._tally.cost.add(flops, _size((args, kwargs)) + _size(out), self._tally.rate)
        return out


def _size(values: Any) -> int:
    """Bytes of all tensors."""
    tensors = (value for value in tree_leaves(values) if isinstance(value, Tensor))
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
