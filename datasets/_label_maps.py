"""Masks in the forms that datasets ship them: labels, grey, colours, one file each, MAT files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.data.images import channels, read_labels, read_rgb
from sambench.data.mat_files import load_mat
from sambench.errors import UserError
from sambench.truths import Instances

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
    if channels(path) == 1:
        return read_labels(path)
    return colour_labels(read_rgb(path))


def colour_labels(rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Colours (H, W, 3) as labels (H, W): red * 65536 + green * 256 + blue, so black is 0."""
    red, green, blue = np.moveaxis(rgb.astype(np.int64), 2, 0)
    labels: NDArray[np.int64] = (red << 16) | (green << 8) | blue
    return labels


def from_single_masks(
    paths: Sequence[Path], background: Sequence[int] = (0,), ignore: Sequence[int] = ()
) -> Instances:
    """One label file for each object of an image: the one value beside background is the object.

    Args:
        paths: at least one file; ids are their places, from 1.
        background: values that are not the object.
        ignore: values of pixels that do not count.

    Raises:
        UserError: a file cannot be read or has several values, or their sizes differ.
    """
    labels = [read_labels(path) for path in paths]
    masks = [
        one_object(values, path, background, ignore)
        for values, path in zip(labels, paths, strict=True)
    ]
    return from_masks(masks, paths, [np.isin(values, ignore) for values in labels])


def one_object(
    labels: NDArray[np.int64], path: Path, background: Sequence[int], ignore: Sequence[int]
) -> NDArray[np.bool_]:
    """The mask (H, W) of the only object of a label image.

    Raises:
        UserError: there are several values beside background and ignored ones, such as the grey
            levels of a smooth outline.
    """
    mask: NDArray[np.bool_] = ~np.isin(labels, [*background, *ignore])
    values = np.unique(labels[mask])
    if len(values) > 1:
        shown = ", ".join(map(str, values[:3])) + (" and others" if len(values) > 3 else "")
        raise UserError(
            f"{path} has {len(values)} values beside the background ({shown}), but a file or page "
            "for each object has one; give threshold= to take what is as bright as that, such as "
            "128 of 255, or ignore= for values that do not count."
        )
    return mask


def from_masks(
    masks: Sequence[NDArray[np.bool_]],
    paths: Sequence[Path],
    unknown: Sequence[NDArray[np.bool_]],
) -> Instances:
    """Masks (H, W) of single objects -> the objects of an image; ids are their places, from 1.

    Args:
        masks: at least one.
        paths: their files, for messages.
        unknown: for each the pixels that do not count; no metric counts what is in one of them.

    Raises:
        UserError: their sizes differ.
    """
    for path, mask in zip(paths, masks, strict=True):
        if mask.shape != masks[0].shape:
            raise UserError(
                f"{path} has size {mask.shape}, {paths[0]} has {masks[0].shape}; masks of one "
                "image must have one size."
            )
    anywhere: NDArray[np.bool_] = np.any(unknown, axis=0)
    height, width = masks[0].shape
    rles = [encode(mask & ~part) for mask, part in zip(masks, unknown, strict=True)]
    return from_rles((height, width), rles, ignore=anywhere if anywhere.any() else None)


def as_labels(values: Any, path: Path) -> NDArray[np.int64]:
    """A label map of a MAT file, which stores whole numbers as floats too, (H, W).

    Raises:
        UserError: it is not a matrix of whole numbers.
    """
    labels = np.asarray(values)
    if labels.ndim != 2 or not labels.size or labels.dtype.kind not in "buif":
        raise UserError(
            f"{path} has a label map of shape {labels.shape} and type {labels.dtype}, expected a "
            "matrix of whole numbers; fetch it again."
        )
    if not (np.isfinite(labels) & (labels == np.trunc(labels))).all():
        raise UserError(
            f"{path} has a label map with values that are not whole numbers; fetch it again."
        )
    return labels.astype(np.int64)


def read_mat(path: Path, key: str) -> Any:
    """One variable of a MATLAB file (version 5 to 7.2).

    Raises:
        UserError: it cannot be read, or it has no such variable.
    """
    content = load_mat(path)
    if key not in content:
        raise UserError(f'{path} has no variable "{key}"; fetch it again.')
    return content[key]
