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
from numpy.typing import NDArray

from sambench.metrics._compile import compiled
from sambench.metrics._matching import FAR, UNIT, Heap, Ints, Longs, Side, pop, push

DEGREE = 6  # links of a node, the benchmark's constant
LAST_RESORT = 100  # cost of a link of last resort in outlier costs
EVICTIONS = 100  # how long a first, greedy placement goes on before the search proper takes over


class Work(NamedTuple):
    """The graph of one assignment (see the module) and scratch; made once, used many times.

    Attributes:
        x_links: (n, DEGREE) for each node of x the outliers in y that it is linked to.
        y_links: (n, DEGREE) for each pixel in y the outliers in x.
        x_mate, y_mate: (n,) the matched node of the other half, or -1.
        x_price, y_price: (n,).
        back_start, back: for each outlier in y the nodes of x that are linked to it.
        distance, parent, stack: scratch of a search.
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
    distance: Longs
    parent: Ints
    stack: Ints
    heap: Heap


def work_for(predicted: Side, annotated: Side) -> Work:
    """Space for the assignments between any subsets of two sides."""
    n = len(predicted.mate) + len(annotated.mate)
    edges = len(predicted.partner) + 3 * DEGREE * n + 1

    def ints(*shape: int) -> Ints:
        return np.empty(shape, dtype=np.int32)

    def longs(size: int) -> Longs:
        return np.full(size, FAR, dtype=np.int64)

    return Work(
        x_links=ints(n, DEGREE), y_links=ints(n, DEGREE), x_mate=ints(n), y_mate=ints(n),
        x_price=longs(n), y_price=longs(n), back_start=ints(n + 1), back=ints(n * DEGREE),
        distance=longs(n), parent=ints(n), stack=ints(edges),
        heap=Heap(longs(edges), ints(edges), ints(n), ints(n)),
    )  # fmt: skip


@compiled
def _random(state: NDArray[np.uint64]) -> np.uint64:
    """The next 64 random bits (G. L. Steele et al., SplitMix, OOPSLA 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    mixed = (state[0] ^ (state[0] >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@compiled
def _draw(links: Ints, row: int, targets: int, skip: int, state: NDArray[np.uint64]) -> None:
    """Fill a row with distinct numbers below `targets`, none equal to `skip`."""
    choices = targets - 1 if skip >= 0 else targets
    degree = min(DEGREE, choices)
    bits, left = np.uint64(0), 0
    count = 0
    while count < degree:
        if left == 0:
            bits, left = _random(state), 2
        number = np.int64(((bits & np.uint64(0xFFFFFFFF)) * np.uint64(choices)) >> np.uint64(32))
        bits >>= np.uint64(32)
        left -= 1
        if skip >= 0 and number >= skip:
            number += 1
        fresh = True
        for k in range(count):
            fresh &= links[row, k] != number
        if fresh:
            links[row, count] = number
            count += 1


@compiled
def draw_links(x_links: Ints, y_links: Ints, small: int, big: int, seed: int) -> None:
    """Draw all links of an assignment between `small` and `big` pixels, small <= big."""
    state = np.array([seed], dtype=np.uint64)
    _random(state)
    for i in range(small):
        _draw(x_links, i, small, i, state)
    for i in range(big):
        _draw(y_links, i, big, i, state)
    for i in range(big):
        _draw(x_links, small + i, small, -1, state)


@compiled
def _load(small: Side, big: Side, work: Work) -> None:
    """Start from the matching of the pixels alone."""
    ns, nb = small.size[0], big.size[0]
    for i in range(ns):
        mate = small.mate[small.active[i]]
        work.x_mate[i] = big.place[mate] if mate >= 0 else -1
        work.x_price[i] = small.price[small.active[i]]
        work.y_mate[nb + i] = -1
        work.y_price[nb + i] = 0
    for i in range(nb):
        mate = big.mate[big.active[i]]
        work.y_mate[i] = small.place[mate] if mate >= 0 else -1
        work.y_price[i] = big.price[big.active[i]]
        work.x_mate[ns + i] = -1
        work.x_price[ns + i] = 0


@compiled
def _reverse(ns: int, nb: int, work: Work) -> None:
    """List for each outlier in y which nodes of x are linked to it."""
    start = work.back_start
    start[: ns + 1] = 0
    for i in range(ns + nb):
        for k in range(min(DEGREE, ns - 1) if i < ns else min(DEGREE, ns)):
            start[work.x_links[i, k] + 1] += 1
    for i in range(ns):
        start[i + 1] += start[i]
    for i in range(ns + nb):
        for k in range(min(DEGREE, ns - 1) if i < ns else min(DEGREE, ns)):
            slot = work.x_links[i, k]
            work.back[start[slot]] = i
            start[slot] += 1
    for i in range(ns, 0, -1):
        start[i] = start[i - 1]
    start[0] = 0


@compiled
def _settle(node: int, ns: int, nb: int, work: Work) -> None:
    """Place a node of y at no cost, moving others on if it has to; gives up after a while.

    What moves is never a matched pair of pixels, and never costs: all prices involved are 0.
    """
    for turn in range(EVICTIONS):
        if node >= nb:
            begin, end = work.back_start[node - nb], work.back_start[node - nb + 1]
        else:
            begin, end = node * DEGREE, node * DEGREE + min(DEGREE, nb - 1)
        taken = -1
        for k in range(begin, end):
            # begin somewhere else each turn, or two nodes would throw each other out for ever
            e = k + turn if k + turn < end else begin + (k + turn - begin) % (end - begin)
            x = work.back[e] if node >= nb else ns + work.y_links.ravel()[e]
            if work.x_mate[x] < 0:
                work.x_mate[x], work.y_mate[node] = node, x
                return
            if x >= ns or work.x_mate[x] >= nb:
                taken = x
        if taken < 0:
            return
        evicted = work.x_mate[taken]
        work.x_mate[taken], work.y_mate[node] = node, taken
        work.y_mate[evicted] = -1
        node = evicted


@compiled
def _visit(work: Work, node: int, owner: int, gain: int, base: int, sizes: Longs) -> bool:
    """Reach a node of x from `owner`; True if it is unmatched and no other can be nearer.

    sizes holds the lengths of heap, stack and list of touched nodes.
    """
    reach = base + work.y_price[owner] + work.x_price[node] - gain
    if reach >= work.distance[node]:
        return False
    if work.distance[node] == FAR:
        work.heap.touched[sizes[2]] = node
        sizes[2] += 1
    work.distance[node] = reach
    work.parent[node] = owner
    if reach > base:
        sizes[0] = push(work.heap, sizes[0], reach, node)
        return False
    work.stack[sizes[1]] = node
    sizes[1] += 1
    return work.x_mate[node] < 0


@compiled
def _expand(
    small: Side, big: Side, work: Work, owner: int, base: int, resort: int, sizes: Longs
) -> int:
    """Visit all neighbours of a node of y; returns an unmatched one that ends the search, or -1."""
    ns, nb = small.size[0], big.size[0]
    if owner >= nb:
        slot = owner - nb
        for e in range(work.back_start[slot], work.back_start[slot + 1]):
            if _visit(work, work.back[e], owner, 0, base, sizes):
                return work.back[e]
        return slot if _visit(work, slot, owner, -resort, base, sizes) else -1
    pixel = big.active[owner]
    for e in range(big.start[pixel], big.start[pixel + 1]):
        node = small.place[big.partner[e]]
        if node >= 0 and _visit(work, node, owner, big.gain[e], base, sizes):
            return node
    for k in range(min(DEGREE, nb - 1)):
        node = ns + work.y_links[owner, k]
        if _visit(work, node, owner, 0, base, sizes):
            return node
    return ns + owner if _visit(work, ns + owner, owner, -resort, base, sizes) else -1


@compiled
def _augment(small: Side, big: Side, work: Work, begin: int, resort: int) -> None:
    """Match one more node of y along the shortest path to an unmatched node of x."""
    sizes = np.zeros(3, np.int64)
    heap, settled = work.heap, 0
    owner, base = begin, 0
    while True:
        goal = _expand(small, big, work, owner, base, resort, sizes)
        if goal >= 0:
            break
        if sizes[1] > 0:
            sizes[1] -= 1
            goal = work.stack[sizes[1]]
        else:
            while heap.keys[0] > work.distance[heap.nodes[0]]:
                sizes[0] = pop(heap, sizes[0])
            base, goal = heap.keys[0], heap.nodes[0]
            sizes[0] = pop(heap, sizes[0])
        owner = work.x_mate[goal]
        if owner < 0:
            break
        heap.settled[settled] = goal
        settled += 1
    if base > 0:
        work.y_price[begin] -= base
        for i in range(settled):
            node = heap.settled[i]
            work.x_price[node] += base - work.distance[node]
            work.y_price[work.x_mate[node]] -= base - work.distance[node]
    for i in range(sizes[2]):
        work.distance[heap.touched[i]] = FAR
    owner = -1
    while owner != begin:
        owner = work.parent[goal]
        before = work.y_mate[owner]
        work.x_mate[goal], work.y_mate[owner] = owner, goal
        goal = before


@compiled
def assign(small: Side, big: Side, work: Work, unmatched: int, seed: int) -> None:
    """Solve one assignment; the pixels' mates are then the first entries of x_mate and y_mate.

    A pixel of the small side is matched to a pixel if its mate is below the big side's size.

    Args:
        small: the side of which fewer pixels take part, optimally matched.
        big: the other side.
        work: scratch.
        unmatched: the outlier cost in integer units.
        seed: of the random links.
    """
    ns, nb = small.size[0], big.size[0]
    draw_links(work.x_links, work.y_links, ns, nb, seed)
    _load(small, big, work)
    _reverse(ns, nb, work)
    for i in range(nb + ns):
        if work.y_mate[i] < 0:
            _settle(i, ns, nb, work)
    for i in range(nb + ns):
        if work.y_mate[i] < 0:
            _augment(small, big, work, i, (LAST_RESORT - 1) * unmatched * UNIT)
