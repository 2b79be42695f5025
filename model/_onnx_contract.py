"""What an ONNX file says of its inputs and outputs, beside what the adapter gives and takes.

Everything is checked before the first image: an input of another layout, size or type would be
refused by onnxruntime image by image, or, worse, taken for something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError

from ._pair import MASK_SIDE, PROMPTS

FLOATS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}
_TYPES: Mapping[str, Any] = {
    **FLOATS,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}
_PROMPT_SHAPES: Mapping[str, tuple[int | None, ...]] = {
    "point_coords": (1, None, 2),
    "point_labels": (1, None),
    "mask_input": (1, 1, MASK_SIDE, MASK_SIDE),
    "has_mask_input": (1,),
    "orig_im_size": (2,),
}
"""What is given for one prompt; None is the number of points, which must be free."""
_WHOLE_NUMBERS = {"point_labels", "has_mask_input", "orig_im_size"}


class Entry(Protocol):
    """An input or output as onnxruntime describes it."""

    name: str
    type: str
    shape: Sequence[Any]
    """Numbers where fixed, names or None where free; empty where nothing is known."""


def encoder_side(entries: Sequence[Entry], path: Path) -> int:
    """Side of the square image that an encoder takes; 1024 where any will do.

    Raises:
        UserError: it takes something else than one normalised image (1, 3, side, side) of floats.
    """
    if len(entries) != 1:
        names = ", ".join(entry.name for entry in entries)
        raise UserError(f"{path} has the inputs {names}; an encoder takes the image alone.")
    [image] = entries
    says = f"{path} takes an image {_words(image)}"
    wanted = "export it with a normalised float image (1, 3, side, side)"
    if image.type not in FLOATS:
        raise UserError(f"{says}, which it must normalise itself; {wanted}.")
    if not image.shape:
        return 1024
    if len(image.shape) != 4 or not _fits(image.shape[:2], (1, 3)) or image.shape[3] == 3:
        raise UserError(f"{says}, in another layout than is given here; {wanted}.")
    sides = {length for length in image.shape[2:] if isinstance(length, int)} or {1024}
    if len(sides) != 1:
        raise UserError(f"{says}, which is not square; {wanted}.")
    return sides.pop()


def check_decoder(entries: Sequence[Entry], encoder: Sequence[Entry], path: Path) -> None:
    """Refuse a decoder that does not take the prompts and the encoder's features as they are given.

    Args:
        entries: its inputs.
        encoder: the outputs of the encoder.
        path: of the decoder.

    Raises:
        UserError: names the input, and what is given for it.
    """
    for entry in entries:
        if entry.name in PROMPTS:
            _check_prompt(entry, path)
    features = [entry for entry in entries if entry.name not in PROMPTS]
    given = {entry.name: entry for entry in encoder}
    if len(features) == len(given) == 1:
        given = {features[0].name: next(iter(given.values()))}
    for entry in features:
        own = given.get(entry.name)
        if own is None:
            raise UserError(
                f"{path} wants {entry.name}, the encoder gives {', '.join(given)}; give a pair "
                "that belongs together."
            )
        if not _fits(entry.shape, own.shape) or entry.type not in FLOATS:
            raise UserError(
                f"{path} wants {entry.name} {_words(entry)}, the encoder gives {_words(own)}; give "
                "a pair that belongs together."
            )


def _check_prompt(entry: Entry, path: Path) -> None:
    wanted = _PROMPT_SHAPES[entry.name]
    types = _TYPES if entry.name in _WHOLE_NUMBERS else FLOATS
    if not _fits(entry.shape, wanted) or entry.type not in types:
        shape = ", ".join("points" if length is None else str(length) for length in wanted)
        raise UserError(
            f"{path} takes {entry.name} {_words(entry)}, but it is given ({shape}) for a prompt; "
            "export it as Segment Anything's export script does."
        )
    if None in wanted and entry.shape and isinstance(entry.shape[wanted.index(None)], int):
        raise UserError(
            f"{path} takes exactly {entry.shape[wanted.index(None)]} points a prompt "
            f"({entry.name}); export it with a free number of points."
        )


def check_output(entry: Entry, rank: int, path: Path) -> None:
    """Refuse logits or predicted IoU of another rank, and masks that are cut already.

    Raises:
        UserError: it is so.
    """
    if entry.type not in FLOATS or (entry.shape and len(entry.shape) != rank):
        raise UserError(
            f"{path} gives {entry.name} {_words(entry)}; it must be of floats with {rank} "
            "dimensions: logits (B, C, h, w) and predicted IoU (B, C)."
        )


def as_declared(entry: Entry, values: NDArray[Any]) -> NDArray[Any]:
    """Values in the type that an input is declared with."""
    return np.ascontiguousarray(values, dtype=_TYPES[entry.type])


def precision_of(entries: Sequence[Entry]) -> str:
    """For the card: float16 where any input is of that, else float32."""
    halves = any(entry.type == "tensor(float16)" for entry in entries)
    return "float16" if halves else "float32"


def _fits(shape: Sequence[Any], given: Sequence[Any]) -> bool:
    """Whether all lengths that are fixed on both sides are equal."""
    if not shape or not given:
        return True
    pairs = zip(shape, given, strict=False)
    both = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int)]
    return len(shape) == len(given) and all(a == b for a, b in both)


def _words(entry: Entry) -> str:
    lengths = ", ".join("any" if not isinstance(n, int) else str(n) for n in entry.shape)
    return f"({lengths}) of {entry.type.removeprefix('tensor(').removesuffix(')')}"
