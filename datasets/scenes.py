"""Rendered scenes of textured, overlapping shapes: any number of images whose truth is exact."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Annotated, ClassVar, NamedTuple, cast

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from sambench.interfaces import Dataset, DatasetCard, T
from sambench.metrics.edges.boundaries import thin
from sambench.options import Range, check_ranges
from sambench.truths import Boundaries, Concepts, Instances, Regions, Segments

from ._concepts import from_categories
from ._instances import encode, from_rles
from ._segments import from_numbers

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

VERSION = 1
"""Raise it when the same options give other pixels than before."""
VISIBLE = 30
"""An object of which fewer pixels are visible is not in the scene at all."""
BACKGROUND = 6
"""Category of the background among the segments, after those of the shapes."""
UNIT = 1024
"""Fixed-point one. Shapes and textures are integer arithmetic, equal on every machine."""
TURN = 360
"""Directions of a full turn."""
COSINE = np.array([round(UNIT * math.cos(2 * math.pi * i / TURN)) for i in range(TURN)])


class Piece(NamedTuple):
    """One object of a scene: where it lies, and its whole outline there."""

    kind: int
    rows: slice
    columns: slice
    mask: Bools


def ellipse(rng: Generator, u: Ints, v: Ints, radius: int) -> Bools:
    """Ellipse of half axes radius and something shorter."""
    return _ellipse(u, v, radius, int(rng.integers(radius // 2, radius + 1)))


def ring(rng: Generator, u: Ints, v: Ints, radius: int) -> Bools:
    """Ellipse with a hole."""
    minor = int(rng.integers(2 * radius // 3, radius + 1))
    hole = int(rng.integers(40, 70))
    within = _ellipse(u, v, radius * hole // 100, minor * hole // 100)
    return _ellipse(u, v, radius, minor) & ~within


def polygon(rng: Generator, u: Ints, v: Ints, radius: int) -> Bools:
    """Convex polygon of three to six sides: what lies on the inner side of lines around it."""
    sides = int(rng.integers(3, 7))
    jitter = TURN // (10 * sides)
    angles = [TURN * i // sides + int(rng.integers(0, jitter + 1)) for i in range(sides)]
    near = radius * _cosine(TURN // (2 * sides)) * 8 // 10
    inside: Bools = _inside(u, v, angles, near) == sides
    return inside


def star(rng: Generator, u: Ints, v: Ints, radius: int) -> Bools:
    """Star of five to eight tips: what lies outside one side of a regular polygon at most."""
    tips = int(rng.integers(5, 9))
    near = radius * _cosine(TURN // tips)
    return _inside(u, v, [TURN * i // tips for i in range(tips)], near) >= tips - 1


def blob(rng: Generator, u: Ints, v: Ints, radius: int) -> Bools:
    """Discs that all cover the centre."""
    mask: Bools = np.zeros(u.shape, dtype=bool)
    for _ in range(5):
        size = int(rng.integers(3 * radius // 8, 6 * radius // 10))
        x, y = (UNIT * int(way) for way in rng.integers(-size // 2, size // 2 + 1, 2))
        mask |= (u - x) ** 2 + (v - y) ** 2 <= (UNIT * size) ** 2
    return mask


SHAPES: tuple[Callable[[Generator, Ints, Ints, int], Bools], ...] = (
    ellipse,
    ring,
    polygon,
    star,
    blob,
)


def _ellipse(u: Ints, v: Ints, major: int, minor: int) -> Bools:
    inside: Bools = (u * minor) ** 2 + (v * major) ** 2 <= (UNIT * major * minor) ** 2
    return inside


def _inside(u: Ints, v: Ints, angles: list[int], near: int) -> Ints:
    """Of how many lines, each near / UNIT from the centre, a point lies on the inner side."""
    count = np.zeros(u.shape, dtype=np.int64)
    for angle in angles:
        count += u * _cosine(angle) + v * _cosine(angle - TURN // 4) <= near * UNIT
    return count


def _cosine(angle: int) -> int:
    return int(COSINE[angle % TURN])


def _turned(angle: int, x: Ints, y: Ints) -> tuple[Ints, Ints]:
    """Coordinates in a frame turned by an angle, in 1 / UNIT pixels."""
    cosine, sine = _cosine(angle), _cosine(angle - TURN // 4)
    return cosine * x + sine * y, cosine * y - sine * x


def _texture(rng: Generator, height: int, width: int) -> NDArray[np.uint8]:
    """(height, width, 3): stripes, a checkerboard, a gradient or noise between two colours."""
    first = rng.integers(20, 236, 3)
    second = np.clip(first + rng.integers(-60, 61, 3), 8, 247)
    between = first + ((second - first) * np.arange(256)[:, None] >> 8)
    weights = _weights(rng, height, width)
    return np.take(between.astype(np.uint8), weights, axis=0)


def _weights(rng: Generator, height: int, width: int) -> Ints:
    """(height, width): 0 for the first colour ... 255 for the second."""
    y, x = np.ogrid[:height, :width]
    u, v = _turned(int(rng.integers(TURN)), x, y)
    kind, period = int(rng.integers(4)), UNIT * int(rng.integers(3, 12))
    if kind == 0:
        weights = u // period % 2 * 255
    elif kind == 1:
        weights = (u // period + v // period) % 2 * 255
    elif kind == 2:
        weights = (u - u.min()) * 255 // (UNIT * (height + width))
    else:
        weights = rng.integers(0, 256, (height, width))
    return weights


class Scenes(Dataset):
    """Scenes of textured, overlapping shapes, drawn when they are asked for.

    Image i depends on i and the options alone, and is the same on every machine. A mask is what is
    visible of an object; boundaries are where the visible objects and the background meet, from one
    annotator; phrases are the names of all shapes. As segments, objects are things and the
    background is stuff.

    Args:
        images: how many.
        seed: another one gives other scenes.
        width: of an image in pixels.
        height: of an image in pixels.
        objects: how many are put in a scene; those that later ones hide are left out.
        root: not used, there are no files.

    Raises:
        UserError: an option is out of range.
    """

    truths = (Instances, Boundaries, Concepts, Regions, Segments)
    card = DatasetCard(
        name="scenes",
        title="Rendered scenes of textured, overlapping shapes",
        licence="Apache-2.0",
        citation="none",
        note="scenes is rendered: shapes and textures drawn by a program, not photographs.",
        expected={"images": 100},
    )
    categories: ClassVar[dict[int, str]] = {
        kind: shape.__name__ for kind, shape in enumerate(SHAPES, 1)
    }

    def __init__(
        self,
        images: Annotated[int, Range(1, 10**9)] = 100,
        seed: Annotated[int, Range(0, 2**63)] = 0,
        width: Annotated[int, Range(64, 4096)] = 320,
        height: Annotated[int, Range(64, 4096)] = 240,
        objects: Annotated[int, Range(1, 1000)] = 12,
        root: str = "",  # every bundled dataset takes it
    ) -> None:
        sizes = {"width": width, "height": height}
        numbers = {"images": images, "seed": seed, "objects": objects, **sizes}
        check_ranges(Scenes, numbers, "scenes:")
        self.card = replace(self.card, expected={"images": images})
        self.images, self.seed, self.objects = images, seed, objects
        self.width, self.height = width, height

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Numbers from 0, all of equal length."""
        digits = len(str(self.images - 1))
        return tuple(f"{i:0{digits}d}" for i in range(self.images))

    def stamp(self, id: str) -> str:
        """A constant: the pixels follow from the options."""
        return f"scenes {VERSION}"

    def read_image(self, id: str) -> NDArray[np.uint8]:
        """The scene, (H, W, 3) uint8 RGB."""
        rng = default_rng([self.seed, int(id), 1])
        image = _texture(rng, self.height, self.width)
        for piece in self._pieces(id):
            painted = _texture(rng, *piece.mask.shape)
            np.copyto(image[piece.rows, piece.columns], painted, where=piece.mask[..., None])
        noise = rng.integers(0, 17, image.shape, dtype=np.uint8)
        return image + noise - 8  # no colour is so dark or bright that this wraps

    def read_truth(self, id: str, kind: type[T]) -> T:
        """The exact truth of a scene, of the kind asked for."""
        pieces = self._pieces(id)
        labels = self._labels(pieces)
        if kind is Boundaries:
            return cast(T, Boundaries((boundaries_of(labels),)))
        if kind is Regions:
            return cast(T, Regions((labels,)))
        kinds = [piece.kind for piece in pieces]
        if kind is Segments:
            return cast(T, self._segments(labels, kinds))
        rles = [encode(labels == number) for number in range(1, len(pieces) + 1)]
        truth = from_rles(labels.shape, rles, categories=kinds)
        if kind is Concepts:
            absent = self.categories.keys() - set(kinds)
            return cast(T, from_categories(truth, self.categories, absent=absent))
        return cast(T, truth)

    def _segments(self, labels: Ints, kinds: list[int]) -> Segments:
        """Objects are things; the background, if any of it is seen, is stuff."""
        known = {number: (kind, True) for number, kind in enumerate(kinds, 1)}
        return from_numbers(labels, known | {0: (BACKGROUND, False)})

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the options and the first scene, which NumPy's generator decides too."""
        options = [VERSION, self.images, self.seed, self.width, self.height, self.objects]
        first = self._labels(self._pieces(self.ids[0])).astype("<i8").tobytes()
        return hashlib.sha256(json.dumps(options).encode() + first).hexdigest()

    def _pieces(self, id: str) -> list[Piece]:
        """The objects of a scene that are visible, from back to front."""
        rng = default_rng([self.seed, int(id), 0])
        pieces = [self._piece(rng) for _ in range(self.objects)]
        visible = np.bincount(self._labels(pieces).ravel(), minlength=len(pieces) + 1)
        return [piece for piece, area in zip(pieces, visible[1:], strict=True) if area >= VISIBLE]

    def _piece(self, rng: Generator) -> Piece:
        short = min(self.width, self.height)
        kind, radius = int(rng.integers(len(SHAPES))), int(rng.integers(short // 14, short // 4))
        column, row = int(rng.integers(self.width)), int(rng.integers(self.height))
        rows = slice(max(row - radius, 0), min(row + radius + 1, self.height))
        columns = slice(max(column - radius, 0), min(column + radius + 1, self.width))
        y, x = np.ogrid[rows, columns]
        u, v = _turned(int(rng.integers(TURN)), x - column, y - row)
        return Piece(kind + 1, rows, columns, SHAPES[kind](rng, u, v, radius))

    def _labels(self, pieces: list[Piece]) -> Ints:
        """(H, W): 0 background, n where the n-th object is visible."""
        labels = np.zeros((self.height, self.width), dtype=np.int64)
        for number, piece in enumerate(pieces, 1):
            labels[piece.rows, piece.columns][piece.mask] = number
        return labels


def boundaries_of(labels: Ints) -> Bools:
    """Boundaries of a label map (H, W), one pixel wide: bool, the same size.

    A pixel is on where the label differs from that to the right, below or diagonally below, as in
    the Berkeley benchmark's segmentations; the result is thinned.
    """
    edges = np.zeros(labels.shape, dtype=bool)
    edges[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edges[:-1] |= labels[:-1] != labels[1:]
    edges[:-1, :-1] |= labels[:-1, :-1] != labels[1:, 1:]
    return thin(edges)
