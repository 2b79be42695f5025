"""Fine-tunes of others, put into the network that they were made from.

A file of some of a network's tensors is laid over them by name; a folder with a LoRA adapter (Hu et
al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021) is merged into it by peft. No code
of either runs, and what is left as it was is said.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from sambench.errors import UserError
from sambench.files import read_json

from ._framed import require
from .nn.state_file import check_finite, difference, not_weights, read_state, shared_prefix

log = logging.getLogger(__name__)
EXTRA = "peft"
"""The extra of sambench that installs peft."""
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""What peft writes into the folder of an adapter."""


def put_into(net: Any, path: Path) -> str:
    """Put a fine-tune into a network.

    Args:
        net: the base model, in float32 and evaluation mode, which is changed.
        path: a file of tensors by name, or the folder of a LoRA adapter.

    Returns:
        What was done, in words for a model card.

    Raises:
        UserError: it is neither, none of it belongs to this network, or a part does not fit.
    """
    path = path.expanduser()
    if path.is_dir():
        return _merge(net, path)
    if not path.is_file():
        raise UserError(
            f"{path} does not exist; give a file of tensors, or the folder of a LoRA adapter."
        )
    return _lay_over(net, path)


def _lay_over(net: Any, path: Path) -> str:
    """Put tensors in the place of those of the same name; all others stay."""
    _refuse_shard(path)
    want = net.state_dict()
    have = _named_as(want, read_state(path), [name for name, _ in net.named_children()])
    known = {name: tensor for name, tensor in have.items() if name in want}
    if not known:
        raise UserError(
            f"none of the {len(have)} tensors of {path}, such as {min(have)}, has a name of this "
            f"network's, such as {min(want)}; give a fine-tune of the same model."
        )
    wrong = difference({name: want[name] for name in known}, known)
    if wrong:
        raise UserError(f"{path} does not fit this network: {wrong}; give a fine-tune of it.")
    rest, kept = sorted(have.keys() - known.keys()), sorted(want.keys() - known.keys())
    _refuse_halves(rest, kept, len(known), path)
    net.load_state_dict(known, strict=False)
    words = f"{len(known)} of {len(want)} tensors from {path.name}"
    left = f"; {len(rest)} have no place here, such as {rest[0]}" if rest else ""
    own = f"; {len(kept)} stay the base's, such as {kept[0]}" if kept else ""
    log.log(logging.WARNING if rest else logging.INFO, "%s%s%s", words, own, left)
    return words


def _refuse_shard(path: Path) -> None:
    """Refuse a part of a model that an index beside it says is in several files.

    Raises:
        UserError: the index lists it.
    """
    for index in sorted(path.parent.glob("*.index.json")):
        listed = read_json(index)
        files = set((listed.get("weight_map") or {}).values()) if isinstance(listed, dict) else ()
        if path.name in files and len(files) > 1:
            raise UserError(
                f"{path} is one of the {len(files)} files that {index.name} lists; give the folder "
                "as checkpoint, without finetuned."
            )


def _refuse_halves(rest: Sequence[str], kept: Sequence[str], laid: int, path: Path) -> None:
    """Refuse a file that has more of this network than what can be laid over it by name.

    Args:
        rest: names in the file that have no place.
        kept: names of the network that stay the base's.
        laid: how many tensors have a place.
        path: of the file.

    Raises:
        UserError: what stays the base's is in the file under another name, as far as one can see:
            with something before it, or in the same part; or most of the file has no place.
    """
    ends, parts = tuple(f".{name}" for name in kept), {name.split(".")[0] for name in kept}
    odd = [name for name in rest if name.endswith(ends) or name.split(".")[0] in parts]
    odd = odd or (list(rest) if len(rest) > laid else [])
    if odd:
        raise UserError(
            f"{path} would be laid over by halves: {laid} tensors have names of this network's, "
            f"{len(odd)} others have no place, such as {odd[0]}, and {len(kept)} stay the base's, "
            f"such as {next(iter(kept), 'none')}; save the state_dict() of the fine-tune alone, "
            "under the names of its base."
        )


def _named_as(
    want: Mapping[str, Any], state: Mapping[str, Tensor], parts: list[str]
) -> dict[str, Tensor]:
    """Tensors under the names under which most of them are tensors of a network.

    Training puts ``module.`` and the like before every name; and a part that was saved by itself
    lacks the part's own name. The names as they are come first.
    """
    shared = shared_prefix(state).split(".")[:-1]
    cuts = ["".join(f"{part}." for part in shared[:depth]) for depth in range(len(shared) + 1)]
    ways = [
        {front + name.removeprefix(cut): tensor for name, tensor in state.items()}
        for front in ("", *(f"{part}." for part in parts))
        for cut in cuts
    ]
    return max(ways, key=lambda way: sum(_fits(want, name, way[name]) for name in way))


def _fits(want: Mapping[str, Any], name: str, tensor: Tensor) -> bool:
    return name in want and want[name].shape == tensor.shape


def _merge(net: Any, folder: Path) -> str:
    """Merge a LoRA adapter into a network in place, all of it."""
    stated = _check_adapter(folder)
    given = read_state(folder / WEIGHTS)
    peft = require("peft", EXTRA)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is wrong is raised
        adapted = _adapted(peft, net, folder)
    own = peft.get_peft_model_state_dict(adapted, save_embedding_layers=False)  # asks no network
    wrong = difference(own, given)
    if wrong:
        raise UserError(
            f"the adapter {folder} does not fit this network: {wrong}; give an adapter of this "
            "base model."
        )
    merged = adapted.merge_and_unload(safe_merge=True)
    check_finite(merged.state_dict(), f"the adapter {folder}, merged,")
    merged.eval().requires_grad_(requires_grad=False)
    layers = sum(name.endswith("lora_A.weight") for name in given)
    words = (
        f"a LoRA of {layers} layers from {folder.resolve().name}, rank {stated.get('r')}, merged"
    )
    _compare_bases(stated, net, folder)
    log.info("%s", words)
    return words


def _compare_bases(stated: Mapping[str, Any], net: Any, folder: Path) -> None:
    """Say so where an adapter was made for a model of another name: shapes alone do not tell."""
    meant, base = (
        str(name or "")
        for name in (stated.get("base_model_name_or_path"), getattr(net, "name_or_path", ""))
    )
    if meant and base and Path(meant).name != Path(base).name:
        log.warning(
            "the adapter %s says that it was made for %s, and is merged into %s; masks of another "
            "base mean nothing unless both have the same weights.",
            folder, meant, base,
        )  # fmt: skip


def _adapted(peft: Any, net: Any, folder: Path) -> Any:
    """A network with an adapter beside its layers.

    Raises:
        UserError: the adapter belongs to another network.
    """
    try:
        return peft.PeftModel.from_pretrained(net, str(folder), is_trainable=False)
    except Exception as error:  # the library raises a dozen kinds
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"the adapter {folder} cannot be put into this network ({lines[0][:200]}); give an "
            "adapter of this base model."
        ) from error


def _check_adapter(folder: Path) -> Mapping[str, Any]:
    """What the folder of a LoRA adapter says of it.

    Raises:
        UserError: it is another folder, or holds another kind of adapter, or other files.
    """
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"{folder} holds no {CONFIG}; give the folder of a LoRA adapter, a file of tensors, or "
            "a whole model as checkpoint."
        )
    stated = read_json(folder / CONFIG)
    kind = stated.get("peft_type") if isinstance(stated, dict) else None
    if kind != "LORA":
        raise UserError(f"{folder / CONFIG} says peft_type {kind}; only LORA is merged here.")
    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(f"{folder} holds no {WEIGHTS}; save the adapter with save_pretrained.")
    words = not_weights(path)
    if words:
        raise UserError(f"{path} is {words}.")
    return dict(stated)
