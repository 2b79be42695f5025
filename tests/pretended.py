"""A GPU that is pretended: tensors say cuda:0 and are computed on the CPU, with real numbers.

Every operator passes through `PretendedGpu`, which refuses what a GPU would refuse (tensors of two
devices in one operator, `numpy()` of a tensor on the GPU) and counts what makes the host wait for
it. Code for a GPU so runs as written, and its results are compared with those of the CPU. What a
GPU rounds otherwise, how long it takes, and its own kernels are not seen here.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections import Counter
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

GPU, HOST = torch.device("cuda:0"), torch.device("cpu")
aten = torch.ops.aten
SIZED_BY_DATA = {
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.repeat_interleave.Tensor,
}
"""Operators whose result has a size that only the data tell: the host waits for it."""
READS = {aten._local_scalar_dense.default, aten.equal.default}
MOVES = {aten._to_copy.default, aten.copy_.default}
INDEXED = {
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
}


class OnGpu(torch.Tensor):
    """A tensor that says it is on the GPU, and keeps its numbers in `near`, on the CPU."""

    @staticmethod
    def __new__(cls, near):
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            near.shape,
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device=GPU,
        )
        made.near = near
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f"{func} on the pretended GPU after it was left")


class PretendedGpu(TorchDispatchMode):
    """Computes on the CPU what is asked of the GPU.

    Attributes:
        waits: how often the host had to wait for the GPU, by operator.
        launches: how many operators ran on the GPU.
    """

    def __init__(self):
        super().__init__()
        # As FakeTensorMode's: PyTorch then looks for no driver where cuda is named.
        self._mode_key = torch._C._TorchDispatchModeKey.FAKE
        self.waits, self.launches = Counter(), 0
        self._pinned = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is aten.is_pinned.default:
            return id(args[0].untyped_storage()._cdata) in self._pinned
        if func is aten._pin_memory.default:
            copy = args[0].clone()
            self._pinned.add(copy.untyped_storage()._cdata)
            return copy
        tensors = [a for a in tree_leaves((args, kwargs)) if isinstance(a, torch.Tensor)]
        far = [a for a in tensors if isinstance(a, OnGpu)]
        target = _target(func, args, kwargs, far)
        if func in MOVES:
            self._moved(args, kwargs, target)
        elif far:
            self._asked(func, args, far, tensors)
        self.launches += bool(far)
        if kwargs.get("device") is not None:
            kwargs["device"] = HOST
        wrappers = {id(a.near): a for a in far}
        near_args, near_kwargs = tree_map(_near, (args, kwargs))
        found = func(*near_args, **near_kwargs)
        if target != GPU:
            return found
        return tree_map(lambda a: wrappers[id(a)] if id(a) in wrappers else _far(a), found)

    def _moved(self, args, kwargs, target):
        """Note a copy between the host and the GPU, unless it may run behind the host's back."""
        source = args[1] if len(args) > 1 and isinstance(args[1], torch.Tensor) else args[0]
        if (source.device.type == "cuda") == (target == GPU):
            return
        unheld = kwargs.get("non_blocking") or (len(args) > 2 and args[2] is True)
        pinned = source.device.type == "cpu" and source.untyped_storage()._cdata in self._pinned
        if not (unheld and pinned):
            self.waits["to host" if target == HOST else "to GPU"] += 1

    def _asked(self, func, args, far, tensors):
        """Refuse a mixture of devices; note what the host has to wait for."""
        indices = args[1] if func in INDEXED else ()
        others = [a for a in tensors if not isinstance(a, OnGpu) and a.dim() > 0]
        for index in indices:
            if index is None:
                continue
            if index.dtype in (torch.bool, torch.uint8):
                self.waits[f"{func} by bool"] += 1
            elif not isinstance(index, OnGpu):
                self.waits[f"{func} by an index on the host"] += 1
        if any(all(other is not index for index in indices) for other in others):
            devices = "at least two devices, cuda:0 and cpu"
            raise RuntimeError(f"{func}: expected all tensors to be on one device, found {devices}")
        if func in SIZED_BY_DATA or func in READS:
            self.waits[str(func)] += 1


def _target(func, args, kwargs, far):
    """Where the result of an operator lies."""
    if func is aten.copy_.default:
        return args[0].device
    if kwargs.get("device") is not None:
        return GPU if torch.device(kwargs["device"]).type == "cuda" else HOST
    return GPU if far else HOST


def _near(value):
    return value.near if isinstance(value, OnGpu) else value


def _far(value):
    return OnGpu(value) if isinstance(value, torch.Tensor) else value


@contextlib.contextmanager
def pretended_gpu():
    """Tensors of cuda:0 may be made within, whether or not this PyTorch was built for GPUs."""
    real = torch.cuda.is_available, torch.cuda.device_count
    torch.cuda.is_available, torch.cuda.device_count = lambda: True, lambda: 1
    overwrite = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with _guarded(), _lifting_on_host(), PretendedGpu() as gpu:
            yield gpu
    finally:
        torch.cuda.is_available, torch.cuda.device_count = real
        torch.__future__.set_overwrite_module_params_on_conversion(overwrite)


@contextlib.contextmanager
def _lifting_on_host():
    """`torch.tensor` makes its numbers on the CPU and moves them, as under FakeTensorMode."""
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)
    try:
        yield
    finally:
        torch._C._set_only_lift_cpu_tensors(before)


@contextlib.contextmanager
def _guarded():
    """A PyTorch without CUDA takes "cuda:0" as the current device, as it takes "meta".

    Slots of PyTorch's table of device guards are by type of device: cuda is 1, meta 14.
    """
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libc10.so"))
    name = "_ZN3c104impl26device_guard_impl_registryE"
    guards = (ctypes.c_void_p * 15).in_dll(library, name)
    before = guards[1]
    guards[1] = before or guards[14]
    try:
        yield
    finally:
        guards[1] = before
