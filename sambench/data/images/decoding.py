"""Photographs from files: (H, W, 3) uint8 RGB, the right way up, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sambench.data.images.files import damage_of, load, opened
from sambench.data.images.intensity import WAYS, Intensity
from sambench.data.images.orientation import (
    ORIENTATIONS,
    SWAPS_SIDES,
    UNDONE_BY,
    UPRIGHT,
    Size,
    decided,
    orientation_of,
    turned,
)
from sambench.data.images.samples import deep_samples, is_deep, white_is_zero
from sambench.errors import UserError

READ_AS_RGB = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr"}
)
"""Modes of Pillow that it converts to RGB as viewers show them."""
Annotated = Size | Callable[[], Size | None] | None
"""(H, W) that the annotations of an image are for, or what finds it out; None if unknown."""


@dataclass(frozen=True)
class Decoding:
    """Settles what an image file leaves open.

    Attributes:
        orientation: which pixels the annotations of an image with an EXIF orientation mean:
            displayed, stored, or "" for those that the annotated size fits alone.
        intensity: how samples of more than 8 bits become 8 bits; None refuses them.
        page: of a file with several pages or frames, from 1; 0 refuses them.
        option: how the caller's options are written, {} standing for the name, such as ``{}=`` or
            ``--{} ``; "" if it has none, then messages name what to do with the file.

    Raises:
        UserError: the orientation is unknown or the page negative.
    """

    orientation: str = ""
    intensity: Intensity | None = None
    page: int = 0
    option: str = ""

    def __post_init__(self) -> None:
        if self.orientation not in ("", *ORIENTATIONS):
            known = " or ".join(ORIENTATIONS)
            raise UserError(f"orientation {self.orientation} is unknown; give {known}.")
        if self.page < 0:
            raise UserError(f"page {self.page} is unknown; pages count from 1.")

    def ask(self, name: str, values: str) -> str:
        """How an option is given: ``page=N``; "" where there is no such option."""
        return self.option.format(name) + values if self.option else ""


PLAIN = Decoding()


def read_rgb(path: Path, how: Decoding = PLAIN, annotated: Annotated = None) -> NDArray[np.uint8]:
    """Read a photograph as (H, W, 3) uint8 RGB.

    Grey is repeated, alpha is dropped, palettes, CMYK and YCbCr are converted; colour profiles are
    not applied.

    Args:
        path: the file.
        how: settles what the file leaves open.
        annotated: the size that its annotations are for, or a function of no arguments for it,
            which is called only if the file has an EXIF orientation.

    Raises:
        UserError: the file is missing, damaged or no image, or it leaves open what `how` does not
            settle.
    """
    with opened(path, how.page, how.ask("page", "N")) as image:
        code = _turn(image, path, how, annotated)
        with damage_of(path):
            pixels = _mapped(image, path, how) if is_deep(image) else _shallow(image, path)
    return turned(pixels, code) if code != UPRIGHT else pixels


def image_size(path: Path, how: Decoding = PLAIN, annotated: Annotated = None) -> Size:
    """(H, W) of an image as `read_rgb` gives it, from the header of its file.

    Raises:
        UserError: as `read_rgb`, as far as the header tells.
    """
    with opened(path, how.page, how.ask("page", "N")) as image:
        size = image.height, image.width
        return size[::-1] if _turn(image, path, how, annotated) in SWAPS_SIDES else size


def _turn(image: Image.Image, path: Path, how: Decoding, annotated: Annotated) -> int:
    """The orientation to apply to what Pillow decodes: TIFFs come as displayed, others as stored.

    Raises:
        UserError: it is open.
    """
    with damage_of(path):
        code = orientation_of(image, path)
    if code == UPRIGHT:
        return UPRIGHT
    size = image.height, image.width
    as_displayed = image.format == "TIFF"
    stored = size[::-1] if as_displayed and code in SWAPS_SIDES else size
    known = annotated() if callable(annotated) else annotated
    ask = how.ask("orientation", " or ".join(ORIENTATIONS))
    wanted = decided(path, code, stored, how.orientation, known, ask)
    if as_displayed:
        return UPRIGHT if wanted == code else UNDONE_BY.get(code, code)
    return wanted


def _shallow(image: Image.Image, path: Path) -> NDArray[np.uint8]:
    """8 bits a sample."""
    load(image)
    if image.mode not in READ_AS_RGB:
        raise UserError(f"{path} has colours of the kind {image.mode}; convert it to RGB.")
    if image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
        raise UserError(
            f"{path} is a CMYK JPEG without Adobe's marker, which programs show in two ways; "
            "convert it to RGB."
        )
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"), dtype=np.uint8)


def _mapped(image: Image.Image, path: Path, how: Decoding) -> NDArray[np.uint8]:
    """More than 8 bits a sample."""
    if how.intensity is None:
        given = how.ask("intensity", WAYS)
        way = f"say how they become 8 bits with {given}" if given else "convert it to 8 bits"
        raise UserError(f"{path} has samples of more than 8 bits or floats; {way}.")
    inverted = white_is_zero(image)
    samples, most = deep_samples(image, path)
    grey_or_rgb = how.intensity.to_eight_bits(samples, most, path)
    if inverted:
        grey_or_rgb = 255 - grey_or_rgb
    if grey_or_rgb.ndim == 3:
        return grey_or_rgb
    return np.repeat(grey_or_rgb[..., None], 3, axis=2)
