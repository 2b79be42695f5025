"""Masks in the forms that datasets ship them: labels, grey, colours, one file each, MAT files."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sambench.errors import UserError
from sambench.images import image_size, read_labels, read_rgb
from sambench.interfaces import Instances

from ._instances import encode, from_rles


def read_grey(path: Path) -> NDArray[np.int64]:
    """Grey values (H, W) of a mask that may be stored with three equal channels.

    Raises:
        UserError: it cannot be read, or it has colours.
    """
    rgb = read_rgb(path)
    if (rgb != rgb[..., :1]).any():
        raise UserError(f"{path} has colours; a mask is grey.")
    return rgb[..., 0].astype(np.int64)


def read_ids(path: Path) -> NDArray[np.int64]:
    """Labels (H, W) of an image of one channel; of a colour image each colour is a label.

    A colour is red * 65536 + green * 256 + blue, so black is 0.

    Raises:
        UserError: it cannot be read.
    """
    image_size(path)  # refuses what is no image
    with Image.open(path) as image:
        channels = len(image.getbands())
    if channels == 1:
        return read_labels(path)
    red, green, blue = np.moveaxis(read_rgb(path).astype(np.int64), 2, 0)
    labels: NDArray[np.int64] = (red << 16) | (green << 8) | blue
    return labels


def from_single_masks(
    paths: Sequence[Path], background: Sequence[int] = (0,), ignore: Sequence[int] = ()
) -> Instances:
    """One label file for each object of an image: all values but background are the object.

    Args:
        paths: at least one file; ids are their places, from 1.
        background: values that are not the object.
        ignore: values of pixels that do not count.

    Raises:
        UserError: a file cannot be read, or their sizes differ.
    """
    labels = [read_labels(path) for path in paths]
    for path, values in zip(paths, labels, strict=True):
        if values.shape != labels[0].shape:
            raise UserError(
                f"{path} has size {values.shape}, {paths[0]} has {labels[0].shape}; masks of one "
                "image must have one size."
            )
    unknown: NDArray[np.bool_] = np.any([np.isin(values, ignore) for values in labels], axis=0)
    rles = [encode(~np.isin(values, [*background, *ignore])) for values in labels]
    height, width = labels[0].shape
    return from_rles((height, width), rles, ignore=unknown if unknown.any() else None)


def as_labels(values: Any, path: Path) -> NDArray[np.int64]:
    """A label map of a MAT file, which stores whole numbers as floats too, (H, W).

    Raises:
        UserError: it is no matrix of whole numbers.
    """
    labels = np.asarray(values)
    if labels.ndim != 2 or not labels.size or labels.dtype.kind not in "buif":
        raise UserError(
            f"{path} has a label map of shape {labels.shape} and type {labels.dtype}, expected a "
            "matrix of whole numbers; fetch it again."
        )
    if not (np.isfinite(labels) & (labels == np.trunc(labels))).all():
        raise UserError(
            f"{path} has a label map with values that are no whole numbers; fetch it again."
        )
    return labels.astype(np.int64)


def read_mat(path: Path, key: str) -> Any:
    """One variable of a MATLAB file (version 5 to 7.2).

    Raises:
        UserError: it cannot be read, or it has no such variable.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        return loadmat(path)[key]
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path.") from None
    except KeyError:
        raise UserError(f'{path} has no variable "{key}"; fetch it again.') from None
    except (MatReadError, OSError, ValueError, TypeError, NotImplementedError, zlib.error) as error:
        raise UserError(f"{path} is no readable MATLAB file ({error}); fetch it again.") from None
