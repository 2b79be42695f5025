"""What the adapters of transformers share: parts of a checkpoint on the Hub or in a folder."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from sambench.errors import UserError

from .nn.state_file import check_finite, check_objects, not_weights

EXTRA = "hf"
"""The extra of sambench that installs transformers."""
_FLOATS = re.compile(r"B?F\d+")
_RESCALE = 1 / 255


def read_part(checkpoint: str, load: Callable[..., Any], options: dict[str, Any]) -> Any:
    """Load a part of a checkpoint; no code of the checkpoint runs.

    Raises:
        UserError: there is no such part, or it is damaged.
    """
    try:
        return load(checkpoint, trust_remote_code=False, **options)
    except Exception as error:  # the library and what it stands on raise dozens of kinds
        lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()
        raise UserError(
            f"checkpoint {checkpoint} cannot be loaded by transformers "
            f"({' '.join([type(error).__name__, *lines[:2]])[:200]}); give a name on the Hub or a "
            "folder that save_pretrained wrote."
        ) from error


def read_network(checkpoint: str, cls: Any, options: dict[str, Any]) -> Any:
    """Load a network in float32 and evaluation mode: every tensor of it, and nothing left over.

    The library itself fills what a file lacks with random numbers. What it says may be missing
    (tied weights) or left over (parts of a larger model, buffers that are computed) may be.

    Raises:
        UserError: names the tensor that is missing, left over, of another shape or not finite.
    """
    if Path(checkpoint).is_dir():
        _check_folder(Path(checkpoint))
    with _quiet():
        net, told = read_part(
            checkpoint,
            cls.from_pretrained,
            {
                **options,
                "dtype": torch.float32,
                "output_loading_info": True,
                "ignore_mismatched_sizes": True,  # they are told, with the others
            },
        )
    computed = {name for name, _ in net.named_buffers()} - net.state_dict().keys()
    wrong = _difference(told, computed)
    if wrong:
        raise UserError(
            f"checkpoint {checkpoint} does not fit {cls.__name__}: {wrong}; give the whole "
            "checkpoint with the config that belongs to it."
        )
    check_finite(net.state_dict(), f"checkpoint {checkpoint}")
    return net.eval().requires_grad_(requires_grad=False)


def _difference(told: Mapping[str, Any], computed: set[str]) -> str:
    """What the library says of a load that is not whole, with one example of each kind."""
    extra = sorted(name for name in told["unexpected_keys"] if not _ends(name, computed))
    missing, words = sorted(told["missing_keys"]), []
    if missing:
        words.append(f"{len(missing)} tensors are missing, such as {missing[0]}")
    if extra:
        words.append(f"{len(extra)} do not belong, such as {extra[0]}")
    for name, theirs, ours in sorted(told["mismatched_keys"])[:1]:
        words.append(f"{name} has shape {tuple(theirs)}, not {tuple(ours)}")
    words += [str(message) for message in list(told["error_msgs"])[:1]]
    return "; ".join(words)


def _ends(name: str, computed: set[str]) -> bool:
    """Whether a tensor is a buffer that the network computes, maybe under a longer name."""
    return any(name == own or name.endswith(f".{own}") for own in computed)


def _check_folder(folder: Path) -> None:
    """Refuse files of weights that are none, and adapters, which would be left out in silence.

    Raises:
        UserError: names the file.
    """
    if (folder / "adapter_config.json").is_file():
        raise UserError(
            f"{folder} holds an adapter (PEFT), not a whole model; give its base model, and model "
            "hf this folder as finetuned=, or merge it (merge_and_unload) and save that."
        )
    for path in sorted([*folder.glob("model*.safetensors"), *folder.glob("pytorch_model*.bin")]):
        words = not_weights(path)
        if words:
            raise UserError(f"{path} is {words}.")
        (_check_header if path.suffix == ".safetensors" else check_objects)(path)


def _check_header(path: Path) -> None:
    """Refuse a file that is cut, or whose weights are whole numbers."""
    try:
        with safe_open(path, "pt") as file:
            names = [name for name in file.keys() if name.endswith(("weight", "bias"))]  # noqa: SIM118
            types = {name: file.get_slice(name).get_dtype() for name in names}
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} cannot be read as safetensors, it is cut short or damaged ({error}); fetch it "
            "again."
        ) from None
    for name, kind in types.items():
        if not _FLOATS.match(kind):
            raise UserError(f"{path}: {name} is of type {kind}; give weights in floating point.")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own tables about a load: what is wrong is raised."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(40)  # ERROR
    try:
        yield
    finally:
        logging.set_verbosity(before)


def stated_preprocessing(checkpoint: str, place: dict[str, Any]) -> dict[str, Any]:
    """What the checkpoint's preprocessor_config.json says, empty where it has none.

    Raises:
        UserError: it is damaged, or asks for what is not done here.
    """
    from transformers.image_processing_base import ImageProcessingMixin
    from transformers.utils.hub import cached_file

    names = ("preprocessor_config.json", "processor_config.json")
    missing = {"_raise_exceptions_for_missing_entries": False}
    there = [name for name in names if cached_file(checkpoint, name, **place, **missing)]
    if not there:
        return {}
    where = f"{there[0]} of {checkpoint}"
    try:
        stated, _ = ImageProcessingMixin.get_image_processor_dict(checkpoint, **place)
    except OSError as error:
        if there == [names[1]]:  # a processor of texts alone
            return {}
        raise UserError(
            f"{where} cannot be read ({str(error).splitlines()[0]}); mend it."
        ) from None
    if not isinstance(stated, dict):
        raise UserError(f"{where} holds a {type(stated).__name__}, not an object; mend it.")
    _check_stated(stated, where)
    return dict(stated)


def _check_stated(stated: Mapping[str, Any], where: str) -> None:
    """Refuse a preprocessing that would not be the one that is done."""
    for key in ("do_resize", "do_rescale", "do_normalize"):
        if stated.get(key, True) is False:
            raise UserError(f"{where} says {key} false, but here it is always done; remove it.")
    factor = stated.get("rescale_factor", _RESCALE)
    if not np.isclose(_numbers([factor], 1, f"{where}: rescale_factor")[0], _RESCALE, rtol=1e-3):
        raise UserError(f"{where} says rescale_factor {factor}, but here it is 1/255; mend it.")
    for key in ("image_mean", "image_std"):
        if stated.get(key) is not None:
            values = _numbers(stated[key], 3, f"{where}: {key}")
            if key == "image_std" and min(values) <= 0:
                raise UserError(f"{where}: {key} must be above 0, not {stated[key]}; mend it.")


def _numbers(values: Any, count: int, where: str) -> list[float]:
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise UserError(f"{where} must be {count} finite numbers, not {values}; mend it.")
    return numbers


def card_name(checkpoint: str) -> str:
    """A name that is good as a file name: the folder's own, or owner_name of the Hub."""
    path = Path(checkpoint)
    return path.resolve().name if path.is_dir() else checkpoint.replace("/", "_")
