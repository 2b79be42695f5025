"""What training keeps on disk: the model, and all that it takes to go on to the same bits.

Every random draw is a function of the seed, the step and the image's place in the batch, so that
the step stands for the state of the generators. Files are safetensors: named arrays, no code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
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
PIXELS = "pixels"
NOTE = "sambench"
"""The only key of a file's metadata: safetensors writes several in an order drawn anew each time.

What is equal shall have equal bytes, and so one SHA-256.
"""


def save(path: Path, tensors: Mapping[str, Tensor], about: JSON) -> None:
    """Write named tensors and a note, whole or not at all; the same ones give the same bytes."""
    part = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(kept, part, {NOTE: json.dumps(about)})
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
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} cannot be read as a state of training ({error}); begin again with --fresh, or "
            "give another --output."
        ) from None
    if NOTE not in metadata:
        raise UserError(
            f"{path} was not made by a training, which would overwrite it; give another --output."
        )
    note: JSON = json.loads(metadata[NOTE])
    return note


def pack(
    parameters: Mapping[str, nn.Parameter], optimizer: AdamW, pixels: Tensor
) -> dict[str, Tensor]:
    """Parameters and both moments of each, by name, and digests of the images' pixels."""
    packed = {PIXELS: pixels}
    for name, parameter in parameters.items():
        packed[f"parameter.{name}"] = parameter
        packed |= {f"{m}.{name}": optimizer.state[parameter][m] for m in MOMENTS}
    return packed


def restore(
    path: Path,
    parameters: Mapping[str, nn.Parameter],
    optimizer: AdamW,
    pixels: Tensor,
    step: int,
) -> None:
    """Put back what `pack` took after so many steps.

    Raises:
        UserError: the file is damaged or of other parameters.
    """
    try:
        with safe_open(path, "pt") as file:
            pixels.copy_(file.get_tensor(PIXELS))
            for name, parameter in parameters.items():
                moments = {m: file.get_tensor(f"{m}.{name}").to(parameter.device) for m in MOMENTS}
                parameter.data.copy_(file.get_tensor(f"parameter.{name}"))
                optimizer.state[parameter] = {"step": torch.tensor(float(step)), **moments}
    except (SafetensorError, RuntimeError) as error:
        raise UserError(
            f"{path} does not fit this training ({error}); begin again with --fresh."
        ) from None


def discard_parts(folder: Path) -> None:
    """Remove files that a killed training was writing."""
    for name in (MODEL, STATE):
        for part in folder.glob(f"{name}.*.tmp"):
            part.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within, no other training writes to a folder.

    Raises:
        UserError: another one does.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no fcntl
        yield
        return
    held = os.open(folder, os.O_RDONLY)
    try:
        _lock(partial(fcntl.flock, held, fcntl.LOCK_EX | fcntl.LOCK_NB), folder)
        yield
    finally:
        os.close(held)


def _lock(lock: Callable[[], None], folder: Path) -> None:
    try:
        lock()
    except BlockingIOError:
        raise UserError(
            f"another training writes to {folder}; wait for it, or give another --output."
        ) from None
    except OSError:
        return  # some network file systems have no locks
