"""EXIF orientation: which way up an image is, as its annotations mean it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from sambench.data.images.files import load, opened_again
from sambench.errors import UserError

UPRIGHT = 1
MIRRORED_OR_TURNED = frozenset(range(2, 9))
SWAPS_SIDES = frozenset(range(5, 9))
UNDONE_BY = {6: 8, 8: 6}
"""Orientations whose turn another one undoes; the others undo themselves."""
ORIENTATIONS = ("displayed", "stored")
Size = tuple[int, int]


def orientation_of(image: Image.Image, path: Path) -> int:
    """The EXIF orientation of an image that is not decoded yet, 1 to 8; 1 where it has none."""
    if image.format != "PNG" or "exif" in image.info:
        return _stated(image)
    if not _exif_at_the_end(path):
        return UPRIGHT
    with opened_again(path, image.tell()) as decoded:
        load(decoded)
        return _stated(decoded)


def _stated(image: Image.Image) -> int:
    code = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    return code if code in MIRRORED_OR_TURNED else UPRIGHT


def _exif_at_the_end(path: Path) -> bool:
    """Whether a PNG may have its EXIF data after the pixels, where opening does not find them."""
    content = path.read_bytes()
    return b"eXIf" in content or b"Raw profile type exif" in content


def decided(
    path: Path, code: int, stored: Size, wanted: str, annotated: Size | None, ask: str
) -> int:
    """The orientation to apply to the stored pixels.

    Args:
        path: for the message.
        code: of the file, 1 to 8.
        stored: (H, W) of the stored pixels.
        wanted: displayed, stored, or "" for as annotated.
        annotated: (H, W) that the annotation is for, if it is known.
        ask: how the caller's option is written; "" if it has none.

    Raises:
        UserError: the annotation does not decide.
    """
    if code == UPRIGHT or wanted == "stored":
        return UPRIGHT
    if wanted == "displayed":
        return code
    if code in SWAPS_SIDES and annotated is not None and stored[0] != stored[1]:
        if annotated == stored:
            return UPRIGHT
        if annotated == stored[::-1]:
            return code
    way = f"say which with {ask}, or " if ask else ""
    size = f", for a size of {annotated}," if annotated is not None else ""
    raise UserError(
        f"{path} has {stored} pixels (height, width) that its EXIF data turn when it is displayed "
        f"(orientation {code}), and its annotations{size} do not tell whether they mean the stored "
        f"or the displayed pixels; {way}save it turned and without that tag (ImageMagick: mogrify "
        "-auto-orient FILE), or remove the tag (exiftool -Orientation= FILE)."
    )


def turned(pixels: NDArray[np.uint8], code: int) -> NDArray[np.uint8]:
    """Stored pixels (H, W, C) as they are displayed."""
    upright = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: pixels[::-1].swapaxes(0, 1),
        7: pixels[::-1, ::-1].swapaxes(0, 1),
        8: pixels[:, ::-1].swapaxes(0, 1),
    }
    return np.ascontiguousarray(upright[code])
