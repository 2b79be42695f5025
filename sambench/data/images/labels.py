"""Label images and masks from files: the stored values, or refused in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sambench.data.images.files import chosen, damage_of, kind_of, load, opened, pages
from sambench.data.images.orientation import UPRIGHT, Size, orientation_of
from sambench.data.images.samples import GREY_MODES, grey_samples, is_deep, rawmodes, white_is_zero
from sambench.errors import UserError

LOSSY = frozenset({"JPEG", "MPO", "WEBP", "AVIF", "JPEG2000"})
LOSSY_IN_TIFF = frozenset({"jpeg", "tiff_jpeg", "webp", "lerc"})
"""Ways in which a TIFF may be compressed that change values."""
ARRAYS = frozenset({".npy", ".npz"})
SPREAD = {"L;4": 17, "L;2": 85}
"""Pillow multiplies grey values of 4 and 2 bits to fill 8; labels are the values themselves."""
OPAQUE = 255
NEARLY_GREY = 24
"""So far apart are the channels of a grey image that was stored with loss as a colour image."""


@dataclass(frozen=True)
class LabelPage:
    """What one page of a file says.

    Attributes:
        values: (H, W) of integers, bool or floats; of a colour image (H, W, 3) uint8.
        lossy: whether its format changes values: JPEG, also in a TIFF, and WebP of either kind.
        palette: (N, 3) uint8, the colours of the values of a palette image.
    """

    values: NDArray[Any]
    lossy: bool = False
    palette: NDArray[np.uint8] | None = None

    @property
    def in_colour(self) -> bool:
        """Whether the values are colours."""
        return self.values.ndim == 3


def read_labels(path: Path) -> NDArray[np.int64]:
    """Read a label image, a mask or a palette PNG as (H, W) int64: the stored values.

    A colour image is refused: its labels are written by a rule that only its dataset knows.

    Raises:
        UserError: the file is missing, damaged, no image, has several channels or pages, or values
            that are not whole.
    """
    with opened(path) as image, damage_of(path):
        if image.mode not in (*GREY_MODES, "1", "L", "P"):
            raise UserError(
                f"{path} has {len(image.getbands())} channels; a label image has one: give the "
                "palette or grey image whose values are the labels."
            )
        page = _page(image, path)
    return labels_of(page.values, path)


def channels(path: Path) -> int:
    """How many channels an image file has; a palette is one.

    Raises:
        UserError: it cannot be read.
    """
    with opened(path) as image:
        return len(image.getbands())


def labels_of(values: NDArray[Any], path: Path) -> NDArray[np.int64]:
    """Values (H, W) of any type as labels, int64.

    Raises:
        UserError: they are not whole numbers.
    """
    if values.dtype.kind == "f":
        broken = ~np.isfinite(values) | (values != np.rint(values))
        if broken.any():
            shown = values[broken][0]
            raise UserError(
                f"{path} has the value {shown:g}, but labels are whole numbers; save it as such."
            )
    return values.astype(np.int64)


def read_label_pages(path: Path, size: Size, page: int = 0) -> tuple[LabelPage, ...]:
    """Read all that a label file holds: an image of one or more pages, or a NumPy file.

    Args:
        path: the file.
        size: (H, W) of the image that it belongs to, which tells where a NumPy file of three
            dimensions has its pages.
        page: from 1, the one to read of a file with several; 0 reads all.

    Raises:
        UserError: the file is missing, damaged, neither of the two, or partly transparent.
    """
    if path.suffix.lower() in ARRAYS:
        layers = _layers(_array(path), size, path)
        return tuple(LabelPage(layer) for layer in _of_page(layers, page, path))
    with opened(path, 1) as image, damage_of(path):
        count = len(pages(image))
    numbers = [page] if page and count > 1 else range(1, count + 1)
    found = []
    for number in numbers:
        with opened(path, number) as image, damage_of(path):
            found.append(_page(image, path))
    return tuple(found)


def _page(image: Image.Image, path: Path) -> LabelPage:
    """One page of an image file."""
    if orientation_of(image, path) != UPRIGHT:
        raise UserError(
            f"{path} has an EXIF orientation, so which way its labels lie is open; save it without "
            "(exiftool -Orientation= FILE)."
        )
    if white_is_zero(image):
        raise UserError(
            f"{path} says that 0 is white (TIFF's MinIsWhite), which programs read in two ways; "
            "save it as PNG."
        )
    lossy = image.format in LOSSY or image.info.get("compression") in LOSSY_IN_TIFF
    if image.mode in GREY_MODES or (image.mode == "L" and is_deep(image)):
        return LabelPage(grey_samples(image)[0])
    spread = {SPREAD.get(raw[:3], 1) for raw in rawmodes(image)} if image.mode == "L" else {1}
    load(image)
    if image.mode == "P":
        colours = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
        _refuse_transparent_values(image, path)
        return LabelPage(np.asarray(image), lossy, colours)
    if image.mode in ("1", "L"):
        return LabelPage(np.asarray(image) // np.uint8(max(spread, default=1)), lossy)
    return LabelPage(_grey_or_colours(image, path, lossy=lossy), lossy)


def _refuse_transparent_values(image: Image.Image, path: Path) -> None:
    """A palette may make 0, the background, transparent; colours alone do not tell others apart."""
    given = image.info.get("transparency", b"")
    alpha = dict(enumerate(given)) if isinstance(given, bytes) else {given: 0}
    shown = {alpha.get(value, OPAQUE) for value in np.unique(np.asarray(image)).tolist() if value}
    if not shown <= {OPAQUE} or alpha.get(0, OPAQUE) not in (0, OPAQUE):
        raise _transparent(path)


def _transparent(path: Path) -> UserError:
    return UserError(
        f"{path} has transparent pixels, so which of them are the object is open; save it as "
        "grey without alpha."
    )


def _grey_or_colours(image: Image.Image, path: Path, *, lossy: bool) -> NDArray[np.uint8]:
    """(H, W) if all channels are equal, else (H, W, 3)."""
    if is_deep(image):
        raise UserError(f"{path} has colours of more than 8 bits; save it as grey or 8-bit RGB.")
    if image.has_transparency_data and (np.asarray(image.convert("RGBA"))[..., 3] != OPAQUE).any():
        raise _transparent(path)
    colours = np.asarray(image.convert("RGB"))
    apart = int(np.ptp(colours, axis=2).max(initial=0))
    if apart == 0:
        return colours[..., 0]
    return np.asarray(image.convert("L")) if lossy and apart <= NEARLY_GREY else colours


def _array(path: Path) -> NDArray[Any]:
    """The only array of a NumPy file."""
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            arrays = [found] if isinstance(found, np.ndarray) else [found[key] for key in found]
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path.") from None
    except Exception as error:  # noqa: BLE001 (a damaged one raises anything)
        what = kind_of(path)
        if what and not what.startswith(("a NumPy", "a ZIP")):
            raise UserError(f"{path} is {what}.") from None
        if "pickle" in str(error):
            raise UserError(
                f"{path} holds Python objects, not an array (Cellpose writes such _seg.npy); save "
                "the masks as PNG or TIFF."
            ) from None
        raise UserError(f"{path} is not a readable NumPy file ({error}); save it again.") from None
    if len(arrays) != 1:
        raise UserError(f"{path} has {len(arrays)} arrays; save the masks as one alone.")
    array: NDArray[Any] = arrays[0]
    return array


def _layers(array: NDArray[Any], size: Size, path: Path) -> list[NDArray[Any]]:
    """An array of (H, W), (N, H, W) or (H, W, N) -> its layers (H, W)."""
    if array.dtype.kind not in "biuf":
        raise UserError(f"{path} has values of type {array.dtype}; labels are numbers.")
    if array.ndim == 2:
        return [array]
    first, last = array.shape[1:] == size, array.shape[:2] == size
    if array.ndim != 3 or first == last:
        raise UserError(
            f"{path} has the shape {array.shape}, which is not {size} (height, width) of its image "
            "with one axis for the objects, before or after; save it so."
        )
    if last and array.dtype == np.uint8 and array.shape[2] in (3, 4) and array.max(initial=0) > 1:
        raise UserError(
            f"{path} has the shape {array.shape}, which may be a picture in colours or "
            f"{array.shape[2]} objects; save colours as PNG, and objects as bool."
        )
    return list(array if first else np.moveaxis(array, 2, 0))


def _of_page(layers: list[NDArray[Any]], page: int, path: Path) -> list[NDArray[Any]]:
    if page == 0 or len(layers) == 1:
        return layers
    return [layers[chosen(list(range(len(layers))), page, path, "")]]
