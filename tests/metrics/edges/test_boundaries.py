"""The boundary benchmark against its original's outputs and against literal implementations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import loadmat
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment
from skimage.morphology import thin as skimage_thin

from sambench.errors import UserError
from sambench.metrics.edges import _counting, _matching, _outliers, _pairs, _thinning
from sambench.metrics.edges.boundaries import (
    edge_counts,
    match,
    thin,
    threshold_values,
)
from sambench.metrics.edges.f_measure import boundary_estimator, boundary_scores

SHARED = Path(__file__).resolve().parents[4] / "shared"
BENCH = SHARED / "reference" / "bsds_bench_5"
EDGES = SHARED / "reference" / "edges"
TRUTH = SHARED / "data" / "bsds500" / "groundTruth" / "val"
FORBIDDEN = 1e9  # cost of a pair that may not be matched

needs_bench = pytest.mark.skipif(not BENCH.is_dir(), reason="the benchmark's example is not here")
needs_edges = pytest.mark.skipif(
    not (EDGES.is_dir() and TRUTH.is_dir()), reason="BSDS500 or the original's counts are not here"
)


def read_boundaries(path: Path) -> list[np.ndarray]:
    cells = loadmat(path)["groundTruth"].ravel()
    return [cell["Boundaries"][0, 0] > 0 for cell in cells]


def read_map(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)) / 255.0


def smooth_map(seed: int, size: int = 40, levels: int = 20) -> np.ndarray:
    """A random map with ridges and plateaus, in [0, 1], of few values as a file has them."""
    noise = gaussian_filter(np.random.default_rng(seed).random((size, size)), 1.5)
    noise = (noise - noise.min()) / np.ptp(noise)
    return np.round(noise * levels) / levels


def scattered(seed: int, size: int, share: float) -> np.ndarray:
    return np.random.default_rng(seed).random((size, size)) < share


def pair_costs(predicted: np.ndarray, annotated: np.ndarray, reach: float) -> np.ndarray:
    """Costs in hundredths of a pixel between the pixels of two maps, FORBIDDEN beyond reach."""
    away = np.argwhere(predicted)[:, None] - np.argwhere(annotated)[None]
    distance = np.hypot(away[..., 0], away[..., 1])
    return np.where(distance <= reach, np.rint(100 * distance), FORBIDDEN)


def cheapest(costs: np.ndarray) -> tuple[int, float]:
    """Size and cost of the minimum-cost maximum matching."""
    rows, columns = linear_sum_assignment(costs)
    chosen = costs[rows, columns]
    return int((chosen < FORBIDDEN).sum()), float(chosen[chosen < FORBIDDEN].sum())


# Thinning


@given(st.integers(0, 10**6), st.floats(0.05, 0.95), st.tuples(*[st.integers(1, 25)] * 2))
@settings(max_examples=100, deadline=None)
def test_thin_equals_scikit_image(seed, share, shape):
    binary = np.random.default_rng(seed).random(shape) < share
    assert np.array_equal(thin(binary), skimage_thin(binary))


def test_thin_at_the_image_border_counts_the_outside_as_off():
    binary = np.ones((7, 9), dtype=np.uint8)
    assert np.array_equal(thin(binary), skimage_thin(binary))
    assert thin(binary).sum() < 9


@pytest.mark.parametrize("seed", range(3))
def test_every_threshold_is_thinned_as_if_it_were_alone(seed):
    edge_map = smooth_map(seed)
    counts = edge_counts(edge_map, [edge_map > 0.5], thresholds=99)
    alone = [skimage_thin(edge_map >= t).sum() for t in threshold_values(99)]
    assert counts[:, 3].tolist() == alone


# The exact matching


@pytest.mark.parametrize("seed", range(20))
def test_exact_matching_is_the_cheapest_of_the_largest(seed):
    predicted, annotated = scattered(seed, 22, 0.2), scattered(seed + 100, 22, 0.15)
    reach = 0.1 * np.hypot(22, 22)
    hits, found = match(predicted, annotated, max_distance=0.1, matching="exact")
    assert not (hits & ~predicted).any()
    assert not (found & ~annotated).any()
    size, cost = cheapest(pair_costs(predicted, annotated, reach))
    assert hits.sum() == found.sum() == size
    assert cheapest(pair_costs(hits, found, reach)) == (size, cost)


@pytest.mark.parametrize("seed", range(4))
def test_matching_kept_alive_equals_matching_from_scratch(seed):
    edge_map = smooth_map(seed)
    truths = [skimage_thin(smooth_map(seed + 50 + i) > 0.5) for i in range(2)]
    counts = edge_counts(edge_map, truths, max_distance=0.05, matching="exact")
    reach = 0.05 * np.hypot(*edge_map.shape)
    for row, t in list(zip(counts, threshold_values(99), strict=True))[::7]:
        lines = skimage_thin(edge_map >= t)
        sizes = [cheapest(pair_costs(lines, truth, reach))[0] for truth in truths]
        assert row[0] == sum(sizes)
        assert max(sizes) <= row[2] <= sum(sizes)


# The benchmark's own assignment


def literal_assignment(small, big, work, unmatched: int) -> np.ndarray:
    """The cost matrix of the assignment with the drawn links, in units of 2^-24."""
    ns, nb = int(small.size[0]), int(big.size[0])
    outlier = unmatched * _matching.UNIT
    costs = np.full((ns + nb, nb + ns), np.inf)
    costs[np.arange(ns), nb + np.arange(ns)] = outlier * 100
    costs[ns + np.arange(nb), np.arange(nb)] = outlier * 100
    for i in range(ns):
        costs[i, nb + work.x_links[i, : min(6, ns - 1)]] = outlier
        pixel = small.active[i]
        for e in range(small.start[pixel], small.start[pixel + 1]):
            if big.place[small.partner[e]] >= 0:
                costs[i, big.place[small.partner[e]]] = outlier - small.gain[e]
    for i in range(nb):
        costs[ns + i, nb + work.x_links[ns + i, : min(6, ns)]] = outlier
        costs[ns + work.y_links[i, : min(6, nb - 1)], i] = outlier
    return costs


@pytest.mark.parametrize("size", [3, 5, 8, 14, 24])
@pytest.mark.parametrize("seed", range(12))
def test_assignment_with_outliers_is_optimal(size, seed):
    share = 0.6 if size < 6 else 0.25
    predicted, annotated = scattered(seed, size, share + 0.05), scattered(seed + 99, size, share)
    reach = 1.5 + seed % 3
    unmatched = _pairs.outlier_cost(reach)
    pixels = np.flatnonzero(predicted).astype(np.int32)
    index = _pairs.place(pixels, predicted.shape, reach)
    sides = _pairs.pair_up(index, len(pixels), annotated, reach, unmatched, np.uint64(seed))
    heap, work = _matching.heap_for(*sides), _outliers.work_for(*sides)
    everything = np.arange(len(pixels), dtype=np.int32)
    events = _thinning.Events(pixels, everything, np.array([0, len(pixels)]), np.zeros(2, np.int64))
    seeds, matched = np.array([seed], np.uint64), np.zeros((1, len(pixels)), bool)
    _counting.count_matches(events, *sides, heap, work, unmatched, seeds, matched)
    small, big = sides if sides[0].size[0] < sides[1].size[0] else sides[::-1]
    assert small.size[0]
    ns, nb = int(small.size[0]), int(big.size[0])
    _outliers.draw(work.y_links, 0, nb, nb, ~seeds[0])
    costs = literal_assignment(small, big, work, unmatched)
    mate = work.x_mate[: ns + nb]
    assert sorted(mate) == list(range(ns + nb))  # everything is placed
    finite = np.where(np.isfinite(costs), costs, costs[np.isfinite(costs)].max() * (ns + nb + 1))
    rows, columns = linear_sum_assignment(finite)
    assert costs[np.arange(ns + nb), mate].sum() == pytest.approx(
        costs[rows, columns].sum(), abs=_matching.UNIT / 2
    )


def test_links_are_distinct_uniform_and_never_to_the_own_outlier():
    small, big = 40, 50
    x_links, y_links = np.empty((90, 6), np.int32), np.empty((50, 6), np.int32)
    hits = np.zeros((small + big, small))
    for seed in range(2000):
        _outliers.draw(x_links, 0, small + big, small, np.uint64(seed))
        _outliers.draw(y_links, 7, 8, big, ~np.uint64(seed))
        assert 7 not in y_links[7]
        np.add.at(hits, (np.arange(90)[:, None], x_links), 1)
    assert (np.diag(hits[:small]) == 0).all()
    assert hits.max() < 2000  # never twice in a row of distinct links
    apart = hits[small:] / 2000 - 6 / small
    assert np.abs(apart).max() < 5 * np.sqrt(6 / small / 2000)
    assert all(len(set(row)) == 6 for row in x_links.tolist())


def test_the_berkeley_matching_never_finds_more_than_the_exact_one():
    edge_map, truth = smooth_map(3, 80), skimage_thin(smooth_map(4, 80) > 0.5)
    exact = edge_counts(edge_map, [truth], matching="exact")
    runs = [edge_counts(edge_map, [truth], seed=seed) for seed in range(5)]
    assert all((run[:, 0] <= exact[:, 0]).all() for run in runs)
    assert any((run[:, 0] < exact[:, 0]).any() for run in runs)
    assert np.abs(np.mean(runs, axis=0) - exact).max() < 0.05 * truth.sum()


def test_the_same_seed_gives_the_same_counts():
    edge_map, truth = smooth_map(5), smooth_map(6) > 0.6
    first = edge_counts(edge_map, [truth, truth], seed=7)
    assert np.array_equal(first, edge_counts(edge_map, [truth, truth], seed=7))


# Against the original program


@needs_bench
def test_the_benchmarks_own_example():
    names = sorted(int(path.stem) for path in (BENCH / "png").glob("*.png"))
    images = [
        (read_map(BENCH / "png" / f"{n}.png"), read_boundaries(BENCH / "groundTruth" / f"{n}.mat"))
        for n in names
    ]
    runs = [np.stack([edge_counts(*i, thresholds=5, seed=s) for i in images]) for s in range(4)]
    counts = np.mean(runs, axis=0)
    scores = boundary_scores(counts)
    official = np.loadtxt(BENCH / "test_2" / "eval_bdry.txt")  # T R P F, R P F of OIS, AP
    assert scores.threshold == pytest.approx(official[0], abs=1e-6)
    ours = (scores.recall, scores.precision, scores.ods, scores.ois_recall, scores.ois_precision)
    assert ours == pytest.approx(official[1:6], abs=6e-4)
    assert (scores.ods, scores.ois, scores.ap) == pytest.approx(official[[3, 6, 7]], abs=2e-4)
    curve = np.loadtxt(BENCH / "test_2" / "eval_bdry_thr.txt")
    assert scores.curve == pytest.approx(curve[:, 1:], abs=8e-4)
    for image, row in zip(counts, np.loadtxt(BENCH / "test_2" / "eval_bdry_img.txt"), strict=True):
        one = boundary_scores(image[None])
        assert one.threshold == pytest.approx(row[1], abs=1e-6)
        assert (one.recall, one.precision, one.ods) == pytest.approx(row[2:], abs=2e-3)


@needs_edges
def test_counts_equal_the_originals_within_the_variation_of_its_runs():
    reference = np.load(EDGES / "original_counts.npz", allow_pickle=False)
    at = np.rint(reference["thresholds"] * 100).astype(int) - 1
    original = reference["counts"]
    ours = np.stack(
        [
            [edge_counts(*reference_image(name), seed=seed)[at] for seed in range(3)]
            for name in reference["names"]
        ]
    )
    assert np.array_equal(ours[:, 0, :, 1], original[:, 0, :, 1])
    assert np.array_equal(ours[:, 0, :, 3], original[:, 0, :, 3])
    apart = ours.mean(axis=1) - original.mean(axis=1)
    assert np.abs(apart[..., [0, 2]]).max() < 3.5 * 2.8  # the larger of the standard deviations
    assert np.abs(apart[..., [0, 2]].mean(axis=(0, 1))).max() < 0.5
    spread = ours.std(axis=1, ddof=1).mean(axis=0), original.std(axis=1, ddof=1).mean(axis=0)
    assert np.abs(spread[0] - spread[1]).max() < 1.5


@needs_edges
def test_the_exact_matching_finds_a_few_more_than_the_original():
    reference = np.load(EDGES / "original_counts.npz", allow_pickle=False)
    at = np.rint(reference["thresholds"] * 100).astype(int) - 1
    more = [
        edge_counts(*reference_image(name), matching="exact")[at, 0] - runs[..., 0]
        for name, runs in zip(reference["names"], reference["counts"], strict=True)
    ]
    assert np.min(more) >= 0
    assert 1 < np.mean(more) < 4


def reference_image(name: str) -> tuple[np.ndarray, list[np.ndarray]]:
    return read_map(EDGES / f"{name}.png"), read_boundaries(TRUTH / f"{name}.mat")


# Scores from counts


def f_measure(r: float, p: float) -> float:
    return 2 * p * r / (p + r + ((p + r) == 0))


def literal_scores(counts: np.ndarray) -> tuple[float, float, float, float]:
    """The benchmark's collecting program, loop by loop."""
    counts = counts.astype(float)
    n_thresholds = counts.shape[1]
    total, best = counts.sum(axis=0), np.zeros(4)
    for image in counts:
        f = [f_measure(c[0] / (c[1] + (c[1] == 0)), c[2] / (c[3] + (c[3] == 0))) for c in image]
        best += image[f.index(max(f))]
    recall = [c[0] / (c[1] + (c[1] == 0)) for c in total]
    precision = [c[2] / (c[3] + (c[3] == 0)) for c in total]
    ods = f_measure(recall[0], precision[0])
    for i in range(1, n_thresholds):
        for d in np.linspace(0, 1, 100):
            r = recall[i] * d + recall[i - 1] * (1 - d)
            p = precision[i] * d + precision[i - 1] * (1 - d)
            ods = max(ods, f_measure(r, p))
    ois = f_measure(best[0] / (best[1] + (best[1] == 0)), best[2] / (best[3] + (best[3] == 0)))
    pairs: dict[float, float] = {}
    for r, p in zip(recall, precision, strict=True):
        pairs.setdefault(r, p)
    if len(pairs) < 2:
        return ods, ois, 0.0, float("nan")
    known = sorted(pairs)
    area = sum(
        np.interp(r, known, [pairs[k] for k in known])
        for r in np.linspace(0, 1, 101)
        if known[0] <= r <= known[-1]
    )
    by_precision: dict[float, float] = {}
    for r in known:
        by_precision.setdefault(pairs[r], r)
    steps = sorted(by_precision)
    goal = max(steps[0], 0.5)
    r50 = np.interp(goal, steps, [by_precision[s] for s in steps])
    return ods, ois, area * 0.01, float(r50) if goal <= steps[-1] else float("nan")


def random_counts(seed: int, images: int = 5, thresholds: int = 9) -> np.ndarray:
    random = np.random.default_rng(seed)
    total = np.repeat(random.integers(50, 500, (images, 1)), thresholds, axis=1)
    predicted = np.sort(random.integers(0, 400, (images, thresholds)), axis=1)[:, ::-1]
    recalled = np.minimum(total, predicted * random.random((images, thresholds)) * 2).astype(int)
    recalled = np.sort(recalled, axis=1)[:, ::-1]
    hits = (predicted * random.random((images, thresholds))).astype(int)
    return np.stack((recalled, total, hits, predicted), axis=-1)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_scores_equal_the_literal_program(seed, images, thresholds):
    counts = random_counts(seed, images, thresholds)
    scores = boundary_scores(counts)
    expected = literal_scores(counts)
    assert (scores.ods, scores.ois, scores.ap, scores.r50) == pytest.approx(expected, nan_ok=True)


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_weights_are_repetitions(seed):
    counts = random_counts(seed)
    times = np.random.default_rng(seed).integers(0, 4, 5)
    times[0] += 1
    repeated = boundary_scores(np.repeat(counts, times, axis=0))
    weighted = boundary_estimator(counts)(times.astype(float))
    expected = {"ODS": repeated.ods, "OIS": repeated.ois, "AP": repeated.ap, "R50": repeated.r50}
    assert weighted == pytest.approx(expected, nan_ok=True)


def test_ods_lies_between_thresholds():
    counts = np.array([[[90, 100, 10, 100], [10, 100, 90, 100]]])
    scores = boundary_scores(counts)
    assert scores.ods == pytest.approx(0.5, abs=1e-4)  # 0.18 at either threshold
    assert 1 / 3 < scores.threshold < 2 / 3


def test_perfect_maps_score_one():
    truth = skimage_thin(smooth_map(1) > 0.5)
    counts = edge_counts(truth * 0.995, [truth, truth], matching="exact")
    scores = boundary_scores(counts[None])
    assert (scores.ods, scores.ois) == (1, 1)


# Traps


def test_an_empty_annotator_adds_nothing():
    edge_map, truth = smooth_map(2), smooth_map(3) > 0.6
    both = edge_counts(edge_map, [truth, np.zeros_like(truth)], seed=1)
    assert np.array_equal(both, edge_counts(edge_map, [truth], seed=1))


def test_no_annotated_pixel_at_all_scores_zero():
    counts = edge_counts(smooth_map(2), [np.zeros((40, 40))])
    assert (counts[:, :3] == 0).all()
    scores = boundary_scores(counts[None])
    assert (scores.ods, scores.ois, scores.ap) == (0, 0, 0)


def test_a_map_that_never_reaches_the_upper_thresholds():
    edge_map = smooth_map(2) * 0.6
    counts = edge_counts(edge_map, [smooth_map(2) > 0.7])
    assert (counts[60:, [0, 2, 3]] == 0).all()
    assert (counts[:58, 3] > 0).all()
    scores = boundary_scores(counts[None])
    assert (scores.curve[60:, 1] == 0).all()  # 0 / 0 is 0
    assert np.isfinite([scores.ods, scores.ois, scores.ap]).all()


def test_an_empty_map_scores_zero():
    counts = edge_counts(np.zeros((20, 30)), [np.eye(20, 30)])
    assert counts[:, 1].tolist() == [20] * 99
    assert (counts[:, [0, 2, 3]] == 0).all()


def test_a_value_equal_to_a_threshold_is_on():
    edge_map = np.zeros((9, 9))
    edge_map[4, 4] = 0.5
    assert edge_counts(edge_map, [edge_map])[:, 3].tolist() == [1] * 50 + [0] * 49


def test_thresholds_are_rounded_as_the_original_rounds_them():
    edge_map = np.full((9, 9), 85) / 255  # 1/3 exactly; the second of 5 thresholds is just above
    assert edge_counts(edge_map, [edge_map], thresholds=5)[:, 3].tolist() == [1, 0, 0, 0, 0]
    for level, rank in ((51, 20), (102, 40), (153, 60), (204, 80)):  # equal to k / 100
        assert (threshold_values(99) <= level / 255).sum() == rank


@pytest.mark.parametrize("kind", [np.uint8, np.int64, bool])
def test_a_map_of_integers_is_refused(kind):
    with pytest.raises(UserError, match="divide an 8-bit map by 255"):
        edge_counts(np.ones((5, 5), dtype=kind), [np.ones((5, 5))])


@pytest.mark.parametrize("value", [-0.1, 1.5, 255.0, np.nan, np.inf])
def test_a_map_outside_of_zero_to_one_is_refused(value):
    with pytest.raises(UserError, match=r"must lie in \[0, 1\]"):
        edge_counts(np.full((5, 5), value), [np.ones((5, 5))])


def test_thinning_needs_an_image():
    with pytest.raises(UserError, match=r"\(H, W\)"):
        thin(np.ones((3, 4, 5)))


def test_other_inputs_that_cannot_be_used_are_refused():
    edge_map, truth = np.zeros((5, 6)), np.zeros((5, 6))
    with pytest.raises(UserError, match="bring both to the image's"):
        edge_counts(edge_map, [truth.T])
    with pytest.raises(UserError, match="at least one annotator"):
        edge_counts(edge_map, [])
    with pytest.raises(UserError, match="'berkeley' or 'exact'"):
        edge_counts(edge_map, [truth], matching="greedy")
    with pytest.raises(UserError, match="max_distance"):
        edge_counts(edge_map, [truth], max_distance=4.3)
    with pytest.raises(UserError, match="thresholds"):
        edge_counts(edge_map, [truth], thresholds=0)
    with pytest.raises(UserError, match="boundary counts"):
        boundary_scores(np.zeros((99, 4)))


def test_only_pixels_within_reach_are_matched():
    predicted, annotated = np.zeros((100, 100)), np.zeros((100, 100))
    predicted[50, 50] = 1
    for column, expected in ((54, 1), (55, 0)):  # reach is 4.24 pixels at 3 % of the diagonal
        annotated[:] = 0
        annotated[50, column] = 1
        hits, found = match(predicted, annotated, max_distance=0.03)
        assert hits.sum() == found.sum() == expected


def test_matching_is_one_to_one():
    predicted, annotated = np.zeros((50, 50)), np.zeros((50, 50))
    predicted[20:23, 20], annotated[21, 22] = 1, 1
    counts = edge_counts(predicted * 0.9, [annotated, annotated], max_distance=0.1)
    assert counts[0].tolist() == [2, 2, counts[0, 2], thin(predicted).sum()]
    assert counts[0, 2] in (1, 2)
