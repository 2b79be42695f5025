"""A folder of edge maps made elsewhere, looked at as a whole before any map is scored.

What stands for 1 is decided once for all maps: one map by itself misleads, since a map of an image
with hardly an edge may have 1 as its greatest value though 255 stands for 1.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError

from ._edge_files import SLACK, find_map, maps_of, read_values

log = logging.getLogger(__name__)
FIRST = 0.01
"""First threshold of the benchmark."""
FAINT = 1 / 64
"""A map whose greatest value is below this part of full scale is likelier to be of another range,
0 to 255 among maps of 16 bits, or to 1023, than to be of an image with hardly an edge."""
THICK = 0.5
"""Share of strong pixels in blocks of 2 x 2, which was seen to be up to 0.2 after any edge NMS of
photographs, and from 0.93 before it."""
INVERTED = 0.5
"""Share of strong pixels among all: edges are few."""


@dataclass(frozen=True)
class Seen:
    """What is known of one map.

    Attributes:
        path: of the file.
        kind: "bool", "float", or the type of its integers.
        high: greatest value.
        strong: number of pixels of half the greatest value or more.
        blocked: how many of those lie in a block of 2 x 2 such pixels.
        pixels: number of all pixels.
    """

    path: Path
    kind: str
    high: float
    strong: int
    blocked: int
    pixels: int


def survey(stems: Sequence[Path]) -> list[Seen]:
    """Look at the maps of images, those that are there.

    Raises:
        UserError: none is there, or one cannot be read.
    """
    seen = [_look(find_map(stem)) for stem in stems if maps_of(stem)]
    if not seen:
        find_map(stems[0])  # says what is missing
    return seen


def _look(path: Path) -> Seen:
    values = read_values(path)
    kind = {"b": "bool", "f": "float"}.get(values.dtype.kind, str(values.dtype))
    high = float(values.max())
    strong = values >= high / 2 if high > 0 else np.zeros(values.shape, bool)
    return Seen(path, kind, high, int(strong.sum()), int(_blocked(strong).sum()), values.size)


def _blocked(strong: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pixels (H, W) lie in a block of 2 x 2 that is strong throughout."""
    blocks = strong[:-1, :-1] & strong[1:, :-1] & strong[:-1, 1:] & strong[1:, 1:]
    inside = np.zeros_like(strong)
    for rows in (slice(None, -1), slice(1, None)):
        for columns in (slice(None, -1), slice(1, None)):
            inside[rows, columns] |= blocks
    return inside


def scale_of(seen: Sequence[Seen]) -> float:
    """The value that stands for 1 in all maps of a folder; of logical ones it is 1 anyway.

    Raises:
        UserError: it is not clear; --scale settles it.
    """
    kinds = {one.kind: one for one in seen if one.kind != "bool"}
    if not kinds:
        return 1.0
    if len(kinds) > 1:
        examples = ", ".join(f"{kind} in {one.path.name}" for kind, one in sorted(kinds.items()))
        raise UserError(
            f"{seen[0].path.parent} holds maps of several types ({examples}); write them all in "
            "one, or give --scale, the value that stands for 1 in all of them."
        )
    [kind] = kinds
    top = max((one for one in seen if one.kind == kind), key=lambda one: one.high)
    scale = _likely(kind, top.high)
    if scale is None:
        raise UserError(
            f"the maps in {top.path.parent} are {kind} with values up to {top.high:g} "
            f"({top.path.name}), so it is not clear which value stands for 1; give it: --scale 1, "
            "255, 65535 or another."
        )
    return scale


def _likely(kind: str, high: float) -> float | None:
    """What stands for 1 in a folder whose greatest value is that; None if that is a guess."""
    if high <= SLACK:
        return 1.0
    if kind == "uint8":
        return 255.0
    if kind == "float":
        return 255.0 if 128 <= high <= 255 else None
    if kind == "int8":
        return None
    if high <= 255:
        return 255.0
    # 10 and 12 bits in integers of 16 are found, too; those of int16 end at 32767
    return 65535.0 if kind != "int16" and 4095 < high <= 65535 else None


def check_values(seen: Sequence[Seen], scale: float) -> None:
    """Refuse a folder without edges; say which maps have none that counts.

    Raises:
        UserError: no map reaches the first threshold, or one goes beyond full scale.
    """
    folder = seen[0].path.parent
    heights = {one.path: one.high / (1 if one.kind == "bool" else scale) for one in seen}
    for path, height in heights.items():
        if height > SLACK:
            raise UserError(
                f"{path} has values up to {height * scale:g}, above --scale {scale:g}, which "
                "stands for 1; give a greater one."
            )
    top = max(heights.values())
    if top == 0:
        raise UserError(f"all {len(seen)} maps in {folder} are 0 everywhere; write them again.")
    if top < FIRST:
        raise UserError(
            f"no map in {folder} reaches the first threshold, {FIRST}, if {scale:g} stands for 1: "
            f"the greatest value is {top * scale:g}; give --scale, the value that stands for 1."
        )
    low = [path for path, height in heights.items() if 0 < height < FIRST]
    if low:
        log.warning(
            "%d of %d edge maps have no value at or above the first threshold, %g, such as %s.",
            len(low), len(seen), FIRST, low[0],
        )  # fmt: skip


def check_alike(seen: Sequence[Seen], scale: float) -> None:
    """Refuse a folder with maps that seem to be of another range than the others.

    Raises:
        UserError: there are some; --scale settles it.
    """
    faint = [one for one in seen if one.kind != "bool" and 0 < one.high < FAINT * scale]
    if faint and len(faint) < len(seen):
        raise UserError(
            f"{len(faint)} of {len(seen)} edge maps have values up to {faint[0].high:g} only, such "
            f"as {faint[0].path}, where {scale:g} stands for 1 in the others; write all in one "
            f"range, or give --scale {scale:g} if they have hardly an edge."
        )


def check_direction(seen: Sequence[Seen]) -> None:
    """Say so where edges seem to be low values."""
    inverted = [one for one in seen if one.strong > INVERTED * one.pixels]
    if inverted:
        log.warning(
            "%d of %d edge maps are strong in most of their pixels, such as %s: edges must be high "
            "values and the rest low; if the maps are inverted, write them again.",
            len(inverted), len(seen), inverted[0].path,
        )  # fmt: skip


def check_thin(seen: Sequence[Seen]) -> None:
    """Say so where maps are to be scored as they are and are not thin lines."""
    upright = [one for one in seen if one.strong <= INVERTED * one.pixels]
    strong, blocked = sum(one.strong for one in upright), sum(one.blocked for one in upright)
    if blocked > THICK * strong:
        log.warning(
            "these edge maps are not thin: %.0f %% of their strong pixels lie in blocks of 2 x 2. "
            "They are scored as they are, which costs points; published numbers are of maps after "
            "edge NMS: --suppression structured does it.",
            100 * blocked / strong,
        )


def scaled(seen: Sequence[Seen], given: float) -> float:
    """What stands for 1: as given, or as the folder tells; all maps are checked with it."""
    scale = given or scale_of(seen)
    check_values(seen, scale)
    if not given:
        check_alike(seen, scale)
    check_direction(seen)
    return scale
