"""What training keeps on disk: the model, and all that it takes to go on to the same bits.

Every random draw is a function of the seed, the step and the image's place in the batch, so that
the step stands for the state of the generators. Files are safetensors: named arrays, no code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import AdamW

from sambench.errors import UserError
from sambench.interfaces import JSON

MODEL, STATE = "model.safetensors", "state.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq")


def save(path: Path, tensors: Mapping[str, Tensor], about: JSON) -> None:
    """Write named tensors and a note, whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(kept, part, {"format": "pt", "sambench": json.dumps(about)})
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_about(path: Path) -> JSON:
    """The note of a file that `save` wrote.

    Raises:
        UserError: it is another file, or damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            note: JSON = json.loads((file.metadata() or {})["sambench"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as a state of training ({error}); begin again with --fresh."
        ) from None
    return note


def pack(parameters: Mapping[str, nn.Parameter], optimizer: AdamW) -> dict[str, Tensor]:
    """Parameters and both moments of each, by name."""
    packed: dict[str, Tensor] = {}
    for name, parameter in parameters.items():
        packed[f"parameter.{name}"] = parameter
        packed |= {f"{m}.{name}": optimizer.state[parameter][m] for m in MOMENTS}
    return packed


def restore(
    path: Path, parameters: Mapping[str, nn.Parameter], optimizer: AdamW, step: int
) -> None:
    """Put back what `pack` took after so many steps.

    Raises:
        UserError: the file is damaged or of other parameters.
    """
    try:
        with safe_open(path, "pt") as file:
            for name, parameter in parameters.items():
                moments = {m: file.get_tensor(f"{m}.{name}").to(parameter.device) for m in MOMENTS}
                parameter.data.copy_(file.get_tensor(f"parameter.{name}"))
                optimizer.state[parameter] = {"step": torch.tensor(float(step)), **moments}
    except (SafetensorError, RuntimeError) as error:
        raise UserError(f"{path} does not fit this model ({error}); use --fresh.") from None
