"""Edge maps in files: PNG, NPY, MAT.

What a value of 1 is written as is not always what the type of the file suggests: a map of 0 and 1
may be an 8-bit PNG, one of 0 to 255 an array of 64-bit integers. `_edge_survey` tells from a whole
folder; one map by itself is read as its type says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sambench.data.mat_files import load_mat
from sambench.errors import UserError

ENDINGS = (".png", ".npy", ".mat")
SLACK = 1 + 1e-6
"""Above full scale by rounding, not by meaning."""
_COLOURS, _DEPTH, _DEEP = (2, 4, 6), 24, 16
"""Kinds of PNG with several channels; where its header says how many bits a channel has."""


def find_map(stem: Path) -> Path:
    """The edge map of an image: stem with one of the endings.

    Raises:
        UserError: there is none, or several.
    """
    found = maps_of(stem)
    if len(found) == 1:
        return found[0]
    what = f"several: {', '.join(path.name for path in found)}" if found else "none"
    others = [] if found or not stem.parent.is_dir() else list(stem.parent.glob(f"{stem.name}.*"))
    hint = f" ({others[0].name} is not read; convert it)" if others else ""
    raise UserError(f"one edge map {stem}{{{','.join(ENDINGS)}}} is needed, there is {what}{hint}.")


def maps_of(stem: Path) -> list[Path]:
    """All files of an image that may be its edge map."""
    return [path for ending in ENDINGS if (path := stem.with_name(stem.name + ending)).is_file()]


def read_map(path: Path, scale: float = 0.0) -> NDArray[np.float32]:
    """Read an edge map as (H, W) float32 in [0, 1].

    Args:
        path: .png, .npy or .mat.
        scale: value that stands for 1; 0 is that of the type: 255 for 8 bits, 65535 for 16, 1 for
            floats. Of logical maps it is always 1.

    Raises:
        UserError: missing, damaged, not one map, or values outside [0, scale].
    """
    values = read_values(path)
    full = 1.0 if values.dtype == np.bool_ else scale or _of_type(values, path)
    if values.max() > full * SLACK:
        raise UserError(
            f"{path} has values up to {values.max():g}, outside [0, {full:g}]; give --scale if "
            "another value stands for 1, or scale the map."
        )
    return np.minimum(values.astype(np.float64) / full, 1).astype(np.float32)


def _of_type(values: NDArray[Any], path: Path) -> float:
    """The value of 1 that a type suggests."""
    if values.dtype.kind == "f":
        return 1.0
    if values.dtype not in (np.uint8, np.uint16):
        raise UserError(f"{path} holds {values.dtype}; give --scale, the value that stands for 1.")
    return float(np.iinfo(values.dtype).max)


def read_values(path: Path) -> NDArray[Any]:
    """Read an edge map as it is stored: (H, W) of bool, integers or floats, none below 0.

    Raises:
        UserError: missing, damaged, or not one map.
    """
    readers = {".png": _read_png, ".npy": _read_npy, ".mat": _read_mat}
    values = readers[path.suffix](path)
    if values.ndim != 2 or not values.size:
        raise UserError(f"{path} holds an array {values.shape}; an edge map is (H, W).")
    if values.dtype.kind not in "buif":
        raise UserError(f"{path} holds {values.dtype}; an edge map has numbers from 0 to 1.")
    if not np.isfinite(values).all() or values.min() < 0:
        raise UserError(f"{path} has values outside [0, 1], below 0 or NaN; mend the map.")
    return values


def in_steps(edges: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round a map in [0, 1] to what a 16-bit PNG holds: a saved map scores as the map itself."""
    return (np.round(edges.astype(np.float64) * 65535) / 65535).astype(np.float32)


def write_map(path: Path, edges: NDArray[np.float32]) -> None:
    """Write a map (H, W) in [0, 1] as a 16-bit PNG."""
    values = np.round(edges.astype(np.float64) * 65535).astype(np.uint16)
    part = path.with_name(path.name + ".tmp")
    Image.fromarray(values).save(part, format="PNG")
    part.replace(path)


def _read_png(path: Path) -> NDArray[Any]:
    """Grey values of any depth: in a palette, in three equal channels, under an opaque alpha."""
    try:
        with path.open("rb") as file:
            header = file.read(_DEPTH + 2)
        with Image.open(path) as image:
            if getattr(image, "n_frames", 1) > 1:
                raise UserError(f"{path} holds several images; save one edge map a file.")
            image.load()
            # The indices of a palette mean nothing by themselves.
            values = np.asarray(image.convert("RGBA") if image.mode == "P" else image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} cannot be read as an image ({error}); write it again.") from None
    if header[_DEPTH : _DEPTH + 1] == bytes([_DEEP]) and header[_DEPTH + 1] in _COLOURS:
        raise UserError(f"{path} is in colour with 16 bits a channel; save it in grey.")
    if values.dtype == np.int32:  # how Pillow keeps 16 bits at times
        values = values.astype(np.uint16)
    return values if values.ndim == 2 else _grey(values, path)


def _grey(values: NDArray[Any], path: Path) -> NDArray[Any]:
    """The one channel of an image that has no colours: (H, W, C) -> (H, W).

    Raises:
        UserError: it has colours, or is transparent somewhere.
    """
    channels = values.shape[2]
    if channels in (2, 4):
        if not (values[..., -1] == np.iinfo(values.dtype).max).all():
            raise UserError(f"{path} is transparent in places; save the edge map without alpha.")
        values = values[..., :-1]
    if not (values == values[..., :1]).all():
        raise UserError(f"{path} has {channels} channels that differ; an edge map is grey.")
    return np.ascontiguousarray(values[..., 0])


def _read_npy(path: Path) -> NDArray[Any]:
    try:
        values = np.load(path, allow_pickle=False)
    except Exception as error:  # noqa: BLE001 (a damaged one raises anything)
        raise UserError(
            f"{path} is not a NumPy array ({error}); save one with numpy.save."
        ) from None
    if not isinstance(values, np.ndarray):
        raise UserError(f"{path} is an archive of NumPy arrays; save the map with numpy.save.")
    return values


def _read_mat(path: Path) -> NDArray[Any]:
    """The one matrix of a file, in the class that MATLAB has it: logical, uint8, double."""
    from scipy.sparse import issparse

    content = load_mat(path, remedy="save it with -v7", mat_dtype=True)
    own = {key: value for key, value in content.items() if not key.startswith("__")}
    arrays = {k: np.asarray(v.toarray() if issparse(v) else v) for k, v in own.items()}
    matrices = {
        key: value
        for key, value in arrays.items()
        if value.dtype.kind in "buif" and value.ndim == 2 and min(value.shape) > 1
    }
    if len(matrices or arrays) != 1:
        names = ", ".join(matrices or arrays) or "no variables"
        raise UserError(f"{path} holds {names}; it must hold one edge map (H, W).")
    return next(iter((matrices or arrays).values()))
