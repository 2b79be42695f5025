"""Boundary detection as the Berkeley Segmentation Dataset and Benchmark scores it.

D. Martin, C. Fowlkes and J. Malik, "Learning to detect natural image boundaries using local
brightness, color, and texture cues", PAMI 2004; P. Arbelaez, M. Maire, C. Fowlkes and J. Malik,
"Contour detection and hierarchical image segmentation", PAMI 2011 (ODS, OIS, AP).

A map is cut at thresholds t = k / (T + 1), k = 1 ... T (value >= t is on), thinned, and matched one
to one with each annotator's boundaries within `max_distance` of the image's diagonal. Four counts
result at each threshold: cntR, annotated pixels that are matched, summed over annotators; sumR, all
annotated pixels; cntP, predicted pixels that are matched with at least one annotator; sumP, all
predicted pixels. Counts of images add up: recall is cntR / sumR, precision cntP / sumP (0 where a
sum is 0), F = 2 P R / (P + R).

Two matchings are offered. "berkeley" solves the assignment of the original program, whose random
outlier links cost a few matches; the links come from a seed, so the counts are deterministic, and
they differ from the original's no more than its runs differ from each other. "exact" is the true
minimum-cost maximum matching, which has no randomness and finds slightly more. Both are computed
from one matching that is kept optimal while thinned pixels come and go from threshold to threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError

if TYPE_CHECKING:
    from sambench.metrics.edges._thinning import Events

Bools = NDArray[np.bool_]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Matching = Literal["berkeley", "exact"]

MAX_DISTANCE = 0.0075  # of the image's diagonal, the benchmark's value for BSDS
_UNREACHED = 1 << 32  # cost of leaving a pixel unmatched that no sum of distances can reach


def edge_counts(
    edge_map: NDArray[Any],
    annotators: Sequence[NDArray[Any]],
    *,
    thresholds: int = 99,
    max_distance: float = MAX_DISTANCE,
    matching: Matching = "berkeley",
    seed: int = 0,
) -> Counts:
    """Score one image's boundary map against all its annotators.

    Args:
        edge_map: (H, W) float in [0, 1]; a map from an 8-bit file must be divided by 255.
        annotators: each (H, W), boundary pixels non-zero; an annotator may have none.
        thresholds: their number T.
        max_distance: how far apart matched pixels may be, as a fraction of the image's diagonal.
        matching: see the module.
        seed: of the random links of "berkeley".

    Returns:
        (T, 4) cntR, sumR, cntP, sumP at each threshold, from the lowest.

    Raises:
        UserError: the map or an annotation cannot be used.
    """
    from sambench.metrics.edges._thinning import thinning_events

    values = _checked_map(edge_map)
    truths = _checked_truths(annotators, values.shape)
    _check_options(max_distance, matching, thresholds)
    grid = threshold_values(thresholds)
    levels = np.searchsorted(grid, values, side="right").astype(np.int16)
    events = thinning_events(levels, thresholds)
    result = _walk(events, truths, max_distance, matching, seed)
    sizes = np.cumsum(np.diff(events.removed) - 2 * (events.added[:-1] - events.removed[:-1]))
    total = np.full(thresholds, sum(np.count_nonzero(truth) for truth in truths))
    columns = (result.recalled, total, result.matched.sum(axis=1), sizes)
    return np.stack(columns, axis=1)[::-1].astype(np.int64)


def compile_ahead() -> None:
    """Begin to compile, beside this process, nearly half of what `edge_counts` needs."""
    from sambench._compile import compiled_beside
    from sambench.metrics.edges._counting import walk

    compiled_beside(walk, "sambench.metrics.edges._assignment", ("compile_assignment",))


def threshold_values(count: int) -> Floats:
    """The thresholds k / (count + 1), rounded as MATLAB's linspace rounds them.

    That decides which side a pixel equal to a threshold falls on: of 5 thresholds the second is
    just above 1/3, so that 85 / 255 stays below it.
    """
    return np.linspace(1 / (count + 1), 1 - 1 / (count + 1), count)


def match(
    predicted: NDArray[Any],
    annotated: NDArray[Any],
    *,
    max_distance: float = MAX_DISTANCE,
    matching: Matching = "berkeley",
    seed: int = 0,
) -> tuple[Bools, Bools]:
    """Match two binary boundary maps one to one, without thinning.

    Args:
        predicted: (H, W), boundary pixels non-zero.
        annotated: (H, W), boundary pixels non-zero.
        max_distance: as in `edge_counts`.
        matching: as in `edge_counts`.
        seed: as in `edge_counts`.

    Returns:
        Which predicted and which annotated pixels are matched, each (H, W) bool; as many of one as
        of the other.

    Raises:
        UserError: the maps or the options cannot be used.
    """
    from sambench.metrics.edges._thinning import Events

    mask = np.asarray(predicted) != 0
    truths = _checked_truths([annotated], mask.shape)
    _check_options(max_distance, matching)
    pixels = np.flatnonzero(mask).astype(np.int32)
    everything = np.arange(len(pixels), dtype=np.int32)
    events = Events(pixels, everything, np.array([0, len(pixels)]), np.zeros(2, dtype=np.int64))
    pairs = _walk(events, truths, max_distance, matching, seed).pairs
    hits, found = np.zeros(mask.shape, dtype=bool), np.zeros(mask.shape, dtype=bool)
    hits.ravel()[pixels[pairs[:, 0]]] = True
    found.ravel()[np.flatnonzero(truths[0])[pairs[:, 1]]] = True
    return hits, found


def thin(binary: NDArray[Any]) -> Bools:
    """Thin a binary map (H, W) to convergence, as MATLAB's ``bwmorph(binary, 'thin', Inf)``.

    Raises:
        UserError: the map has another shape.
    """
    from sambench.metrics.edges._thinning import thinning_events

    mask = np.asarray(binary) != 0
    if mask.ndim != 2:
        raise UserError(f"a map to be thinned must be (H, W), got {mask.shape}.")
    events = thinning_events(mask.astype(np.int16), 1)
    result = np.zeros(mask.shape, dtype=bool)
    result.ravel()[events.pixels] = True
    return result


def _checked_map(edge_map: NDArray[Any]) -> Floats:
    """A boundary map as (H, W) float64, or a UserError."""
    values = np.asarray(edge_map)
    if values.ndim != 2 or not values.size or not np.issubdtype(values.dtype, np.floating):
        raise UserError(
            f"a boundary map must be (H, W) float in [0, 1], got {values.shape} {values.dtype}; "
            "divide an 8-bit map by 255."
        )
    if not (values.min() >= 0 and values.max() <= 1):  # also false for NaN
        raise UserError(
            f"a boundary map must lie in [0, 1], got {values.min()} to {values.max()}; scale it."
        )
    return values.astype(np.float64)


def _checked_truths(annotators: Sequence[NDArray[Any]], shape: tuple[int, ...]) -> list[Bools]:
    """Annotations as (H, W) bool, or a UserError."""
    truths = [np.asarray(truth) != 0 for truth in annotators]
    if not truths:
        raise UserError("a boundary map needs at least one annotator to be scored against.")
    for truth in truths:
        if truth.shape != shape or len(shape) != 2:
            raise UserError(
                f"a boundary map of {shape} cannot be scored against an annotation of "
                f"{truth.shape}; bring both to the image's (H, W)."
            )
    return truths


def _check_options(max_distance: float, matching: str, thresholds: int = 1) -> None:
    if matching not in ("berkeley", "exact"):
        raise UserError(f"matching must be 'berkeley' or 'exact', got {matching!r}.")
    if not 0 < max_distance < 1:
        raise UserError(
            f"max_distance is a fraction of the diagonal in (0, 1), got {max_distance}."
        )
    if not 0 < thresholds < 1 << 15:
        raise UserError(f"thresholds must be a number from 1 to 32767, got {thresholds}.")


class _Walked(NamedTuple):
    """What `_walk` finds: recalled (T,), matched (T, C) from the highest threshold; last pairs."""

    recalled: Counts
    matched: Bools
    pairs: NDArray[np.int32]


def _walk(
    events: Events, truths: Sequence[Bools], max_distance: float, matching: str, seed: int
) -> _Walked:
    """Match each annotator's pixels at each step of the events."""
    from sambench.metrics.edges import _counting, _matching, _outliers, _pairs

    reach = max_distance * float(np.hypot(*truths[0].shape))
    berkeley = matching == "berkeley"
    unmatched = _pairs.outlier_cost(reach) if berkeley else _UNREACHED
    index = _pairs.place(events.pixels, truths[0].shape, reach)
    steps, size = len(events.removed) - 1, len(events.pixels)
    matched, recalled = np.zeros((steps, size), dtype=bool), np.zeros(steps, dtype=np.int64)
    for number, truth in enumerate(truths):
        salt, *rest = np.random.SeedSequence((seed, number)).generate_state(steps + 1, np.uint64)
        sides = _pairs.pair_up(index, size, truth, reach, unmatched, salt)
        scratch = _matching.heap_for(*sides), _outliers.work_for(*sides)
        seeds = np.array(rest if berkeley else [], dtype=np.uint64)
        counts, pairs = _counting.count_matches(events, *sides, *scratch, unmatched, seeds, matched)
        recalled += counts
    return _Walked(recalled, matched, pairs)
