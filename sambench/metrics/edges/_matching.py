"""Minimum-cost matching of predicted with annotated boundary pixels, kept alive under changes.

A pair of pixels within reach gains `unmatched - distance` (in integer units): the largest total
gain is the cheapest matching of those in which leaving a pixel alone costs that much. Each side
holds prices >= 0 (the dual variables of linear programming) such that for every pair
price + price >= gain, with equality for matched pairs, and an unmatched pixel's price is 0; that
proves optimality at any time. A pixel that comes on is one shortest augmenting path on the
slacks price + price - gain, one that goes off leaves its partner with a price that one such path
from the other side has to explain or bring to 0 (H. W. Kuhn, 1955; the paths are Dijkstra's).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sambench._compile import inner

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]
Whole = int | np.int64
"""Where a constant would be one, numba compiles the same twice: for it, and for any number."""

UNIT = 1 << 24  # one unit of cost; below it, ties are broken
TIE = 1 << 12  # ties are broken by less than this, so that 4,096 of them stay below one unit
FAR = 1 << 62
OFF = 1 << 60  # the price of a pixel that is not there


class Side(NamedTuple):
    """The pixels of one side and their pairs, as adjacency lists, with the state of the matching.

    Attributes:
        start: (n + 1,) where each pixel's pairs begin.
        partner: (E,) the other pixel of a pair, by distance.
        gain: (E,) its gain.
        price: (n,).
        mate: (n,) the matched pixel of the other side, or -1.
        distance: (n,) scratch, `FAR`.
        parent: (n,) scratch.
        active: (n,) the pixels that are there and have a pair that is there, in any order.
        place: (n,) where a pixel stands in `active`, or -1.
        size: (1,) the length of `active`.
    """

    start: Ints
    partner: Ints
    gain: Longs
    price: Longs
    mate: Ints
    distance: Longs
    parent: Ints
    active: Ints
    place: Ints
    size: Longs


class Heap(NamedTuple):
    """A binary heap of (key, node) and the nodes that a search settled, with their distances."""

    keys: Longs
    nodes: Ints
    settled: Ints
    touched: Ints


@inner
def push(heap: Heap, size: np.int64, key: int, node: int) -> np.int64:
    """Add a node; returns the new size."""
    keys, nodes = heap.keys, heap.nodes
    child = size
    while child > 0:
        above = (child - 1) >> 1
        if keys[above] <= key:
            break
        keys[child], nodes[child] = keys[above], nodes[above]
        child = above
    keys[child], nodes[child] = key, node
    return size + 1


@inner
def pop(heap: Heap, size: np.int64) -> np.int64:
    """Remove the first, which the caller has read; returns the new size."""
    keys, nodes = heap.keys, heap.nodes
    size -= 1
    key, node = keys[size], nodes[size]
    hole, child = 0, 1
    while child < size:
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[hole], nodes[hole] = keys[child], nodes[child]
        hole, child = child, 2 * child + 1
    keys[hole], nodes[hole] = key, node
    return size


@inner
def _flip(near: Side, far: Side, last: Whole, begin: int) -> None:
    """Match along the path of parents from `last`, a pixel of the far side, back to `begin`."""
    while True:
        owner = far.parent[last]
        before = near.mate[owner]
        far.mate[last] = owner
        near.mate[owner] = last
        if owner == begin:
            return
        last = before


@inner
def _reprice(near: Side, far: Side, settled: Ints, best: int) -> None:
    """Make the links of the shortest path tight: all that is nearer than its end moves with it."""
    for node in settled:
        change = best - far.distance[node]
        far.price[node] += change
        if far.mate[node] >= 0:
            near.price[far.mate[node]] -= change


@inner
def augment(  # noqa: C901 - one search; parts would hand a dozen arrays to each other
    near: Side, far: Side, begin: int, heap: Heap
) -> None:
    """Restore optimality after `begin`, unmatched and of positive price, appeared on one side.

    The shortest of: matching it along a path to an unmatched pixel of the far side, or leaving a
    pixel of its own side (maybe itself) unmatched instead.
    """
    best = near.price[begin]
    loser, goal = begin, -1  # the pixel to leave unmatched, or the far pixel to end at
    owner, base = begin, 0
    size, settled, touched = np.int64(0), 0, 0
    while True:
        for e in range(near.start[owner], near.start[owner + 1]):
            node = near.partner[e]
            reach = base + near.price[owner] + far.price[node] - near.gain[e]
            if reach < best and reach < far.distance[node]:
                if far.distance[node] == FAR:
                    heap.touched[touched] = node
                    touched += 1
                far.distance[node] = reach
                far.parent[node] = owner
                size = push(heap, size, reach, node)
        while size > 0 and heap.keys[0] > far.distance[heap.nodes[0]]:
            size = pop(heap, size)
        if size == 0 or heap.keys[0] >= best:
            break
        base, node = heap.keys[0], heap.nodes[0]
        size = pop(heap, size)
        heap.settled[settled] = node
        settled += 1
        owner = far.mate[node]
        if owner < 0:
            best, goal = base, node
            break
        if base + near.price[owner] < best:
            best, loser = base + near.price[owner], owner
    near.price[begin] -= best
    _reprice(near, far, heap.settled[:settled], best)
    if goal >= 0:
        _flip(near, far, goal, begin)
    elif loser != begin:
        node = near.mate[loser]
        near.mate[loser] = -1
        _flip(near, far, np.int64(node), begin)
    for i in range(touched):
        far.distance[heap.touched[i]] = FAR


@inner
def _enlist(side: Side, pixel: int) -> None:
    side.active[side.size[0]] = pixel
    side.place[pixel] = side.size[0]
    side.size[0] += 1


@inner
def _strike(side: Side, pixel: int) -> None:
    side.size[0] -= 1
    last = side.active[side.size[0]]
    side.active[side.place[pixel]] = last
    side.place[last] = side.place[pixel]
    side.place[pixel] = -1


@inner
def add(predicted: Side, annotated: Side, pixel: int, within: Ints, heap: Heap) -> None:
    """A predicted pixel comes on."""
    price, best = 0, -1
    for e in range(predicted.start[pixel], predicted.start[pixel + 1]):
        other = predicted.partner[e]
        if predicted.gain[e] - annotated.price[other] > price:
            price, best = predicted.gain[e] - annotated.price[other], other
        within[other] += 1
        if within[other] == 1:
            _enlist(annotated, other)
    predicted.price[pixel] = price
    if predicted.start[pixel] < predicted.start[pixel + 1]:
        _enlist(predicted, pixel)
    if best >= 0 and annotated.mate[best] < 0:
        predicted.mate[pixel], annotated.mate[best] = best, pixel
    elif best >= 0:
        augment(predicted, annotated, pixel, heap)


@inner
def remove(predicted: Side, annotated: Side, pixel: int, within: Ints) -> int:
    """A predicted pixel goes off; returns the annotated pixel that it leaves unmatched, or -1."""
    for e in range(predicted.start[pixel], predicted.start[pixel + 1]):
        other = predicted.partner[e]
        within[other] -= 1
        if within[other] == 0:
            _strike(annotated, other)
    if predicted.place[pixel] >= 0:
        _strike(predicted, pixel)
    widow: int = predicted.mate[pixel]
    predicted.mate[pixel] = -1
    predicted.price[pixel] = OFF
    if widow >= 0:
        annotated.mate[widow] = -1
    return widow


@inner
def update(
    predicted: Side, annotated: Side, changes: Ints, off: int, on: int, end: int, within: Ints,
    heap: Heap, widows: Ints,
) -> None:  # fmt: skip
    """Apply one step of thinning: pixels go off (from `off`), then come on (`on` to `end`)."""
    count = 0
    for i in range(off, on):
        widow = remove(predicted, annotated, changes[i], within)
        if widow >= 0:
            widows[count] = widow
            count += 1
    for i in range(on, end):
        add(predicted, annotated, changes[i], within, heap)
    for i in range(count):  # most of them have found a new partner by now
        if annotated.mate[widows[i]] < 0 and annotated.price[widows[i]] > 0:
            augment(annotated, predicted, widows[i], heap)


def side(start: Ints, partner: Ints, gain: Longs, price: int) -> Side:
    """A side whose pixels are all unmatched."""
    n = len(start) - 1
    nothing = np.full(n, -1, dtype=np.int32)
    prices, far = np.full(n, price, dtype=np.int64), np.full(n, FAR, dtype=np.int64)
    rest = (nothing.copy(), nothing.copy(), nothing.copy(), np.zeros(1, dtype=np.int64))
    return Side(start, partner, gain, prices, nothing, far, *rest)


def heap_for(*sides: Side) -> Heap:
    """Space for searches over any of the sides."""
    pushes = max(len(s.partner) for s in sides) + 1
    nodes = max(len(s.start) for s in sides)
    empty = np.empty(nodes, dtype=np.int32)
    return Heap(
        np.empty(pushes, dtype=np.int64), np.empty(pushes, dtype=np.int32), empty, empty.copy()
    )
