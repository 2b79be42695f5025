"""Image files: open them, choose a page, decode it, or report what is wrong."""

from __future__ import annotations

import re
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sambench.errors import UserError

MOST_PIXELS = 2**29
"""About 537 megapixels, or 23,000 x 23,000: twice that much memory as RGB is what a laptop has."""
COMMON_PIXELS = 2**26
"""Of fewer pixels Pillow never warns."""
ONE_PICTURE = frozenset({"MPO", "ICO"})
"""Formats whose further frames are previews or other sizes of the first."""
DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    ArithmeticError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on damaged files."""
REDUCED_IMAGE, NEW_SUBFILE_TYPE, DESCRIPTION = 1, 254, 270
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_CONTENTS = (
    (rb"version https://git-lfs", "a Git LFS pointer, not the image: run `git lfs pull`"),
    (rb"\s*<(!doctype\s+html|html|head)", "a web page, not an image: download the file again"),
    (rb"\s*<(\?xml|svg)", "XML or SVG, not pixels: download it again or convert it to PNG"),
    (rb"\s*[\[{]", "JSON or other text, not an image: download it again or leave it out"),
    (rb".{4}ftyp(hei|hev|mif|msf)", "HEIC, which is not read here: convert it to PNG or JPEG"),
    (rb"%PDF", "a PDF, not an image: convert its page to PNG"),
    (rb".{128}DICM", "DICOM, which is not read here: convert it to 8-bit PNG"),
    (rb"(\x5c\x01\0\0|\0\0\x01\x5c)", "NIfTI, which is not read here: convert its slices to PNG"),
    (rb".{344}(n\+1|ni1)\0", "NIfTI, which is not read here: convert its slices to PNG"),
    (rb"\x93NUMPY", "a NumPy array, not an image: save it as PNG or TIFF"),
    (rb"\x89HDF", "HDF5, which is not read here: convert it to PNG or TIFF"),
    (rb"\x1f\x8b", "compressed with gzip: unpack it, and convert it to PNG if it is NIfTI"),
    (rb"PK\x03\x04", "a ZIP archive: unpack it"),
    (rb"II[*+]\0|MM\0[*+]", "a TIFF in a form that is not read: convert it to 8-bit RGB or grey"),
    (rb"\xff\xd8\xff", "a JPEG in a form that is not read, or damaged: save it anew as 8-bit RGB"),
)
"""First bytes of files that are not readable images -> what they are, and the remedy."""
_LIMIT = threading.Lock()


@contextmanager
def opened(path: Path, page: int = 0, ask: str = "") -> Iterator[Image.Image]:
    """One page of an image file, not decoded yet.

    Args:
        path: the file.
        page: from 1; 0 for the only one.
        ask: how the caller's option for the page is written; "" if it has none.

    Raises:
        UserError: the file is missing, no image or too large, or has other pages than asked for.
    """
    with _open(path) as image:
        if image.width * image.height > MOST_PIXELS:
            raise UserError(
                f"{path} has {image.width} x {image.height} pixels, more than the "
                f"{MOST_PIXELS / 1e6:.0f} million that are read at once; cut it into tiles or "
                "shrink it, and its masks alike."
            )
        with damage_of(path):
            image.seek(chosen(pages(image), page, path, ask))
        yield image


@contextmanager
def opened_again(path: Path, frame: int) -> Iterator[Image.Image]:
    """The same image at a frame that `opened` chose."""
    with _open(path) as image:
        image.seek(frame)
        yield image


def chosen(found: list[int], page: int, path: Path, ask: str) -> int:
    """The frame of a page.

    Args:
        found: frames that are pages.
        page: from 1; 0 for the only one.
        path: for the message.
        ask: how the caller's option is written.

    Raises:
        UserError: no page is named where there are several, or one that does not exist.
    """
    if page > len(found):
        raise UserError(f"{path} has no page {page}, only {len(found)}; give a page that it has.")
    if page == 0 and len(found) > 1:
        way = f"choose one with {ask}, from 1" if ask else "save the one that is meant as a file"
        raise UserError(f"{path} has {len(found)} pages or frames; {way}.")
    return found[max(page, 1) - 1]


def pages(image: Image.Image) -> list[int]:
    """Frames of an image that are pages of their own: no previews, no smaller copies.

    Raises:
        UserError: the file has no page but a preview, or is a stack of ImageJ whose pages Pillow
            does not find.
    """
    count = 1 if image.format in ONE_PICTURE else getattr(image, "n_frames", 1)
    if image.format != "TIFF":
        return list(range(count))
    told = re.search(r"^ImageJ=.*?^images=(\d+)", str(_tag(image, DESCRIPTION)), re.S | re.M)
    if count == 1 and told and int(told[1]) > 1:
        raise UserError(f"{_name(image)} is a stack of {told[1]}; save its pages as files.")
    found = []
    for frame in range(count):
        image.seek(frame)
        if not int(_tag(image, NEW_SUBFILE_TYPE) or 0) & REDUCED_IMAGE:
            found.append(frame)
    if not found:
        raise UserError(
            f"{_name(image)} shows only a preview, as raw files of cameras do; convert it to JPEG "
            "or 8-bit PNG."
        )
    return found


def _name(image: Image.Image) -> str:
    return str(getattr(image, "filename", "the image"))


def _tag(image: Image.Image, number: int) -> Any:
    return getattr(image, "tag_v2", {}).get(number)


def _open(path: Path) -> Image.Image:
    try:
        with _any_size():
            return Image.open(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path.") from None
    except UnidentifiedImageError:
        image = _by_tifffile(path)
        if image is None:
            raise UserError(f"{path} {instead(path)}.") from None
        return image
    except DAMAGE as error:
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{path} cannot be read ({error.strerror}).") from None
        raise UserError(f"{path} is damaged ({error}); fetch it again.") from None


@contextmanager
def _any_size() -> Iterator[None]:
    """Pillow's own limit is for pictures from strangers; `MOST_PIXELS` takes its place."""
    with _LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def load(image: Image.Image) -> None:
    """Decode an image, of whatever size; images of common sizes in parallel."""
    if image.width * image.height < COMMON_PIXELS:
        image.load()
        return
    with _any_size():
        image.load()


def instead(path: Path) -> str:
    """What a file that is not an image is, and the remedy: the rest of a sentence."""
    known = kind_of(path)
    if not known and not path.stat().st_size:
        return "is empty; download or save it again"
    return f"is {known or 'not an image, or damaged: replace it or leave it out'}"


def kind_of(path: Path) -> str:
    """What a file begins like that is none of an image's formats, and the way out; else ""."""
    with path.open("rb") as file:
        start = file.read(512)
    found = (words for magic, words in _CONTENTS if re.match(magic, start, re.I | re.S))
    return next(found, "")


def _by_tifffile(path: Path) -> Image.Image | None:
    """Grey TIFFs of 16 or 64 bits that Pillow does not know, as an image of 32-bit floats."""
    with path.open("rb") as file:
        if file.read(4) not in TIFF_MAGIC:
            return None
    from tifffile import TiffFile, TiffFileError

    try:
        with TiffFile(path) as tiff:
            if len(tiff.pages) != 1 or tiff.pages[0].ndim != 2:
                return None
            samples = tiff.pages[0].asarray()
    except (*DAMAGE, MemoryError, TiffFileError):
        return None
    image = Image.fromarray(samples.astype(np.float32))
    image.format = "TIFF"
    return image if exactly(image, samples) else None


def exactly(image: Image.Image, samples: NDArray[np.generic]) -> bool:
    """Whether floats of 32 bits hold whole numbers as they are."""
    return samples.dtype.kind == "f" or bool((np.asarray(image) == samples).all())


@contextmanager
def damage_of(path: Path) -> Iterator[None]:
    """What goes wrong while a file is decoded is told as damage, or as too large.

    Raises:
        UserError: instead of a decoder's errors.
    """
    try:
        yield
    except UserError:
        raise
    except MemoryError:
        raise UserError(
            f"{path} is too large for the memory of this machine; cut it into tiles or shrink it."
        ) from None
    except DAMAGE as error:
        raise UserError(f"{path} is damaged ({error}); fetch it again.") from None
