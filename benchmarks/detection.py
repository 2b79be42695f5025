"""Detection metrics beside pycocotools: same input, same run, one thread, outputs compared.

    OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1 python -m benchmarks.detection [--save FILE]

Where faster-coco-eval and hotcoco are installed, which the project does not need, they are peers,
too. Both sides of a comparison take turns in one process. Times are CPU time; a ratio is the median
of the ratios of single turns, with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sambench.engine.environment import environment
from sambench.interfaces import JSON
from sambench.masks import rle
from sambench.metrics.detection import coco as detection
from sambench.metrics.detection import proposals
from sambench.metrics.detection.assignment import take_truths
from sambench.metrics.detection.coco import Detections
from sambench.metrics.statistics import estimates
from sambench.truths import Instances

SIZE = (480, 640)
FREQUENCY = dict(enumerate("rcf" * 27))
BUDGETS = proposals.BUDGETS
ROUNDING = 1e-12
"""Numbers that are further apart differ."""


@dataclass(frozen=True)
class Scene:
    """Objects of an image and what was found there."""

    truth: Instances
    found: Detections


@dataclass(frozen=True)
class Peer:
    """A package with the interface of pycocotools.

    Attributes:
        name: of the distribution.
        encode: a mask (H, W) uint8 in Fortran's order to run lengths.
        index: annotations of COCO's format to its object.
        evaluator: makes COCOeval of truth, results and type.
    """

    name: str
    encode: Callable[[NDArray[np.uint8]], JSON]
    index: Callable[[JSON], Any]
    evaluator: Callable[[Any, Any, str], Any]


def peers() -> Iterator[Peer]:
    """Those that are installed."""
    yield Peer("pycocotools", coco_mask.encode, partial(_indexed, COCO), COCOeval)
    if find_spec("faster_coco_eval") is not None:
        faster: Any = import_module("faster_coco_eval")
        index = partial(_indexed, faster.COCO)
        yield Peer("faster-coco-eval", faster.mask.encode, index, faster.COCOeval_faster)
    if find_spec("hotcoco") is not None:
        hot: Any = import_module("hotcoco")
        yield Peer("hotcoco", hot.mask.encode, hot.COCO, hot.COCOeval)


def _indexed(kind: Callable[[], Any], dataset: JSON) -> Any:
    found = kind()
    found.dataset = dataset
    found.createIndex()
    return found


def blob(centre: NDArray[np.float64], radius: float, rng: np.random.Generator) -> JSON:
    """A closed contour with waves, as a person would draw it."""
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    waves = 1 + 0.2 * np.sin(5 * angle + rng.uniform(0, 6)) + 0.1 * np.sin(11 * angle)
    points = centre + radius * waves[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    parts = coco_mask.frPyObjects([points.clip(0, [SIZE[1], SIZE[0]]).ravel().tolist()], *SIZE)
    encoded: JSON = parts[0]
    return encoded


def scene(objects: int, found: int, rng: np.random.Generator) -> Scene:
    """Objects of sizes as in LVIS; a third of what was found lies near one of them."""
    centres = rng.uniform(0, [SIZE[1], SIZE[0]], (objects, 2))
    radii = np.exp(rng.uniform(np.log(6), np.log(140), objects))
    categories = rng.integers(0, 80, objects)
    rles = tuple(blob(c, r, rng) for c, r in zip(centres, radii, strict=True))
    truth = Instances(
        SIZE,
        rles,
        tuple(range(1, objects + 1)),
        categories,
        rle.boxes(rles),
        rle.areas(rles).astype(np.float64),
        np.zeros(objects, dtype=bool),
    )
    near = rng.integers(0, objects, found)
    close = rng.random(found) < 1 / 3
    shifted = centres[near] + rng.normal(0, 0.08, (found, 2)) * radii[near, None]
    where = np.where(close[:, None], shifted, rng.uniform(0, [SIZE[1], SIZE[0]], (found, 2)))
    sizes = np.where(close, radii[near], np.exp(rng.uniform(np.log(6), np.log(140), found)))
    masks = tuple(blob(c, r, rng) for c, r in zip(where, sizes, strict=True))
    scores = np.round(rng.random(found), 3)
    return Scene(truth, Detections(masks, scores, categories[near]))


def coco_eval(peer: Peer, scenes: Sequence[Scene], max_dets: Sequence[int]) -> Any:
    """COCOeval after `accumulate`; reading its input is part of the work on both sides."""
    annotations: list[JSON] = []
    results: list[JSON] = []
    for image, given in enumerate(scenes):
        for i, encoded in enumerate(given.truth.rles):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(given.truth.categories[i]) + 1,
                    "segmentation": _as_text(encoded),
                    "area": float(given.truth.areas[i]),
                    "iscrowd": 0,
                }
            )
        for i, encoded in enumerate(given.found.rles):
            found = {"image_id": image, "category_id": int(given.found.categories[i]) + 1}
            score = float(given.found.scores[i])
            results.append({**found, "score": score, "segmentation": _as_text(encoded)})
    dataset = {
        "images": [{"id": i, "height": SIZE[0], "width": SIZE[1]} for i in range(len(scenes))],
        "categories": [{"id": i + 1, "name": str(i)} for i in range(80)],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth = peer.index(dataset)
        evaluator = peer.evaluator(truth, truth.loadRes(results), "segm")
        evaluator.params.maxDets = list(max_dets)
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator


def _as_text(encoded: JSON) -> JSON:
    """As JSON has it."""
    return {**encoded, "counts": encoded["counts"].decode()}


def peer_recall(peer: Peer, scenes: Sequence[Scene]) -> dict[str, float]:
    """The seven numbers: four evaluations, each with one category and one ground truth."""
    numbers = {}
    for letter in ("", "r", "c", "f"):
        kept = [given for given in (_single(s, letter) for s in scenes) if len(given.truth)]
        recall = coco_eval(peer, kept, BUDGETS).eval["recall"]
        for n, budget in enumerate(BUDGETS):
            for a, area in enumerate(("", "s", "m", "l") if letter == "" else (letter,)):
                numbers[f"AR{area}@{budget}"] = float(np.mean(recall[:, 0, a, n]))
    return numbers


def _single(given: Scene, letter: str) -> Scene:
    own = [letter in ("", FREQUENCY[int(c)]) for c in given.truth.categories]
    truth = take_truths(given.truth, np.flatnonzero(own))
    truth = replace(truth, categories=np.zeros(len(truth), dtype=np.int64))
    found = replace(given.found, categories=np.zeros(len(given.found), dtype=np.int64))
    return Scene(truth, found)


def our_recall(scenes: Sequence[Scene]) -> dict[str, float]:
    """The seven numbers in one pass."""
    records = [
        proposals.image_record(s.found.rles, s.found.scores, s.truth, FREQUENCY) for s in scenes
    ]
    numbers = proposals.average_recall(records)(np.ones(len(records)))
    return {name: value for name, value in numbers.items() if name.startswith("AR")}


def peer_precision(peer: Peer, scenes: Sequence[Scene]) -> dict[str, float]:
    """COCO's twelve numbers by COCOeval."""
    evaluator = coco_eval(peer, scenes, (1, 10, 100))
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator.summarize()
    names = [*("AP", "AP50", "AP75", "APs", "APm", "APl", "AR@1", "AR@10")]
    names += ["AR@100", "ARs@100", "ARm@100", "ARl@100"]
    return dict(zip(names, map(float, evaluator.stats[:12]), strict=True))


def our_precision(scenes: Sequence[Scene]) -> dict[str, float]:
    """COCO's twelve numbers by sambench."""
    records = [detection.image_record(s.found, s.truth) for s in scenes]
    return detection.average_precision(records)(np.ones(len(records)))


def peer_encode(peer: Peer, masks: NDArray[np.bool_]) -> list[JSON]:
    """The usual idiom of pycocotools."""
    return [peer.encode(np.asfortranarray(mask)) for mask in masks.view(np.uint8)]


def timed(function: Callable[[Any], Any], given: Any) -> tuple[float, Any]:
    """CPU seconds and the result."""
    begin = time.process_time()
    result = function(given)
    return time.process_time() - begin, result


def compare(
    name: str,
    theirs: Callable[[Peer, Any], Any],
    ours: Callable[[Any], Any],
    given: Any,
    repeats: int,
) -> Iterator[tuple[str, JSON]]:
    """Print a line for each peer, and give what is in it; results must be equal, every time."""
    ours(given)  # compile
    for peer in peers():
        turns, furthest = [], 0.0
        for _ in range(repeats):
            (spent, expected), (mine, result) = (
                timed(partial(theirs, peer), given),
                timed(ours, given),
            )
            furthest = max(furthest, apart(f"{name}, {peer.name}", expected, result))
            turns.append((spent, mine))
        ratios = [spent / mine for spent, mine in turns]
        middle = [statistics.median(side) for side in (*zip(*turns, strict=True), ratios)]
        print(
            f"{name:42s} {peer.name:17s} {middle[0]:9.3f} s {middle[1]:9.4f} s {middle[2]:7.1f}x"
            f"  ({min(ratios):.1f} to {max(ratios):.1f})  {furthest:.0e} apart",
            flush=True,
        )
        found = {"ratio": middle[2], "low": min(ratios), "high": max(ratios)}
        spent_by = {"peer_s": middle[0], "s": middle[1], "apart": furthest}
        rounded = {k: float(f"{v:.4g}") for k, v in {**spent_by, **found}.items()}
        yield f"{name}, beside {peer.name} {version(peer.name)}", {**rounded, "turns": repeats}


def apart(name: str, expected: Any, result: Any) -> float:
    """How far the numbers of two results are from each other, at most by rounding."""
    if expected == result:
        return 0.0
    if not isinstance(expected, dict) or expected.keys() != result.keys():
        raise SystemExit(f"{name}: the results differ")
    furthest: float = max(abs(value - result[key]) for key, value in expected.items())
    if not furthest < ROUNDING:
        raise SystemExit(f"{name}: the results differ by {furthest}")
    return furthest


def resamples(scenes: Sequence[Scene], images: int) -> None:
    """Print what intervals cost: no peer has them."""
    records = [detection.image_record(s.found, s.truth) for s in scenes]
    records = (records * (images // len(records) + 1))[:images]
    seconds, _ = timed(
        lambda many: estimates(detection.average_precision(many), len(many), resamples=100),
        records,
    )
    print(f"100 resamples of {images} images: {seconds:.1f} s")


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--images", type=int, default=4, help="images with 1000 proposals each")
    parser.add_argument("--save", type=Path, help="file for what was measured")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    masks = rle.decode([blob(c, r, rng) for c, r in _places(1000, rng)]).copy(order="C")
    crowded = [scene(35, 1000, rng) for _ in range(options.images)]
    usual = [scene(8, 60, rng) for _ in range(50 * options.images)]
    print(f"{'':42s} {'':17s} {'theirs':>11s} {'sambench':>11s} {'ratio':>8s}")
    some = f", {len(crowded)} images", f", {len(usual)} images"
    found: JSON = {}
    for name, theirs, ours, given in (
        ("encode 1000 masks of 640x480", peer_encode, rle.encode, masks),
        (f"AR@10/100/1000, seven each{some[0]}", peer_recall, our_recall, crowded),
        (f"COCO AP, 12 numbers{some[1]}", peer_precision, our_precision, usual),
    ):
        found |= compare(name, theirs, ours, given, options.repeats)
    if options.save:
        about = {"environment": environment(), "load": os.getloadavg()[0]}
        text = json.dumps({**about, "results": found}, indent=1)
        options.save.write_text(text + "\n", encoding="utf-8")
    resamples(usual, 5000)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _places(count: int, rng: np.random.Generator) -> list[tuple[NDArray[np.float64], float]]:
    centres = rng.uniform(0, [SIZE[1], SIZE[0]], (count, 2))
    radii = np.exp(rng.uniform(np.log(6), np.log(140), count))
    return list(zip(centres, radii.tolist(), strict=True))


if __name__ == "__main__":
    main()
