"""The samples that a file stores, if they are not unsigned 8-bit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sambench.data.images.files import load, opened_again
from sambench.errors import UserError

BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339
UNSIGNED, SIGNED = 1, 2
GREY_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
OTHER_ORDER = {
    ";16B": ";16L",
    ";16L": ";16B",
    ";16N": ";16B" if sys.byteorder == "little" else ";16L",
}
"""Pillow keeps the high byte of a colour of 16 bits; told the other order, it keeps the low one."""


def is_deep(image: Image.Image) -> bool:
    """Whether an image that is not decoded yet has samples of more than 8 bits, signs or floats."""
    if image.mode in GREY_MODES or bits(image) > 8 or _tags(image, SAMPLE_FORMAT) == (SIGNED,):
        return True
    return any(";16" in raw for raw in rawmodes(image)) or _maximum(image) > 255


def bits(image: Image.Image) -> int:
    """Bits a sample, as a TIFF states them; 0 for other formats."""
    return max(_tags(image, BITS_PER_SAMPLE), default=0)


def white_is_zero(image: Image.Image) -> bool:
    """Whether a TIFF stores what is white as 0."""
    return _tags(image, PHOTOMETRIC) == (0,)


def rawmodes(image: Image.Image) -> list[str]:
    """How Pillow calls the layout of an image's stored samples, of each of its tiles."""
    args = [tile.args for tile in getattr(image, "tile", [])]
    return [str(arg[0] if isinstance(arg, tuple) and arg else arg) for arg in args]


def deep_samples(image: Image.Image, path: Path) -> tuple[NDArray[Any], tuple[float, float]]:
    """Samples (H, W), or (H, W, 3) of a colour image, and the range that their type can hold.

    Raises:
        UserError: the file stores them in a way that is not read.
    """
    raw = set(rawmodes(image))
    if raw and raw <= _COLOURS:
        return _colours(image, path), (0, 2**16 - 1)
    if image.mode not in (*GREY_MODES, "L"):
        raise UserError(
            f"{path} has samples of more than 8 bits in a layout that is not read; convert it to "
            "8 bits, or to grey or RGB of 16 bits."
        )
    return grey_samples(image)


_COLOURS = frozenset(
    channels + depth for channels in ("RGB", "RGBA", "RGBX") for depth in OTHER_ORDER
)


def grey_samples(image: Image.Image) -> tuple[NDArray[Any], tuple[float, float]]:
    """Stored samples (H, W) of an image of one channel, and the range that their type can hold."""
    depth, sign = bits(image), (*_tags(image, SAMPLE_FORMAT), UNSIGNED)[0]
    load(image)
    samples = np.asarray(image)
    if samples.dtype.kind == "f":
        return samples, (0.0, 1.0)
    if depth == 8 and sign == SIGNED:
        samples = samples.view(np.int8)
    elif depth == 32 and sign == UNSIGNED and samples.dtype == np.int32:
        samples = samples.view(np.uint32)
    if sign == SIGNED:
        return samples, (-(2.0 ** (depth - 1)), 2.0 ** (depth - 1) - 1)
    return samples, (0.0, 2.0 ** (depth or 16) - 1)


def _colours(image: Image.Image, path: Path) -> NDArray[np.uint16]:
    """(H, W, 3): decoded twice, once for the high bytes and once for the low ones."""
    frame = image.tell()
    load(image)
    high = np.asarray(image)[..., :3].astype(np.uint16)
    with opened_again(path, frame) as again:
        again.tile = [_other_order(tile) for tile in again.tile]  # type: ignore[attr-defined]
        load(again)
        low = np.asarray(again)[..., :3]
    samples: NDArray[np.uint16] = high << 8 | low
    return samples


def _other_order(tile: Any) -> Any:
    raw = tile.args if isinstance(tile.args, str) else tile.args[0]
    other = raw[:-4] + OTHER_ORDER[raw[-4:]]
    return tile._replace(args=other if isinstance(tile.args, str) else (other, *tile.args[1:]))


def _tags(image: Image.Image, number: int) -> tuple[int, ...]:
    value = getattr(image, "tag_v2", {}).get(number, ())
    return tuple(value) if isinstance(value, tuple) else (value,)


def _maximum(image: Image.Image) -> int:
    """The greatest sample that a file of Netpbm's formats states; 255 for other formats."""
    if image.format != "PPM":
        return 255
    args = [tile.args for tile in getattr(image, "tile", [])]
    return max((a[1] for a in args if isinstance(a, tuple) and len(a) == 2), default=255)
