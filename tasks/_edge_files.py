"""Edge maps in files: PNG of 8 or 16 bits, NPY, MAT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sambench.errors import UserError
from sambench.images import read_labels

ENDINGS = (".png", ".npy", ".mat")


def find_map(stem: Path) -> Path:
    """The edge map of an image: stem with one of the endings.

    Raises:
        UserError: there is none, or several.
    """
    found = [path for ending in ENDINGS if (path := stem.with_name(stem.name + ending)).is_file()]
    if len(found) != 1:
        what = f"several: {', '.join(p.name for p in found)}" if found else "none"
        raise UserError(f"one edge map {stem}{{{','.join(ENDINGS)}}} is needed, there is {what}.")
    return found[0]


def read_map(path: Path) -> NDArray[np.float32]:
    """Read an edge map as (H, W) float32 in [0, 1]; 8 bits are divided by 255, 16 by 65535.

    Raises:
        UserError: missing, damaged, not one map, or values outside [0, 1].
    """
    readers = {".png": _read_png, ".npy": _read_npy, ".mat": _read_mat}
    values = readers[path.suffix](path)
    if values.ndim != 2:
        raise UserError(f"{path} holds an array {values.shape}; an edge map is (H, W).")
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise UserError(f"{path} has values outside [0, 1] or NaN; scale the map to [0, 1].")
    return values.astype(np.float32)


def in_steps(edges: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round a map in [0, 1] to what a 16-bit PNG holds: a saved map scores as the map itself."""
    return (np.round(edges.astype(np.float64) * 65535) / 65535).astype(np.float32)


def write_map(path: Path, edges: NDArray[np.float32]) -> None:
    """Write a map (H, W) in [0, 1] as a 16-bit PNG."""
    values = np.round(edges.astype(np.float64) * 65535).astype(np.uint16)
    part = path.with_name(path.name + ".tmp")
    Image.fromarray(values).save(part, format="PNG")
    part.replace(path)


def _read_png(path: Path) -> NDArray[np.float64]:
    values = read_labels(path)
    with Image.open(path) as image:
        deep = image.mode.startswith("I")
    return values / (65535 if deep else 255)


def _read_npy(path: Path) -> NDArray[np.float64]:
    try:
        return _unit(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no NumPy array ({error}); save one with numpy.save.") from None


def _read_mat(path: Path) -> NDArray[np.float64]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path)
    except (OSError, ValueError, MatReadError, NotImplementedError) as error:
        raise UserError(f"{path} is no MATLAB file up to version 7 ({error}).") from None
    arrays = [value for key, value in content.items() if not key.startswith("__")]
    if len(arrays) != 1:
        raise UserError(f"{path} holds {len(arrays)} variables; an edge map is the only one.")
    return _unit(arrays[0])


def _unit(values: NDArray[Any]) -> NDArray[np.float64]:
    """Integers are of their type's full range; floats are taken as they are."""
    scale = np.iinfo(values.dtype).max if np.issubdtype(values.dtype, np.integer) else 1
    return np.asarray(values, dtype=np.float64) / scale
