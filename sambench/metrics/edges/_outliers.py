"""The Berkeley benchmark's assignment: a matching that must also place every outlier.

The benchmark (D. Martin, C. Fowlkes and J. Malik, PAMI 2004; its program correspondPixels) asks an
assignment solver for a perfect matching, so it adds to each side an outlier node for each pixel of
the other. A pixel is linked to few outliers, drawn at random; outliers are linked to each other at
random too; costly links of last resort make a perfect matching possible. The random links cost a
few matches now and then: this is not the maximum matching, and to reproduce the benchmark's counts
its structure has to be solved as it is.

Notation: of predicted and annotated pixels, those with a partner within reach take part; the side
with more of them is `big`, the other `small`. One half of the bipartite graph, x, holds the small
side's pixels, then one outlier for each pixel of the big side; the other half, y, holds the big
side's pixels, then one outlier for each pixel of the small side. Small pixels and the outliers in x
draw links to the outliers in y; big pixels draw links to the outliers in x. An optimal matching of
the pixels alone, with its prices (see `_matching`), is where the search starts: with price 0 for
all outliers it already proves optimal whatever part of it survives, and few outliers fail to be
placed at no cost. Each of those is one shortest augmenting path through the whole graph.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sambench._compile import compiled, inner
from sambench.metrics.edges._matching import FAR, Heap, Ints, Longs, Side, Whole

DEGREE = 6  # links of a node, the benchmark's constant
TAKEN = 1 << 20  # degree of an outlier that is placed
SHIFTS = 64  # how often a placement is moved on before the search proper takes over


class Work(NamedTuple):
    """The graph of one assignment (see the module) and scratch; made once, used many times.

    Attributes:
        x_links: (n, DEGREE) for each node of x the outliers in y that it is linked to.
        y_links: (n, DEGREE) for each pixel in y the outliers in x.
        x_mate, y_mate: (n,) the matched node of the other half, or -1.
        x_price, y_price: (n,).
        back_start, back: for each outlier in y the nodes of x that are linked to it.
        degree, names: (n,) scratch: how many choices an outlier in y has left, and which.
        via, root: (n,) for a node of y a node of x, or -1, that leads on at no cost to `root`,
            which is unmatched.
        marked: the nodes of y for which `via` is set.
        near, worth: scratch: the nodes of x that a node of y is linked to, and the links' gains.
        distance, parent, stack: scratch of a search.
        free: scratch: the nodes of x that are not matched.
        heap: scratch of a search.
    """

    x_links: Ints
    y_links: Ints
    x_mate: Ints
    y_mate: Ints
    x_price: Longs
    y_price: Longs
    back_start: Ints
    back: Ints
    degree: Ints
    names: Ints
    via: Ints
    root: Ints
    marked: Ints
    near: Ints
    worth: Longs
    distance: Longs
    parent: Ints
    stack: Ints
    free: Ints
    heap: Heap


def work_for(predicted: Side, annotated: Side) -> Work:
    """Space for the assignments between any subsets of two sides."""
    n = len(predicted.mate) + len(annotated.mate)
    edges = len(predicted.partner) + 3 * DEGREE * n + 1

    def ints(*shape: int) -> Ints:
        return np.empty(shape, dtype=np.int32)

    def longs(size: int) -> Longs:
        return np.empty(size, dtype=np.int64)

    return Work(
        x_links=ints(n, DEGREE), y_links=ints(n, DEGREE), x_mate=ints(n), y_mate=ints(n),
        x_price=longs(n), y_price=longs(n), back_start=ints(n + 1), back=ints(n * DEGREE),
        degree=ints(n), names=ints(n), via=ints(n), root=ints(n), marked=ints(n + DEGREE),
        near=ints(edges), worth=longs(edges), distance=np.full(n, FAR, dtype=np.int64),
        parent=ints(n), stack=ints(n), free=ints(n),
        heap=Heap(longs(edges), ints(edges), ints(n), ints(n)),
    )  # fmt: skip


@inner
def _bits(state: np.uint64) -> np.uint64:
    """64 random bits from a counter (G. L. Steele et al., SplitMix, OOPSLA 2014)."""
    mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@compiled
def draw(links: Ints, first: Whole, last: int, targets: int, seed: np.uint64) -> None:
    """Fill rows `first` to `last` with distinct numbers below `targets`, none that of its own row.

    The numbers depend on the seed and the row alone. Of fewer targets than `DEGREE` all are taken.
    """
    for row in range(first, last):
        choices = targets - 1 if row < targets else targets
        degree = min(DEGREE, choices)
        state = _bits(seed ^ np.uint64(row))
        repeated = True
        while repeated:
            for k in range(0, DEGREE, 2):
                state += np.uint64(0x9E3779B97F4A7C15)
                bits = _bits(state)
                low, high = bits & np.uint64(0xFFFFFFFF), bits >> np.uint64(32)
                links[row, k] = np.int64((low * np.uint64(choices)) >> np.uint64(32))
                links[row, k + 1] = np.int64((high * np.uint64(choices)) >> np.uint64(32))
            repeated = False
            for k in range(1, degree):
                for before in range(k):
                    repeated |= links[row, k] == links[row, before]
        if row < targets:
            for k in range(degree):
                links[row, k] += links[row, k] >= row


@inner
def _load(small: Side, big: Side, work: Work, seed: np.uint64) -> None:
    """Start from the matching of the pixels alone; links of big pixels are drawn when needed."""
    ns, nb = small.size[0], big.size[0]
    for i in range(ns):
        mate = small.mate[small.active[i]]
        work.x_mate[i] = big.place[mate] if mate >= 0 else -1
        work.x_price[i] = small.price[small.active[i]]
        work.y_mate[nb + i] = work.via[nb + i] = -1
        work.y_price[nb + i] = 0
    for i in range(nb):
        mate = big.mate[big.active[i]]
        work.y_mate[i] = small.place[mate] if mate >= 0 else -1
        work.y_price[i] = big.price[big.active[i]]
        work.y_links[i, 0] = work.via[i] = -1
        work.x_mate[ns + i] = -1
        work.x_price[ns + i] = 0
    draw(work.x_links, np.int64(0), ns + nb, ns, seed)


@inner
def _forget(links: Ints, node: Whole, degree: Ints, names: Ints, queue: Ints, size: int) -> int:
    """A node of x is used up; outliers that have a single choice left are queued."""
    for k in range(DEGREE):
        slot = links[node, k]
        degree[slot] -= 1
        names[slot] ^= node
        if degree[slot] == 1:
            queue[size] = slot
            size += 1
    return size


@inner
def _count_choices(ns: int, nb: int, work: Work) -> int:
    """Count the choices of each outlier in y and queue those with one; returns how many."""
    links, degree, names, size = work.x_links, work.degree, work.names, 0
    degree[:ns] = 0
    names[:ns] = 0
    for node in range(ns + nb):
        if work.x_mate[node] < 0:
            for k in range(DEGREE):
                degree[links[node, k]] += 1
                names[links[node, k]] ^= node
    for slot in range(ns):
        if degree[slot] == 1:
            work.marked[size] = slot
            size += 1
    return size


@inner
def _place_big(ns: int, nb: int, work: Work, seed: np.uint64, size: int) -> int:
    """Give the big side's unmatched pixels outliers that the outliers in y need least."""
    links, degree = work.x_links, work.degree
    for pixel in range(nb):
        if work.y_mate[pixel] < 0:
            draw(work.y_links, pixel, pixel + 1, nb, ~seed)
            most, best = 0, np.int64(-1)
            for k in range(DEGREE):
                node = ns + work.y_links[pixel, k]
                if work.x_mate[node] < 0:
                    least = TAKEN
                    for i in range(DEGREE):
                        least = min(least, degree[links[node, i]])
                    if least > most:
                        most, best = least, node
            if best >= 0:
                work.x_mate[best], work.y_mate[pixel] = pixel, best
                size = _forget(links, best, degree, work.names, work.marked, size)
    return size


@inner
def _place_outliers(ns: int, nb: int, work: Work, size: int) -> None:
    """Match most outliers in y at no cost, those with a single choice left always first.

    R. M. Karp and M. Sipser, "Maximum matching in sparse random graphs", FOCS 1981. The
    exclusive or of an outlier's choices is the choice when there is one.
    """
    links, x_mate, y_mate = work.x_links, work.x_mate, work.y_mate
    degree, names, queue = work.degree, work.names, work.marked
    for node in range(ns + nb):
        while size > 0:
            size -= 1
            slot = queue[size]
            if degree[slot] == 1:
                x_mate[names[slot]], y_mate[nb + slot] = nb + slot, names[slot]
                degree[slot] = TAKEN
                size = _forget(links, np.int64(names[slot]), degree, names, queue, size)
        if x_mate[node] < 0:
            slot = links[node, 0]
            for k in range(1, DEGREE):
                slot = links[node, k] if degree[links[node, k]] < degree[slot] else slot
            if degree[slot] < TAKEN // 2:
                x_mate[node], y_mate[nb + slot] = nb + slot, node
                degree[slot] = TAKEN
                size = _forget(links, node, degree, names, queue, size)


@inner
def _shift(ns: int, nb: int, work: Work) -> None:
    """Let the nodes of x that are left take an outlier's place, whose holder looks for another."""
    links, x_mate, y_mate = work.x_links, work.x_mate, work.y_mate
    for first in range(ns + nb):
        node, turn = first, 0
        while x_mate[node] < 0 and turn < SHIFTS:
            slot = links[node, turn % DEGREE]
            for k in range(DEGREE):
                slot = links[node, k] if y_mate[nb + links[node, k]] < 0 else slot
            holder = y_mate[nb + slot]
            x_mate[node], y_mate[nb + slot] = nb + slot, node
            if holder >= 0:
                x_mate[holder] = -1
                node = holder
            turn += 1


@inner
def place(small: Side, big: Side, work: Work, seed: np.uint64) -> None:
    """Draw the links, start from the matching of the pixels and place most outliers at no cost."""
    ns, nb = small.size[0], big.size[0]
    _load(small, big, work, seed)
    if ns > DEGREE:  # otherwise some nodes have fewer links, and the search does it all
        size = _count_choices(ns, nb, work)
        size = _place_big(ns, nb, work, seed, size)
        _place_outliers(ns, nb, work, size)
        _shift(ns, nb, work)
