"""Solve the assignment that `_outliers` describes: one shortest path for each outlier left over."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numba import typeof

from sambench._compile import inner
from sambench.metrics.edges._matching import FAR, UNIT, Ints, Side, Whole, pop, push, side
from sambench.metrics.edges._outliers import DEGREE, Work, draw, place, work_for

LAST_RESORT = 100  # cost of a link of last resort in outlier costs
MARKS = 256  # size of the trees that grow towards a search


@inner
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


@inner
def _mark(ns: int, nb: int, work: Work, free: Ints, count: Whole) -> int:
    """Grow a tree backwards, at no cost, from each unmatched node of x over nodes of y.

    A search that meets a tree is done. Augmenting through one leaves the others as they are.
    Returns the number of marked nodes.
    """
    links, via, roots, marked = work.x_links, work.via, work.root, work.marked
    y_mate, x_price, y_price = work.y_mate, work.x_price, work.y_price
    size, source = 0, 0
    while source < count or (size < MARKS and source < count + size):
        x = root = free[min(source, count - 1)]
        if source >= count:
            x, root = y_mate[marked[source - count]], roots[marked[source - count]]
        source += 1
        for k in range(min(DEGREE, ns - 1 if x < ns else ns) if x >= 0 else 0):
            node = nb + links[x, k]
            if via[node] < 0 and x_price[x] + y_price[node] == 0:
                via[node], roots[node] = x, root
                marked[size] = node
                size += 1
    return size


@inner
def _neighbours(
    small: Side, big: Side, work: Work, owner: int, resort: int, seed: np.uint64
) -> int:
    """List what a node of y is linked to and what each link is worth; returns how many."""
    ns, nb = small.size[0], big.size[0]
    near, worth, count = work.near, work.worth, 0
    if owner >= nb:
        for e in range(work.back_start[owner - nb], work.back_start[owner - nb + 1]):
            near[count], worth[count] = work.back[e], 0
            count += 1
        near[count], worth[count] = owner - nb, -resort
        return count + 1
    pixel = big.active[owner]
    for e in range(big.start[pixel], big.start[pixel + 1]):
        place = small.place[big.partner[e]]
        if place >= 0:
            near[count], worth[count] = place, big.gain[e]
            count += 1
    if work.y_links[owner, 0] < 0:
        draw(work.y_links, owner, owner + 1, nb, ~seed)
    for k in range(min(DEGREE, nb - 1)):
        near[count], worth[count] = ns + work.y_links[owner, k], 0
        count += 1
    near[count], worth[count] = ns + owner, -resort
    return count + 1


@inner
def _flip(work: Work, begin: int, goal: int) -> int:
    """Match along the path from `begin` to `goal`, and on to an unmatched node, returned."""
    onward, node = work.x_mate[goal], goal
    owner = -1
    while owner != begin:
        owner = work.parent[node]
        before = work.y_mate[owner]
        work.x_mate[node], work.y_mate[owner] = owner, node
        node = before
    while onward >= 0:
        goal = work.via[onward]
        after = work.x_mate[goal]
        work.x_mate[goal], work.y_mate[onward] = onward, goal
        onward = after
    return goal


@inner
def _augment(  # noqa: C901 - one search; parts would hand a dozen arrays to each other
    small: Side, big: Side, work: Work, begin: int, resort: int, seed: np.uint64
) -> int:
    """Match one more node of y along the shortest path; returns the node of x that it took."""
    heap, stack, near, worth = work.heap, work.stack, work.near, work.worth
    distance, parent, x_mate = work.distance, work.parent, work.x_mate
    x_price, y_price, via, root = work.x_price, work.y_price, work.via, work.root
    queued, stacked, touched, settled = np.int64(0), 0, 0, 0
    owner, base, goal = begin, 0, -1
    while goal < 0:
        for i in range(_neighbours(small, big, work, owner, resort, seed)):
            node = near[i]
            reach = base + y_price[owner] + x_price[node] - worth[i]
            if reach < distance[node]:
                if distance[node] == FAR:
                    heap.touched[touched] = node
                    touched += 1
                distance[node], parent[node] = reach, owner
                if reach > base:
                    queued = push(heap, queued, reach, node)
                else:  # no other can be nearer: these are taken without passing through the heap
                    stack[stacked] = node
                    stacked += 1
        if stacked > 0:
            stacked -= 1
            node = stack[stacked]
        else:
            while heap.keys[0] > distance[heap.nodes[0]]:
                queued = pop(heap, queued)
            base, node = heap.keys[0], heap.nodes[0]
            queued = pop(heap, queued)
        owner = x_mate[node]
        if owner < 0 or (via[owner] >= 0 and x_mate[root[owner]] < 0):
            goal = node  # unmatched, or the mate stands in the tree of a node that still is
        else:
            heap.settled[settled] = node
            settled += 1
    if base > 0:
        y_price[begin] -= base
        for node in heap.settled[:settled]:
            x_price[node] += base - distance[node]
            y_price[x_mate[node]] -= base - distance[node]
    for node in heap.touched[:touched]:
        distance[node] = FAR
    return _flip(work, begin, goal)


@inner
def search(small: Side, big: Side, work: Work, unmatched: int, seed: np.uint64) -> None:
    """Match the nodes of y that `place` left; then the assignment is solved.

    A pixel is matched to a pixel if its mate, among the first entries of x_mate and y_mate, is
    below the number of the other side's pixels.

    Args:
        small: the side of which fewer pixels take part, optimally matched.
        big: the other side.
        work: scratch.
        unmatched: the outlier cost in integer units.
        seed: of the random links.
    """
    ns, nb = small.size[0], big.size[0]
    free, count = work.free, np.int64(0)
    for i in range(ns + nb):
        if work.x_mate[i] < 0:
            free[count] = i
            count += 1
    if count > 0:
        _reverse(ns, nb, work)
    marked, enough = 0, count
    for i in range(nb + ns):
        if work.y_mate[i] < 0:
            if count <= enough:  # half of the trees are used up
                for k in range(marked):
                    work.via[work.marked[k]] = -1
                marked, enough = _mark(ns, nb, work, free, count), count // 2
            taken = _augment(small, big, work, i, (LAST_RESORT - 1) * unmatched * UNIT, seed)
            found = 0
            while free[found] != taken:
                found += 1
            count -= 1
            free[found] = free[count]


def compile_assignment() -> None:
    """Have `search` and `place` compiled and kept: nearly half of what `_counting.walk` calls."""
    nothing = np.zeros(1, np.int32), np.empty(0, np.int32), np.empty(0, np.int64)
    sides = side(*nothing, 0), side(*nothing, 0)
    types = tuple(map(typeof, (*sides, work_for(*sides), 1, np.uint64(0))))
    last, first = cast(Any, search), cast(Any, place)
    last.compile(types)
    first.compile((*types[:3], types[4]))
