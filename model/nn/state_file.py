"""Files of weights: told apart by content, read without running code of theirs, or named.

What people have under the name of a checkpoint is often something else: a web page in its place, a
pointer of Git LFS, a whole pickled model, the state of an optimizer. Each is called what it is.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sambench.errors import UserError

HEAD = 512
"""Bytes of a file that tell what it is."""
_SIGNS = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the weights; fetch them with git lfs pull",
    ),
    (b"GGUF", "a GGUF file, not weights of PyTorch; convert it"),
    (b"\x89HDF", "an HDF5 file, as Keras writes, not weights of PyTorch; convert it"),
    (b"\x93NUMPY", "a NumPy array, not weights of PyTorch; convert it"),
    (b"\x1f\x8b", "a gzip archive; unpack it and give the weights in it"),
    (b"BZh", "a bzip2 archive; unpack it and give the weights in it"),
    (b"\xfd7zXZ", "an xz archive; unpack it and give the weights in it"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it and give the weights in it"),
    (b"Rar!", "a RAR archive; unpack it and give the weights in it"),
    (b"\x89PNG", "a PNG image; give the weights"),
    (b"\xff\xd8\xff", "a JPEG image; give the weights"),
    (b"%PDF", "a PDF; give the weights"),
)
ONNX = "an exported ONNX model, which model onnx reads (encoder=FILE,decoder=FILE)"
_SCRIPT = "a TorchScript archive, which model torchscript reads (encoder=FILE,decoder=FILE)"
_OF_TENSORS = (
    r"torch\.\w+$|torch\.(_utils|_tensor|storage|nn\.parameter|serialization)\.|"
    r"collections\.(OrderedDict|defaultdict|Counter)$|(builtins|__builtin__)\.(set|frozenset|bytearray|complex)$"
)
"""What the pickle of a set of tensors may name."""
COUNTER = ".num_batches_tracked"
_PACKAGES = {
    "ultralytics": "a checkpoint of Ultralytics, which model fastsam reads if it is FastSAM's",
    "torch.fx": "a traced PyTorch module",
}
"""What a file pickles, by the package that its classes are of."""


def not_weights(path: Path) -> str | None:
    """What a file is that cannot hold weights, with the remedy; None if it may hold them.

    Raises:
        UserError: it cannot be read at all.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None
    if not head:
        return "empty; fetch it again"
    for sign, words in _SIGNS:
        if head.startswith(sign):
            return words
    protobuf = head[0] == 0x08 and head[2:3] in (b"\x12", b"\x1a", b"\x3a")
    if head[4:8] == b"ORTM" or (protobuf and head[8:9] != b"{"):
        return ONNX
    return _text(head)


def _text(head: bytes) -> str | None:
    """What a text file is; None for binary ones."""
    text = head.decode("utf-8", "ignore").lstrip("\ufeff \t\r\n").lower()
    if text.startswith(("<!doctype", "<html", "<?xml", "<head", "<body")):
        return "a web page, not the weights; fetch the file itself"
    if any(byte < 9 or 13 < byte < 32 for byte in head):
        return None
    if text.startswith("{"):
        return "a JSON file, not the weights; give the file that holds them"
    return "a text file, not the weights; give the file that holds them"


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a .safetensors or PyTorch file by name; never runs code from it.

    The content counts, not the ending. Tensors that a training script has wrapped, under
    ``model`` or ``state_dict`` beside an optimizer, say, are found; all are finite.

    Raises:
        UserError: the file is damaged, or holds something else than one set of tensors by name.
    """
    words = not_weights(path)
    if words:
        raise UserError(f"{path} is {words}.")
    state = unwrapped(_read(path), path)
    check_finite(state, str(path))
    return state


def _read(path: Path) -> Any:
    """Whatever a file of PyTorch or safetensors holds."""
    if _is_safetensors(path):
        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise UserError(_damaged(path, error)) from None
    foreign_zip = _not_of_pytorch(path)
    if foreign_zip:
        raise UserError(f"{path} is {foreign_zip}.")
    try:
        with warnings.catch_warnings(), path.open("rb") as file:  # a path's ending would count
            warnings.simplefilter("ignore")  # PyTorch warns of files that it refuses next
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 (a damaged pickle raises anything)
        if isinstance(error, pickle.UnpicklingError):
            check_objects(path)
        raise UserError(_damaged(path, error)) from None


def check_objects(path: Path) -> None:
    """Refuse a pickle of other things than tensors, by their names; none of them is made.

    Raises:
        UserError: there are any.
    """
    foreign = _foreign_classes(path)
    if foreign:
        known = (_PACKAGES[p] for name in foreign for p in _PACKAGES if name.startswith(f"{p}."))
        likely = next(known, "a pickled model, or a file of a training script")
        raise UserError(
            f"{path} holds objects other than tensors ({', '.join(foreign[:3])}), which would run "
            f"code when read: it may be {likely}; save the model's state_dict() and give that."
        )


def _damaged(path: Path, error: Exception) -> str:
    reason = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines() or [""]
    words = reason[0].split("weights_only")[0].strip() or type(error).__name__
    return (
        f"{path} cannot be read as a checkpoint, it is cut short, damaged or of another format "
        f"({words[:120]}); fetch it again."
    )


def _is_safetensors(path: Path) -> bool:
    """A safetensors file begins with the length of its header in 8 bytes; the header is JSON.

    As such a length, the first bytes of a zip archive or a pickle are beyond 4 GiB.
    """
    with path.open("rb") as file:
        head = file.read(9)
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32


def _not_of_pytorch(path: Path) -> str | None:
    """What a zip archive is that torch.save did not write; None for others."""
    try:
        if not zipfile.is_zipfile(path):
            return None
        with zipfile.ZipFile(path) as bundle:
            names = [name.rpartition("/")[2] for name in bundle.namelist()]
    except Exception as error:  # noqa: BLE001 (a damaged one raises anything)
        return f"a damaged archive ({error}); fetch it again"
    if "constants.pkl" in names:
        return _SCRIPT
    return None if "data.pkl" in names else "a zip archive; unpack it and give the weights in it"


def _foreign_classes(path: Path) -> list[str]:
    """Classes and functions that a file names and that are not part of a set of tensors."""
    return list(dict.fromkeys(name for name in _globals(path) if not re.match(_OF_TENSORS, name)))


def _globals(path: Path) -> Iterator[str]:
    """Everything that the pickles of a file would import; nothing is imported."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as bundle:
                [name] = [n for n in bundle.namelist() if n.endswith("/data.pkl")]
                with bundle.open(name) as file:
                    yield from _globals_in(file)
        else:
            with path.open("rb") as file:
                for _ in range(4):  # PyTorch's old format: a magic number and others come first
                    yield from _globals_in(file)
    except Exception:  # noqa: BLE001 (a damaged one raises anything)
        return  # it is not a pickle, or ends too early: what was found is enough


def _globals_in(file: Any) -> Iterator[str]:
    """Names that one pickle would import: the operands of GLOBAL, and of STACK_GLOBAL."""
    texts: list[str] = []
    for operation, argument, _ in pickletools.genops(file):
        if operation.name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif operation.name == "STACK_GLOBAL":
            yield ".".join(texts[-2:])
        elif isinstance(argument, str):
            texts.append(argument)


def unwrapped(content: Any, path: Path) -> dict[str, Tensor]:
    """The one set of tensors by name in what a file holds.

    Raises:
        UserError: there is none, or more than one.
    """
    if _is_state(content):
        return _plain(content)
    if not isinstance(content, Mapping):
        raise UserError(
            f"{path} holds a {type(content).__name__}, not tensors by name; save the model's "
            "state_dict()."
        )
    if "param_groups" in content and "state" in content:
        raise UserError(f"{path} holds the state of an optimizer and no weights; give the model's.")
    inner = {str(key): value for key, value in content.items() if _is_state(value)}
    if len(inner) > 1:
        raise UserError(
            f"{path} holds several sets of tensors ({', '.join(inner)}); save the one that is "
            "meant by itself."
        )
    if inner:
        return _plain(next(iter(inner.values())))
    odd = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if len(odd) < len(content):
        raise UserError(
            f"{path} holds {', '.join(odd[:3])} among its tensors; save the state_dict() by itself."
        )
    keys = ", ".join(odd[:3])
    raise UserError(
        f"{path} holds {f'a dictionary of {keys}' if keys else 'nothing'}, not tensors by name; "
        "save the model's state_dict()."
    )


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(k, str) and isinstance(t, Tensor) for k, t in value.items())
    )


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names as the model has them that was compiled: torch.compile puts its own in between."""
    return {name.replace("_orig_mod.", ""): tensor.detach() for name, tensor in state.items()}


def check_finite(state: Mapping[str, Tensor], where: str) -> None:
    """Refuse weights that are not finite.

    Raises:
        UserError: names the tensor.
    """
    for name, tensor in state.items():
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise UserError(f"{where}: {name} is sparse or quantised; save it as plain floats.")
        if tensor.is_floating_point() and not _finite(tensor):
            raise UserError(
                f"{where}: tensor {name} holds NaN or infinity, which no answer survives; give "
                "the checkpoint of an earlier step, or fetch the file again."
            )


def _finite(tensor: Tensor) -> bool:
    wide = tensor if tensor.element_size() > 1 else tensor.float()  # isfinite knows no 8-bit floats
    return bool(wide.isfinite().all())


def matched(state: Mapping[str, Tensor], like: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors under the names of a network, if a prefix that all of them share is all that differs.

    Training puts ``module.``, ``model.``, ``net.`` and the like before every name; a network by
    itself has no such prefix, or its own. The counters of batches that a norm has seen, which old
    files lack, count for nothing in evaluation.
    """
    found = dict(state)
    if not state.keys() & like.keys():
        theirs, ours = shared_prefix(state), shared_prefix(like)
        renamed = {ours + name.removeprefix(theirs): tensor for name, tensor in state.items()}
        found = renamed if renamed.keys() & like.keys() else found
    for name in like:
        if name.endswith(COUNTER) and (name not in found or found[name].is_floating_point()):
            found[name] = torch.zeros((), dtype=torch.int64)
    return found


def shared_prefix(names: Mapping[str, Any]) -> str:
    """The beginning that all dotted names share, up to a dot: "module." or ""."""
    shared = ""
    first, *others = [name.split(".") for name in names] or [[]]
    for depth, part in enumerate(first[:-1]):
        if not all(len(other) > depth + 1 and other[depth] == part for other in others):
            break
        shared += f"{part}."
    return shared


def difference(want: Mapping[str, Tensor], have: Mapping[str, Tensor]) -> str:
    """Say how two sets of tensors differ, with one example of each kind; "" if they do not."""
    missing, extra = sorted(want.keys() - have.keys()), sorted(have.keys() - want.keys())
    both = sorted(want.keys() & have.keys())
    shapes = [name for name in both if want[name].shape != have[name].shape]
    types = [n for n in both if want[n].is_floating_point() != have[n].is_floating_point()]
    words = []
    if missing:
        words.append(f"{len(missing)} tensors are missing, such as {missing[0]}")
    if extra:
        words.append(f"{len(extra)} do not belong, such as {extra[0]}")
    if shapes:
        name = shapes[0]
        a, b = tuple(have[name].shape), tuple(want[name].shape)
        words.append(f"{len(shapes)} differ in shape, such as {name}, {a} for {b}")
    elif types:
        name = types[0]
        words.append(f"{len(types)} differ in type, such as {name}, {have[name].dtype}")
    return "; ".join(words)
