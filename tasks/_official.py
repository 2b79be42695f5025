"""Average precision by the evaluators that papers used: pycocotools, and lvis for LVIS.

Records then hold the masks themselves, so that all images can be evaluated together at the end.
These evaluators know no weights: there is a value, and no interval.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from sambench.errors import UserError
from sambench.interfaces import JSON
from sambench.metrics.statistics import Kind, Statistic
from sambench.truths import Instances

from ._coco_results import ImageDetections, results

NAMES = (
    *("AP", "AP50", "AP75", "APs", "APm", "APl"),
    *("AR@1", "AR@10", "AR@100", "ARs@100", "ARm@100", "ARl@100"),
)
"""COCOeval's statistics, in its order."""
UNWEIGHTED = Kind(sys.maxsize, False, "the official evaluators know no weights")


def image_record(found: ImageDetections, truth: Instances) -> JSON:
    """Truth and results of one image as COCO-format JSON."""
    height, width = truth.size
    id = truth.extra.get("image_id", found.image_id)
    extra = {key: list(value) for key, value in truth.extra.items() if key.endswith("_ids")}
    given = [{**result, "image_id": id} for result in results(found)]
    objects = [_annotation(truth, i, id) for i in range(len(truth))]
    return {
        "image": {"id": id, "height": height, "width": width, **extra},
        "objects": objects,
        "results": given,
        "frequency": dict(zip(truth.categories.tolist(), truth.extra["frequency"], strict=True))
        if "frequency" in truth.extra
        else {},
    }


def _annotation(truth: Instances, index: int, image_id: int | str) -> JSON:
    rle = truth.rles[index]
    x0, y0, x1, y1 = (float(side) for side in truth.boxes[index])
    return {
        "id": truth.ids[index],
        "image_id": image_id,
        "category_id": int(truth.categories[index]),
        "segmentation": {"size": list(rle["size"]), "counts": rle["counts"].decode("ascii")},
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": float(truth.areas[index]),
        "iscrowd": int(truth.crowd[index]),
    }


def average_precision(records: Sequence[JSON], *, fixed: bool) -> Statistic:
    """AP of all records together; NaN under any other weights than ones.

    Args:
        records: of `image_record`; those of LVIS have a frequency for each category.
        fixed: refuse: neither evaluator has AP-fixed.

    Raises:
        UserError: nothing was detected at all, or the lvis package is missing.
    """
    if fixed:
        raise UserError("the official evaluators have no fixed AP; leave out fixed or official.")
    found = [result for record in records for result in record["results"]]
    if not found:
        raise UserError("nothing was detected, which the official evaluators cannot score.")
    frequency = {int(k): f for record in records for k, f in record["frequency"].items()}
    categories = {o["category_id"] for record in records for o in record["objects"]}
    objects = [o for record in records for o in record["objects"]]
    if any(isinstance(o["id"], str) for o in objects):  # COCOeval keeps ids in an array of numbers
        objects = [{**o, "id": number} for number, o in enumerate(objects, 1)]
    dataset: JSON = {
        "info": {},
        "images": [record["image"] for record in records],
        "annotations": objects,
        "categories": [{"id": c, "frequency": frequency.get(c)} for c in sorted(categories)],
    }
    values = _lvis(dataset, found) if frequency else _coco(dataset, found)
    known = {name: value if value >= 0 else float("nan") for name, value in values.items()}

    def estimate(weights: NDArray[np.float64]) -> dict[str, float]:
        return known if (weights == 1).all() else dict.fromkeys(known, float("nan"))

    return Statistic(estimate, None, dict.fromkeys(known, UNWEIGHTED))


def _coco(dataset: JSON, found: list[JSON]) -> dict[str, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dataset
        truth.createIndex()
        evaluator = COCOeval(truth, truth.loadRes(found), "segm")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return dict(zip(NAMES, map(float, evaluator.stats), strict=True))


def _lvis(dataset: JSON, found: list[JSON]) -> dict[str, float]:
    try:
        from lvis import LVIS, LVISEval, LVISResults
    except ImportError:
        raise UserError(
            "evaluator=official needs the lvis package for LVIS: pip install sambench[lvis]."
        ) from None
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its logger.warn
        path = Path(folder) / "truth.json"
        path.write_text(json.dumps(dataset), encoding="utf-8")
        truth = LVIS(str(path))
        evaluator = LVISEval(truth, LVISResults(truth, found), "segm")
        # Its last release is older than the removal of np.float from NumPy.
        with patch.object(np, "float", float, create=True):
            evaluator.run()
    return {name: float(value) for name, value in evaluator.get_results().items()}
