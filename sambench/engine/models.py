"""Loading a model onto a device."""

import os
from typing import Any

from sambench.errors import UserError
from sambench.registry import construct, find, option_types, split_spec

RANKS = ("LOCAL_RANK", "SLURM_LOCALID")
"""What torchrun and SLURM's srun call the number of a process on its machine."""


def load_model(spec: str, device: str) -> Any:
    """A model on a device, if it has the choice and its own options do not name one.

    Args:
        spec: name with options, such as ``sam:checkpoint=FILE``.
        device: see `wanted_device` and `own_device`.

    Raises:
        UserError: the model is unknown, or it runs on the CPU only and a GPU is asked for.
    """
    name, options = split_spec(spec)
    cls: Any = find("model", name)
    wanted = wanted_device(spec, device)
    if "device" in option_types(cls):
        options["device"] = own_device(cls, wanted)
    return construct("model", name, options)


def wanted_device(spec: str, device: str) -> str:
    """Where a model is wanted: as its own options say, or else as the argument of a command does.

    Args:
        spec: name with options.
        device: cpu, cuda, cuda:1, ..., or auto.

    Returns:
        One of these; cpu for a model that has no choice.

    Raises:
        UserError: the model is unknown, or it runs on the CPU only and a GPU is asked for.
    """
    name, options = split_spec(spec)
    if "device" in option_types(find("model", name)):
        return options.get("device", device)
    if device not in {"auto", "cpu"}:
        raise UserError(f"model {name} runs on the CPU only; give --device cpu or leave it out.")
    return "cpu"


def own_device(cls: Any, wanted: str) -> str:
    """``auto`` -> the best that a class of models can do; ``cuda`` -> the GPU of this process.

    Of several processes that torchrun or SLURM's srun started on a machine, each gets a GPU of its
    own, in their order; where each is shown a single GPU, it is that.
    """
    device = str(cls.best_device()) if wanted == "auto" else wanted
    rank = next((os.environ[name] for name in RANKS if name in os.environ), "")
    if device != "cuda" or not rank.isdecimal():
        return device
    import torch

    return f"cuda:{int(rank) % max(1, torch.cuda.device_count())}"
