"""A small set to try things on: photographs of scikit-image with masks and boundaries."""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sambench.data.json_input import read
from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import JSON, DatasetCard, T
from sambench.metrics.edges.boundaries import thin
from sambench.truths import Boundaries, Instances, Segments

from ._coco_json import CocoJson

FOLDER = Path(__file__).parent / "mini_annotations"
ANNOTATORS = ("objects", "objects and parts")
"""Who drew what of the boundaries: outlines of objects alone, or edges within them too."""


class Mini(CocoJson):
    """Photographs out of scikit-image's package, with masks and boundaries drawn for them.

    Nothing needs to be fetched: the photographs are read where scikit-image is installed. Their
    credits and licences, as scikit-image states them, are with each image in
    ``mini_annotations/instances.json``.

    The annotator is an AI assistant, not a person: it looked at crops enlarged two to eight times,
    placed the corners of masks and lines one by one, joined by a smooth curve where the outline is
    round, and corrected them on overlays. No segmentation model and no edge detector had a part in
    it. Masks are of what is visible. Parts that are objects of their own (the eyes of a cat, the
    seat of a motorcycle) lie upon the mask of the whole; lattices, spokes and the eye of a cup's
    handle are filled, larger gaps are not. Not every object of a photograph is annotated. The two
    annotators of the boundaries are one hand at two levels of detail: they share the outlines of
    objects, so they agree more than two people would.

    Args:
        root: folder of the photographs; that of the installed scikit-image if empty.

    Raises:
        UserError: scikit-image is not installed.
    """

    truths = (Instances, Boundaries, Segments)
    card = DatasetCard(
        name="mini",
        title="Photographs of scikit-image, annotated point by point",
        licence=(
            "annotations Apache-2.0; the photographs come with scikit-image, which names CC0, the "
            "public domain or no known copyright restrictions for all but motorcycle_left "
            "(Middlebury Stereo 2014, no licence stated)"
        ),
        citation="van der Walt et al., scikit-image: image processing in Python, PeerJ 2014",
        homepage="https://scikit-image.org/docs/stable/api/skimage.data.html",
        note="mini is a demonstration set of 10 photographs, not a benchmark.",
        steps="pip install scikit-image",
        expected={"images": 10, "masks": 93},
    )

    def __init__(self, root: str = "") -> None:
        photographs = Path(root).expanduser() if root else _photographs()
        super().__init__(FOLDER / "instances.json", photographs)

    @cached_property
    def lines(self) -> JSON:
        """Image id -> annotator -> polylines, each flat x, y in pixels, (0, 0) a pixel's centre."""
        lines: JSON = read(FOLDER / "boundaries.json").value
        return lines

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over both annotation files."""
        files = (self.annotations, FOLDER / "boundaries.json")
        return hashlib.sha256("".join(map(sha256, files)).encode()).hexdigest()

    def read_truth(self, id: str, kind: type[T]) -> T:
        """Instances, segments or boundaries; boundaries in the order of `ANNOTATORS`."""
        if kind is not Boundaries:
            return super().read_truth(id, kind)
        size = self.file.images[id].size
        drawn = (rasterise(self.lines[id][annotator], size) for annotator in ANNOTATORS)
        return cast(T, Boundaries(tuple(drawn)))


def _photographs() -> Path:
    """Folder of the photographs that scikit-image's wheel brings along; nothing is imported."""
    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise UserError("mini needs the photographs of scikit-image: pip install scikit-image.")
    return Path(package.origin).parent / "data"


def rasterise(polylines: Iterable[Iterable[float]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Draw polylines one pixel wide.

    Args:
        polylines: each x0, y0, x1, y1, ... in pixels; integers are the centres of pixels.
        size: (H, W) of the drawing; all points lie within.

    Returns:
        (H, W) bool, thinned: without the corner pixels that make a staircase two pixels wide.
    """
    drawing = np.zeros(size, dtype=bool)
    for polyline in polylines:
        points = np.rint(np.reshape(list(polyline), (-1, 2))).astype(np.int64)
        for start, end in pairwise(points):
            x, y = _segment(start, end)
            drawing[y, x] = True
    return thin(drawing)


def _segment(start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels (2, N) of a line, both ends included, in exact integer arithmetic."""
    step = end - start
    length = max(int(np.abs(step).max()), 1)
    along = np.arange(length + 1)
    line: NDArray[np.int64] = start[:, None] + (2 * step[:, None] * along + length) // (2 * length)
    return line
