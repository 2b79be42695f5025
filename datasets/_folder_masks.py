"""Your own folders: what a mask file says, or why that is open."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.data.images import LabelPage, grey_levels, labels_of, read_label_pages
from sambench.data.images.plausible import many_thin_colours
from sambench.errors import UserError
from sambench.truths import Instances

from ._instances import from_labels, without_empty
from ._label_maps import colour_labels, from_masks, one_object

OBJECTS = ("", "values", "colours")
BLACK = 0
MOST_OF_8_BITS, FEWEST_STEPS = 255, 20
"""A threshold of less than a twentieth of more than 8 bits was meant for 8."""


@dataclass(frozen=True)
class MaskReading:
    """How values of mask files become objects.

    Attributes:
        background: values that are not objects.
        ignore: values of pixels that do not count.
        threshold: what is as bright or brighter is the object; 0 for values that are labels.
        objects: "values" takes each value as an object even where they look like grey levels,
            "colours" takes each colour as one.
        page: of files with several pages, from 1; 0 takes each page as an object.

    Raises:
        UserError: an option is out of range.
    """

    background: tuple[int, ...] = (0,)
    ignore: tuple[int, ...] = ()
    threshold: float = 0.0
    objects: str = ""
    page: int = 0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.threshold) and self.threshold >= 0):
            raise UserError(f"threshold={self.threshold} is out of range; give more than 0.")
        if self.objects not in OBJECTS:
            raise UserError(f"objects={self.objects} is unknown; give values or colours.")
        if self.threshold and self.objects:
            raise UserError("threshold= and objects= exclude each other; leave one out.")

    def whole(self, path: Path, size: tuple[int, int]) -> Instances:
        """The objects of a file that holds all of an image of size (H, W).

        Raises:
            UserError: what they are is open.
        """
        pages = read_label_pages(path, size, self.page)
        if len(pages) > 1:
            _refuse_equal_pages(pages, path)
            return self._combined([(page, path) for page in pages], size)
        if self.threshold:
            return without_empty(self._combined([(pages[0], path)]))
        labels = self._labels(pages[0], path)
        if self.objects != "values":
            self._refuse_grey_levels(labels, pages[0], path)
        return from_labels(labels, self.background, self.ignore)

    def singles(self, paths: Sequence[Path], size: tuple[int, int]) -> Instances:
        """The objects of an image, of size (H, W), with a file for each.

        Raises:
            UserError: a file has several pages, or what its object is is open.
        """
        found = []
        for path in paths:
            pages = read_label_pages(path, size, self.page)
            if len(pages) > 1:
                raise UserError(
                    f"{path} has {len(pages)} pages, but a file for each object has one; choose "
                    "one with page=N, or name the file as its image."
                )
            found.append((pages[0], path))
        return self._combined(found, size)

    def _combined(
        self, found: list[tuple[LabelPage, Path]], each: tuple[int, int] | None = None
    ) -> Instances:
        """An object for each page.

        Args:
            found: pages and their files.
            each: size (H, W) of the image if each page must show its object; a file that holds all
                of an image may show none.

        Raises:
            UserError: a page shows none: no prompt and no proposal could find it.
        """
        objects = [self._object(page, path) for page, path in found]
        empty = [n for n, (mask, _) in enumerate(objects) if mask.shape == each and not mask.any()]
        if empty:
            raise UserError(_without_object([path for _, path in found], empty[0]))
        return from_masks(
            [mask for mask, _ in objects], [path for _, path in found], [u for _, u in objects]
        )

    def _object(self, page: LabelPage, path: Path) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """The only object of a page (H, W), and the pixels that do not count."""
        if self.threshold:
            values = self._bright(page, path)
            unknown = np.isin(values, self.ignore)
            return (values >= self.threshold) & ~unknown, unknown
        labels = self._labels(page, path)
        mask = one_object(labels, path, self.background, self.ignore)
        return mask, np.isin(labels, self.ignore)

    def _labels(self, page: LabelPage, path: Path) -> NDArray[np.int64]:
        """A page as labels (H, W): its values, or its colours."""
        if self.objects == "colours":
            return _colours(page, path)
        _refuse_colours(page, path)
        values = page.values
        if page.palette is not None and not self.objects:
            _refuse_moved_black(values, page.palette, path)
            values = self._named_greys(values, page.palette, path)
        if values.dtype.kind == "f" and (np.rint(values) != values).any():
            raise UserError(f"{_range(values, path)}, which are not labels; {_REMEDY}.")
        labels = labels_of(values, path)
        known = np.isin(labels, [*self.background, *self.ignore])
        if (labels[~known] < 0).any():
            raise UserError(
                f"{path} has the value {labels[~known].min()}, which is negative; add it to "
                "background= or ignore=, or number the objects from 1."
            )
        if page.lossy and len(np.unique(labels[~known])) > 1:
            raise UserError(
                f"{path} is stored with loss (JPEG, WebP), which changes values; {_REMEDY}, or "
                "save labels as PNG."
            )
        return labels

    def _named_greys(
        self, values: NDArray[Any], palette: NDArray[np.uint8], path: Path
    ) -> NDArray[Any]:
        """Greys of a palette (H, W), where options name one: a GIF has no other way to store them.

        Raises:
            UserError: a value that an option names is a grey that a stored value is too.
        """
        named = {*self.background, *self.ignore} - {BLACK}
        stored = np.unique(values)
        if not named or not _is_grey(values, palette) or (palette[stored, 0] == stored).all():
            return values
        if named & set(stored.tolist()):
            raise UserError(
                f"{path} has a palette of greys, so whether {min(named & set(stored.tolist()))} is "
                "a stored value or a grey is open; save it as grey without a palette."
            )
        greys: NDArray[np.uint8] = palette[values, 0]
        return greys

    def _bright(self, page: LabelPage, path: Path) -> NDArray[Any]:
        """How bright each pixel (H, W) is.

        Raises:
            UserError: the threshold is not on the scale of the values, or they have colours.
        """
        _refuse_colours(page, path)
        values = page.values
        if page.palette is not None:
            if not _is_grey(values, page.palette):
                raise UserError(f"{path} has a palette of colours; threshold= is for grey masks.")
            values = page.palette[values, 0]
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise UserError(f"{path} has values that are NaN or infinite; replace them.")
        greatest = float(values.max(initial=0))
        if values.dtype.kind == "f" and values.min(initial=0) < 0:
            raise UserError(
                f"{_range(values, path)}, but threshold= is for values from 0; save 0 and 1."
            )
        fine = greatest > MOST_OF_8_BITS and self.threshold * FEWEST_STEPS < greatest
        if (self.threshold > 1 and 0 < greatest <= 1) or self.threshold < 1 < greatest or fine:
            middle = "0.5" if greatest <= 1 else "128"
            raise UserError(
                f"{_range(values, path)}, so threshold={self.threshold:g} is on another scale; "
                f"give one such as {f'{greatest / 2:.0f}' if fine else middle}."
            )
        return values

    def _refuse_grey_levels(self, labels: NDArray[np.int64], page: LabelPage, path: Path) -> None:
        skipped = np.isin(labels, [*self.background, *self.ignore])
        if self.objects == "colours":
            if many_thin_colours(np.where(skipped, 0, labels)):
                raise UserError(
                    f"{path} has {len(np.unique(labels))} colours, most of them only where others "
                    "meet, as blended edges are; save it without smooth edges."
                )
            return
        shown = labels
        if page.palette is not None and _is_grey(page.values, page.palette):
            shown = page.palette[page.values, 0].astype(np.int64)
        why = grey_levels(shown, skipped)
        if why:
            middle = np.unique(shown[~skipped])[0]
            unknown = f", or ignore={middle} if that is unknown" if why.endswith("trimap") else ""
            raise UserError(
                f"{path} has {why}, not an object each; {_REMEDY}{unknown}, or objects=values if "
                "they are."
            )


_REMEDY = "give threshold= to take what is as bright as that, such as 128 of 255 or 0.5 of 1"


def _range(values: NDArray[Any], path: Path) -> str:
    return f"{path} has values from {values.min():g} to {values.max():g}"


def _colours(page: LabelPage, path: Path) -> NDArray[np.int64]:
    """Each colour as a label: red * 65536 + green * 256 + blue, so black is 0.

    Raises:
        UserError: it has no colours, or they are changed by loss.
    """
    if page.lossy:
        raise UserError(f"{path} is stored with loss, which changes colours; save it as PNG.")
    if page.in_colour:
        return colour_labels(page.values)
    if page.palette is not None:
        return colour_labels(page.palette[page.values])
    if page.values.dtype != np.uint8:
        raise UserError(f"{path} has no colours; leave objects=colours out.")
    return colour_labels(np.repeat(page.values[..., None], 3, axis=2))


def _without_object(paths: Sequence[Path], place: int) -> str:
    path = paths[place]
    if paths.count(path) > 1:
        return f"{path}: page {place + 1} has no object; save the pages without it."
    return f"{path} has no object, but a file for each object has one; take it away."


def _refuse_equal_pages(pages: Sequence[LabelPage], path: Path) -> None:
    """Equal channels of a grey picture are not objects of their own."""
    first = pages[0].values
    if first.any() and all(np.array_equal(page.values, first) for page in pages[1:]):
        raise UserError(
            f"{path} has {len(pages)} equal pages or channels, which are not an object each; save "
            "one of them, or choose it with page=1."
        )


def _refuse_colours(page: LabelPage, path: Path) -> None:
    if page.in_colour:
        raise UserError(
            f"{path} has colours; give objects=colours if each colour is an object (black being "
            "the background), or save labels as grey."
        )


def _refuse_moved_black(values: NDArray[Any], palette: NDArray[np.uint8], path: Path) -> None:
    """Programs that sort palettes move black, the background, to another value than 0."""
    black = [v for v in np.unique(values).tolist() if v and not palette[v].any()]
    if black and palette[BLACK].any():
        raise UserError(
            f"{path} has a palette whose value {black[0]} is black and whose value 0 is not; give "
            "objects=colours if black is the background, or objects=values if 0 is."
        )


def _is_grey(values: NDArray[Any], palette: NDArray[np.uint8]) -> bool:
    used = palette[np.unique(values)]
    return bool((used == used[:, :1]).all())
