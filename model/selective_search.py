"""Baseline: proposals by merging regions that look alike (after Uijlings et al., 2013)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import JSON
from sambench.options import Range

from ._baseline import PromptFree, as_proposals
from .felzenszwalb import regions

BINS = 25


@dataclass
class Region:
    """A region while it grows: its colours, its size and its box x0, y0, x1, y1 (inclusive)."""

    colours: NDArray[np.float64]
    size: int
    box: tuple[int, int, int, int]


class SelectiveSearch(PromptFree):
    """Neighbouring regions are merged, the most alike first; every region on the way is a proposal.

    Likeness is that of the paper's section 3.2, colour + size + fill; without its texture term and
    its several colour spaces, so this is a floor and not the published method.

    Args:
        scale: k of the graph-based segmentation that gives the first regions.
        min_size: of the first regions, in pixels.
    """

    name = "selective_search"
    citation = "Uijlings et al., Selective Search for Object Recognition, IJCV 2013 (simplified)"

    def __init__(
        self, scale: Annotated[float, Range(0)] = 200.0, min_size: Annotated[int, Range(0)] = 100
    ) -> None:
        self.scale, self.min_size = scale, min_size
        super().__init__()

    def settings(self) -> str:
        """The settings that affect its predictions, in words, for the model card."""
        return f"first regions by k {self.scale:g}, sigma 0.8, at least {self.min_size} pixels"

    def propose(self, image: NDArray[np.uint8]) -> tuple[list[JSON], NDArray[np.float64]]:
        """All regions, those merged last (the largest) first."""
        labels = regions(image, self.scale, 0.8, self.min_size)
        parts = list(merge(describe(image, labels), neighbours(labels), labels.size))
        masks = [np.isin(labels, list(part)) for part in reversed(parts)]
        return as_proposals(masks)


def describe(image: NDArray[np.uint8], labels: NDArray[np.int64]) -> dict[int, Region]:
    """Each region's histogram of 25 bins a channel (sum 1), size and box."""
    from scipy.ndimage import find_objects

    found = {}
    for label, place in enumerate(find_objects(labels + 1)):
        rows, columns = place
        pixels = image[place][labels[place] == label]
        counts = [np.histogram(pixels[:, c], BINS, (0, 256))[0] for c in range(3)]
        colours = np.concatenate(counts) / (3 * len(pixels))
        box = (columns.start, rows.start, columns.stop - 1, rows.stop - 1)
        found[label] = Region(colours, len(pixels), box)
    return found


def neighbours(labels: NDArray[np.int64]) -> set[tuple[int, int]]:
    """Pairs (a, b), a < b, of regions that touch side by side."""
    pairs = [
        np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()]),
        np.stack([labels[:-1].ravel(), labels[1:].ravel()]),
    ]
    both = np.sort(np.concatenate(pairs, axis=1), axis=0)
    touching = np.unique(both[:, both[0] != both[1]], axis=1)
    return {(int(a), int(b)) for a, b in touching.T}


def merge(
    found: dict[int, Region], touching: set[tuple[int, int]], pixels: int
) -> Iterator[frozenset[int]]:
    """Yield every region as the set of first regions that it is made of, in order of appearance."""
    members = {label: frozenset({label}) for label in found}
    yield from members.values()
    likeness = {pair: alike(found[pair[0]], found[pair[1]], pixels) for pair in touching}
    while likeness:
        a, b = max(likeness, key=lambda pair: (likeness[pair], pair))
        new = max(found) + 1
        found[new] = united(found[a], found[b])
        members[new] = members[a] | members[b]
        yield members[new]
        near = {one for pair in likeness if {a, b} & set(pair) for one in pair} - {a, b}
        likeness = {pair: s for pair, s in likeness.items() if not {a, b} & set(pair)}
        likeness |= {(one, new): alike(found[one], found[new], pixels) for one in near}


def alike(a: Region, b: Region, pixels: int) -> float:
    """Likeness of two regions: colour intersection, small size, and how they fill their box."""
    x0, y0 = min(a.box[0], b.box[0]), min(a.box[1], b.box[1])
    x1, y1 = max(a.box[2], b.box[2]), max(a.box[3], b.box[3])
    hull = (x1 - x0 + 1) * (y1 - y0 + 1)
    colour = float(np.minimum(a.colours, b.colours).sum())
    size = 1 - (a.size + b.size) / pixels
    fill = 1 - (hull - a.size - b.size) / pixels
    return colour + size + fill


def united(a: Region, b: Region) -> Region:
    """Two regions as one."""
    size = a.size + b.size
    colours = (a.colours * a.size + b.colours * b.size) / size
    low = min(a.box[0], b.box[0]), min(a.box[1], b.box[1])
    high = max(a.box[2], b.box[2]), max(a.box[3], b.box[3])
    return Region(colours, size, (*low, *high))
