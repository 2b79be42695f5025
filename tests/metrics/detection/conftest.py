"""Real images, made-up detections, and the trusted evaluators."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.ndimage import binary_dilation

from sambench.metrics.detection.assignment import Detections
from sambench.truths import Instances

SHARED = Path(__file__).resolve().parents[4] / "shared"


def need(path: str) -> Path:
    if not (SHARED / path).exists():
        pytest.skip(f"{path} is not on this machine")
    return SHARED / path


def quiet(function, *args, **kwargs):
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*args, **kwargs)


def instances_of(dataset: dict[str, Any]) -> dict[int, Instances]:
    """Truth by image id, straight from a COCO-format file."""
    api = COCO()
    api.dataset = dataset
    quiet(api.createIndex)
    result = {}
    for image in sorted(api.imgs):
        found = api.imgToAnns[image]
        boxes = np.array([a["bbox"] for a in found], dtype=float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        info = api.imgs[image]
        names = "neg_category_ids", "not_exhaustive_category_ids"
        result[image] = Instances(
            (info["height"], info["width"]),
            tuple(api.annToRLE(a) for a in found),
            tuple(a["id"] for a in found),
            np.array([a["category_id"] for a in found], dtype=np.int64),
            boxes,
            np.array([a["area"] for a in found], dtype=float),
            np.array([a.get("iscrowd", 0) for a in found], dtype=bool),
            extra={name: info[name] for name in names if name in info},
        )
    return result


def first_images(dataset: dict[str, Any], count: int) -> dict[str, Any]:
    images = sorted(dataset["images"], key=lambda image: image["id"])[:count]
    kept = {image["id"] for image in images}
    annotations = [a for a in dataset["annotations"] if a["image_id"] in kept]
    return {**dataset, "images": images, "annotations": annotations}


def ellipse(size: tuple[int, int], box: np.ndarray) -> dict[str, Any]:
    """The mask of the ellipse in an XYXY box."""
    (x0, y0, x1, y1), (height, width) = box, size
    mask = np.zeros(size, np.uint8, order="F")
    rows = slice(max(int(y0), 0), min(int(y1) + 1, height))
    columns = slice(max(int(x0), 0), min(int(x1) + 1, width))
    y, x = np.ogrid[rows, columns]
    rx, ry = max((x1 - x0) / 2, 0.1), max((y1 - y0) / 2, 0.1)
    mask[rows, columns] = ((x - (x0 + x1) / 2) / rx) ** 2 + ((y - (y0 + y1) / 2) / ry) ** 2 <= 1
    return coco_mask.encode(mask)


def detections_of(boxes: list[dict[str, Any]], size: tuple[int, int]) -> Detections:
    """Detected boxes as ellipses, with scores rounded so that many are equal."""
    corners = np.array([d["bbox"] for d in boxes], dtype=float).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return Detections(
        tuple(ellipse(size, box) for box in corners),
        np.round([d["score"] for d in boxes], 2),
        np.array([d["category_id"] for d in boxes], dtype=np.int64),
        corners,
    )


def perturbed(truth: Instances, rng: np.random.Generator, extra: int = 2) -> Detections:
    """Shifted and grown true masks, in their own or another category, some of them empty."""
    rles, scores, categories = [], [], []
    pool = np.append(truth.categories, 1)
    for index in np.repeat(np.arange(len(truth)), extra):
        mask = coco_mask.decode(truth.rles[index])
        mask = np.roll(mask, rng.integers(-4, 5, 2), axis=(0, 1))
        if rng.random() < 0.4:
            mask = binary_dilation(mask, np.ones((3, 3)), iterations=int(rng.integers(1, 4)))
        mask = mask * (rng.random() > 0.05)
        rles.append(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))))
        scores.append(rng.integers(0, 8) / 8)
        categories.append(truth.categories[index] if rng.random() < 0.8 else rng.choice(pool))
    return Detections(tuple(rles), np.array(scores), np.array(categories, dtype=np.int64))


def as_dataset(truths: Mapping[int, Instances], categories: list[dict[str, Any]]) -> dict[str, Any]:
    """Truth as a COCO-format data set with the very values that the evaluator under test sees."""
    images, annotations = [], []
    for image, truth in truths.items():
        height, width = truth.size
        images.append({"id": image, "height": height, "width": width, **truth.extra})
        for i, rle in enumerate(truth.rles):
            x0, y0, x1, y1 = truth.boxes[i].tolist()
            annotations.append(
                {
                    "id": truth.ids[i],
                    "image_id": image,
                    "category_id": int(truth.categories[i]),
                    "segmentation": rle,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": float(truth.areas[i]),
                    "iscrowd": int(truth.crowd[i]),
                }
            )
    return {"images": images, "annotations": annotations, "categories": categories, "info": {}}


def as_results(found: Mapping[int, Detections], iou_type: str) -> list[dict[str, Any]]:
    """Detections as a result list, with boxes or masks only, as the traps of both demand."""
    results = []
    for image, detections in found.items():
        boxes = detections.xyxy()
        for i in range(len(detections)):
            shape: dict[str, Any] = {"segmentation": dict(detections.rles[i])}
            if iou_type == "bbox":
                x0, y0, x1, y1 = boxes[i].tolist()
                shape = {"bbox": [x0, y0, x1 - x0, y1 - y0]}
            common = {"image_id": image, "category_id": int(detections.categories[i])}
            results.append({**common, "score": float(detections.scores[i]), **shape})
    return results


def cv2_boundary(mask: np.ndarray, ratio: float = 0.02) -> np.ndarray:
    """The mask less its erosion, as Boundary IoU defines it: literally, with OpenCV."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    height, width = mask.shape
    distance = max(1, round(ratio * np.sqrt(height**2 + width**2)))
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=distance)
    return mask - eroded[1 : height + 1, 1 : width + 1]


class BoundaryEval(COCOeval):
    """COCOeval with the lesser of mask IoU and Boundary IoU, but mask IoU for crowd regions."""

    def computeIoU(self, image, category):  # noqa: N802
        masks = super().computeIoU(image, category)
        if not len(masks):
            return masks
        both = copy.copy(self)
        both._gts, both._dts = (
            {(image, category): [self._contour(a) for a in group[image, category]]}
            for group in (self._gts, self._dts)
        )
        contours = COCOeval.computeIoU(both, image, category)
        crowd = [bool(g["iscrowd"]) for g in self._gts[image, category]]
        return np.where(crowd, masks, np.minimum(masks, contours))

    @staticmethod
    def _contour(annotation):
        contour = cv2_boundary(coco_mask.decode(annotation["segmentation"]))
        return {**annotation, "segmentation": coco_mask.encode(np.asfortranarray(contour))}


def run_coco(
    dataset: dict[str, Any],
    found: Mapping[int, Detections],
    iou_type: str = "segm",
    max_dets: tuple[int, ...] = (1, 10, 100),
) -> COCOeval:
    """COCOeval after `accumulate`."""
    truth = COCO()
    truth.dataset = copy.deepcopy(dataset)
    quiet(truth.createIndex)
    kind = "bbox" if iou_type == "bbox" else "segm"
    results = quiet(truth.loadRes, as_results(found, kind))
    evaluator = (BoundaryEval if iou_type == "boundary" else COCOeval)(truth, results, kind)
    evaluator.params.maxDets = list(max_dets)
    quiet(evaluator.evaluate)
    quiet(evaluator.accumulate)
    return evaluator


def coco_numbers(evaluator: COCOeval) -> dict[str, float]:
    """COCOeval's twelve numbers by our names."""
    quiet(evaluator.summarize)
    names = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR@1", "AR@10"]
    names += ["AR@100", "ARs@100", "ARm@100", "ARl@100"]
    stats = [float("nan") if s == -1 else float(s) for s in evaluator.stats]
    return dict(zip(names, stats, strict=True))


def run_lvis(
    dataset: dict[str, Any],
    found: Mapping[int, Detections],
    iou_type: str = "segm",
    max_dets: int = 300,
    per_category: int | None = None,
) -> dict[str, float]:
    """The numbers of the lvis package; it asks for a name that NumPy 2 no longer has."""
    pytest.importorskip("lvis", reason="the optional extra lvis is not installed")
    from lvis import LVIS, LVISEval, LVISResults

    logging.getLogger("lvis").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "The 'warn' method", DeprecationWarning)  # lvis's own
    truth = LVIS.__new__(LVIS)
    truth.logger = logging.getLogger("lvis.lvis")
    truth.dataset = copy.deepcopy(dataset)
    truth._create_index()
    results = as_results(found, iou_type)
    if per_category is not None:
        results = limited(results, per_category)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "float", float, raising=False)
        evaluator = LVISEval(truth, LVISResults(truth, results, max_dets=max_dets), iou_type)
        evaluator.run()
    numbers = evaluator.get_results().items()
    return {name: float("nan") if value == -1 else float(value) for name, value in numbers}


def limited(results: list[dict[str, Any]], per_category: int) -> list[dict[str, Any]]:
    """The most confident results of each category over all images: AP-fixed, literally."""
    kept = []
    for category in {result["category_id"] for result in results}:
        own = [result for result in results if result["category_id"] == category]
        kept += sorted(own, key=lambda result: result["score"], reverse=True)[:per_category]
    return kept


@pytest.fixture(scope="session")
def oracle() -> SimpleNamespace:
    """The functions of this file."""
    return SimpleNamespace(**{name: item for name, item in globals().items() if callable(item)})


@pytest.fixture(scope="session")
def coco() -> dict[str, Any]:
    """The first 45 images in order of id."""
    path = need("data/coco/annotations/instances_train2017.json")
    return first_images(json.loads(path.read_text()), 45)


@pytest.fixture(scope="session")
def coco_truth(coco) -> dict[int, Instances]:
    return instances_of(coco)


@pytest.fixture(scope="session")
def lvis_data() -> dict[str, Any]:
    return first_images(json.loads(need("data/lvis_v0.5/lvis_val_100.json").read_text()), 40)


@pytest.fixture(scope="session")
def lvis_truth(lvis_data) -> dict[int, Instances]:
    return instances_of(lvis_data)


@pytest.fixture(scope="session")
def coco_found(coco_truth) -> dict[int, Detections]:
    path = need("data/coco/annotations/nanodet-m-416_train2017_bbox.json")
    boxes: dict[int, list[dict[str, Any]]] = {image: [] for image in coco_truth}
    for box in json.loads(path.read_text()):
        boxes.get(box["image_id"], []).append(box)
    return {image: detections_of(boxes[image], truth.size) for image, truth in coco_truth.items()}
