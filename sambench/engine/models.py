"""Loading a model onto a device."""

from typing import Any

from sambench.errors import UserError
from sambench.registry import construct, find, option_types, split_spec


def load_model(spec: str, device: str) -> Any:
    """A model on a device.

    Args:
        spec: name with options, such as ``sam:checkpoint=FILE``.
        device: cpu, cuda, cuda:1, ...

    Raises:
        UserError: there is no such model, or it has no choice of device and this is not the CPU.
    """
    name, options = split_spec(spec)
    cls = find("model", name)
    if "device" in option_types(cls):
        options.setdefault("device", device)
    elif device != "cpu":
        raise UserError(f"model {name} runs on the CPU only; leave --device out.")
    return construct("model", name, options)
