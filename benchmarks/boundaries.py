"""The boundary metric beside other implementations: same input, same run, one thread.

    OMP_NUM_THREADS=1 python benchmarks/boundaries.py [--maps DIR --truth DIR] [--step 9] [--peer]

The straightforward one thins each of the 99 maps with scikit-image, finds the pairs with scipy's
k-d tree and solves each annotator's minimum-cost matching with scipy's sparse assignment solver. It
computes what matching="exact" computes, and its counts are compared. The two take turns; times are
CPU seconds an image for all annotators, a ratio is that of one image, given as median, lowest and
highest. Maps are 8-bit PNG files, truths BSDS500 .mat files of the same names; without them, images
are made up.

With ``--peer`` the other one is py-bsds500 (G. French), the original program's matching with its
thinning in NumPy, built with Cython and on the path; its random links differ in each run, so of its
counts only the numbers of pixels must be equal, and the difference of the matched is told.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import loadmat
from scipy.ndimage import gaussian_filter, sobel
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import cKDTree
from skimage import morphology

from sambench.metrics.edges.boundaries import MAX_DISTANCE, edge_counts, threshold_values
from sambench.metrics.edges.nms import structured_nms

Case = tuple[str, NDArray[np.float64], list[NDArray[np.bool_]]]
SIZE = (161, 241)  # half of BSDS500, for the sake of the slower side
ALONE = 1e6  # cost of a pixel that is left unmatched
thin: Any = morphology.thin  # ships no types


def read(maps: Path, truth: Path) -> Iterator[Case]:
    """Maps and all annotators of BSDS500 images."""
    for path in sorted(maps.glob("*.png")):
        cells = loadmat(truth / f"{path.stem}.mat")["groundTruth"].ravel()
        annotators = [cell["Boundaries"][0, 0] > 0 for cell in cells]
        yield path.stem, np.asarray(Image.open(path)) / 255.0, annotators


def invent(count: int = 3) -> Iterator[Case]:
    """Maps of noise and five annotators who draw its stronger edges, each a little elsewhere."""
    for seed in range(count):
        random = np.random.default_rng(seed)
        image = gaussian_filter(random.random(SIZE), 4)
        edges = np.hypot(sobel(image, 0), sobel(image, 1))
        edge_map = np.rint(255 * structured_nms(edges / edges.max())) / 255
        shifts = random.integers(-2, 3, (5, 2))
        drawn = [thin(np.roll(edge_map, shift, (0, 1)) > 0.35) for shift in shifts]
        yield f"invented {seed}", edge_map, drawn


def matched(lines: NDArray[np.bool_], truth: NDArray[np.bool_], reach: float) -> NDArray[np.intp]:
    """Indices of the predicted pixels in a minimum-cost maximum matching."""
    ours, theirs = np.argwhere(lines), np.argwhere(truth)
    if not len(ours) or not len(theirs):
        return np.empty(0, dtype=np.intp)
    pairs = cKDTree(ours).sparse_distance_matrix(cKDTree(theirs), reach, output_type="ndarray")
    n, m = len(ours), len(theirs)
    i, j, cost = pairs["i"], pairs["j"], np.rint(100 * pairs["v"]) + 1
    rows = np.concatenate((i, np.arange(n), n + np.arange(m), n + j))
    columns = np.concatenate((j, m + np.arange(n), np.arange(m), m + i))
    costs = np.concatenate((cost, np.full(n + m, ALONE), np.ones(len(i))))
    graph = coo_array((costs, (rows, columns)), shape=(n + m, n + m)).tocsr()
    row, column = min_weight_full_bipartite_matching(graph)
    chosen: NDArray[np.intp] = row[(row < n) & (column < m)]
    return chosen


def straightforward(case: Case, step: int) -> NDArray[np.int64]:
    """(T, 3) cntR, sumR, sumP at every step-th threshold."""
    _, edge_map, annotators = case
    reach = MAX_DISTANCE * float(np.hypot(*edge_map.shape))
    table = []
    for threshold in threshold_values(99)[::step]:
        lines = thin(edge_map >= threshold)
        hits = [len(matched(lines, truth, reach)) for truth in annotators]
        table.append((sum(hits), sum(int(truth.sum()) for truth in annotators), int(lines.sum())))
    return np.array(table)


def original(case: Case, step: int) -> NDArray[np.int64]:
    """(T, 4) cntR, sumR, cntP, sumP of py-bsds500 at every step-th threshold."""
    evaluate: Any = import_module("bsds.evaluate_boundaries").evaluate_boundaries
    _, edge_map, annotators = case
    found = evaluate(edge_map, annotators, thresholds=threshold_values(99)[::step])
    return np.stack(found[:4], axis=1).astype(np.int64)


def beside(case: Case, step: int) -> float:
    """Print a line for an image; returns how many times faster than py-bsds500."""
    name, edge_map, annotators = case
    turns = [timed(lambda: edge_counts(edge_map, annotators)) for _ in range(5)]
    ours, counts = statistics.median(spent for spent, _ in turns), turns[0][1][::step]
    spent, expected = timed(lambda: original(case, step))
    theirs = spent * 99 / len(expected)
    assert np.array_equal(counts[:, [1, 3]], expected[:, [1, 3]])
    more, whole = (table[:, [0, 2]].sum(axis=0) for table in (counts - expected, expected))
    told = ", ".join(f"{extra:+d} of {number}" for extra, number in zip(more, whole, strict=True))
    print(f"{name}: {ours:.3f}, {theirs:.1f}, {theirs / ours:.0f}, {told}", flush=True)
    return theirs / ours


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds and the result."""
    begin = time.process_time()
    result = run()
    return time.process_time() - begin, result


def compare(case: Case, step: int) -> tuple[float, float, float]:
    """CPU seconds of berkeley, exact and the straightforward program, in turns."""
    _, edge_map, annotators = case
    berkeley, _ = timed(lambda: edge_counts(edge_map, annotators))
    exact, counts = timed(lambda: edge_counts(edge_map, annotators, matching="exact"))
    slow, expected = timed(lambda: straightforward(case, step))
    assert np.array_equal(counts[::step][:, [0, 1, 3]], expected)
    return berkeley, exact, slow * 99 / len(expected)


def main() -> None:
    """Print a line for each image and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--maps", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--step", type=int, default=9, help="every n-th threshold, scaled to 99")
    parser.add_argument("--peer", action="store_true", help="beside py-bsds500")
    options = parser.parse_args()
    cases = list(read(options.maps, options.truth) if options.maps else invent())
    if options.peer:
        compare(cases[0], 99)  # compiles
        print("image: berkeley s, py-bsds500 s, times faster, more annotated, predicted matched")
        ratios = [beside(case, options.step) for case in cases]
        print(f"median {statistics.median(ratios):.0f} ({min(ratios):.0f} to {max(ratios):.0f})")
        return
    compare(cases[0], 99)  # compiles
    rows = []
    print("image: berkeley s, exact s, straightforward s")
    for case in cases:
        rows.append(compare(case, options.step))
        print(f"{case[0]}: {rows[-1][0]:.3f}, {rows[-1][1]:.3f}, {rows[-1][2]:.1f}", flush=True)
    for name, column in (("berkeley", 0), ("exact", 1)):
        ratios = [row[2] / row[column] for row in rows]
        middle = statistics.median(ratios)
        print(f"{name}: {middle:.0f} times faster ({min(ratios):.0f} to {max(ratios):.0f})")


if __name__ == "__main__":
    main()
