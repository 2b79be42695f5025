"""Label images of clips whose values must be numbers of objects, or one object's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sambench.data.images import grey_levels, read_labels
from sambench.data.images.files import opened
from sambench.errors import UserError
from sambench.shown import RLE
from sambench.video import Clip, Tracks
from sambench.video.tracks import values_in

from ._clips import LabelReading

RED, GREEN, BLUE, WHOLE = 19595, 38470, 7471, 65536
"""Weights of the luminance of ITU-R BT.601 in whole numbers, as Pillow and OpenCV have them."""
FEW = 16
"""So many objects are looked for by the luminance of their colours; clips hardly have more."""


def luminance(id: int) -> int:
    """The grey level that an object's colour in a palette of DAVIS becomes, 38 of object 1."""
    colour = [sum((id >> 3 * k + c & 1) << 7 - k for k in range(3)) for c in range(3)]
    weighed = sum(w * v for w, v in zip((RED, GREEN, BLUE), colour, strict=True))
    return (weighed + WHOLE // 2) // WHOLE


GREYS = frozenset(map(luminance, range(1, FEW + 1)))
VOID_GREY = luminance(255)


@dataclass(frozen=True)
class NumberReading(LabelReading):
    """As `LabelReading`; grey images whose values are no numbers of objects are refused.

    Such are the levels of smooth or compressed outlines, each of which would be an object, and
    the luminances of colours, into which programs turn a palette that they open as grey: objects
    would be numbered otherwise, and void would be one.
    """

    def tracks(self, clip: Clip, masks: Mapping[int, Path]) -> Tracks:
        """What the label images of a clip say.

        Raises:
            UserError: one is of another size than the clip, or has values that are no objects.
        """
        found = super().tracks(clip, masks)
        if self.merged or len(found) > 1:
            grey = [path for path in masks.values() if self._is_grey(path)]
            values = {*found.ids} - {VOID_GREY}
            if grey and luminance(1) in values and values <= GREYS:
                shown = " and ".join(map(str, found.ids[:2]))
                raise UserError(
                    f"{grey[0].parent} has masks with the values {shown}, which colours of objects "
                    "become in grey; give the palette images themselves, whose values are numbers."
                )
        return found

    def _is_grey(self, path: Path) -> bool:
        """Whether a label image has no palette.

        Raises:
            UserError: its values are those of smooth or compressed outlines.
        """
        with opened(path) as image:
            if image.mode == "P":
                return False
        labels = read_labels(path)
        several = len(values_in(labels)) > 2  # else it is of background and an object
        why = grey_levels(labels, labels == self.void) if several else ""
        if why:
            raise UserError(
                f"{path} has {why}, not an object each; save masks without smooth edges and "
                "without loss, one value an object."
            )
        return True


@dataclass(frozen=True)
class SingleReading(LabelReading):
    """Of files of one object alone, number 1, which is whatever is not 0."""

    def frame(self, path: Path, size: tuple[int, int]) -> dict[int, RLE]:
        """The object of one file, or nothing.

        Raises:
            UserError: as `LabelReading.frame`, or there are several values beside 0.
        """
        found = super().frame(path, size)
        if len(found) > 1:
            raise UserError(
                f"{path} has {len(found)} values beside 0, and a file in an object's own folder "
                "has one; fetch it again."
            )
        return dict(zip((1,), found.values(), strict=False))
