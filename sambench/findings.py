"""What is wrong: `Finding`, and functions that look at the parts of a truth and say so.

The functions yield one clause for each thing that is wrong, and nothing where all is well. A truth
of one's own may use them in its `problems`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Size = tuple[int, int]
"""(H, W) in pixels."""
KINDS = {"b": "bool", "i": "int64", "iu": "integers", "if": "float64", "iuf": "float64"}
"""NumPy's letters for kinds of dtype, and what to say where an array is of none of them."""


@dataclass(frozen=True)
class Finding:
    """Something wrong, or doubtful.

    Attributes:
        check: what was looked at, such as "boxes".
        problem: what was seen. Of a truth it completes the sentence "<image id>: ...".
        remedy: what to do about it, one sentence.
        minor: real data have such, and may keep it: `sambench data check` does not list it.
    """

    check: str
    problem: str
    remedy: str
    minor: bool = False


def of_size(name: str, found: object, size: Size) -> Iterator[str]:
    """A size (H, W) that is not that of the image."""
    if not isinstance(found, Sequence) or tuple(found) != tuple(size):
        yield f"the image has size {tuple(size)}, its {name} {found}"


def of_array(name: str, array: object, shape: tuple[int, ...], kinds: str) -> Iterator[str]:
    """An array of another shape or dtype than it should have.

    Args:
        name: what the array is.
        array: to be looked at.
        shape: that it should have.
        kinds: one of `KINDS`.
    """
    if not isinstance(array, np.ndarray):
        yield f"{name} of type {type(array).__name__}, not a NumPy array"
    elif array.shape != shape:
        yield f"{name} of shape {array.shape}, not {shape}"
    elif array.dtype.kind not in kinds:
        yield f"{name} of dtype {array.dtype}, not {KINDS[kinds]}"


def of_maps(name: str, maps: Sequence[Any], size: Size | None, kinds: str) -> Iterator[str]:
    """What annotators drew, each an array (H, W): none at all, or of another size or dtype.

    Args:
        name: what was drawn.
        maps: one for each annotator.
        size: (H, W) of the image; None to compare them with the first.
        kinds: of dtype, one of `KINDS`.
    """
    if not len(maps):
        yield f"no annotator drew {name}"
        return
    shape = tuple(size or np.shape(maps[0]))
    if len(shape) != 2:
        yield f"{name} of shape {shape}, not (H, W)"
        return
    for number, drawn in enumerate(maps):
        yield from of_array(f"annotator {number}: {name}", drawn, shape, kinds)


def of_ids(ids: Sequence[object], count: int) -> Iterator[str]:
    """Ids that are more or fewer than what they are of, or not unique."""
    if len(ids) != count:
        yield f"{len(ids)} ids, not {count}"
    elif len(set(ids)) != count:
        twice = next(id for place, id in enumerate(ids) if id in ids[:place])
        yield f"id {twice!r} is used twice"


def of_masks(names: Sequence[str], rles: Sequence[Any], size: Size) -> Iterator[str]:
    """Run lengths of another form or size, or damaged ones. No mask is decoded for it.

    Args:
        names: what each is called.
        rles: N encodings, ``{"size": [H, W], "counts": bytes}``.
        size: (H, W) of the image.
    """
    from sambench.masks.rle import covered

    formed: list[tuple[str, Any]] = []
    for name, rle in zip(names, rles, strict=True):
        wrong = _form(rle, size)
        if wrong:
            yield f"{name}: {wrong}"
        else:
            formed.append((name, rle))
    pixels = covered([rle for _, rle in formed])
    for index in np.flatnonzero(pixels != size[0] * size[1]):
        yield f"{formed[index][0]}: its run lengths do not cover the {size} pixels of the image"


def _form(rle: Any, size: Size) -> str:
    """Why something is not the run lengths of a mask of this size; "" if it is."""
    if not isinstance(rle, dict) or not {"size", "counts"} <= rle.keys():
        return f"not run lengths but {type(rle).__name__}"
    if tuple(rle["size"]) != tuple(size):
        return f"mask of {tuple(rle['size'])} in an image of {tuple(size)}"
    if not isinstance(rle["counts"], bytes | str):
        return f"counts of type {type(rle['counts']).__name__}, not bytes"
    return ""
