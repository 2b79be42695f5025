"""Loading a model onto a device."""

from typing import Any

from sambench.errors import UserError
from sambench.registry import construct, find, option_types, split_spec


def choose_device(wanted: str) -> str:
    """``auto`` is the first GPU where there is one."""
    if wanted != "auto":
        return wanted
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def load_model(spec: str, device: str) -> Any:
    """A model on a device, if it has the choice and its own options do not name one.

    Args:
        spec: name with options, such as ``sam:checkpoint=FILE``.
        device: cpu, cuda, cuda:1, ..., or auto.

    Raises:
        UserError: the model is unknown, or it runs on the CPU only and a GPU is asked for.
    """
    name, options = split_spec(spec)
    cls = find("model", name)
    if "device" in option_types(cls):
        options.setdefault("device", choose_device(device))
    elif device not in {"auto", "cpu"}:
        raise UserError(f"model {name} runs on the CPU only; leave --device out.")
    return construct("model", name, options)
