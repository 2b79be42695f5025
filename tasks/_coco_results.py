"""COCO's results JSON, one file an image: what `proposals` and `instances` save and load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sambench.errors import UserError
from sambench.interfaces import JSON, Sample
from sambench.metrics.assignment import Detections
from sambench.results import read_json, write_json


@dataclass(frozen=True)
class Found:
    """What was found in one image.

    Attributes:
        image_id: as in the annotation file.
        detections: masks, scores, categories, and the boxes that were prompted with, if any.
        objects: ids of the annotations that the masks answer to, where each answers to one.
    """

    image_id: int | str
    detections: Detections
    objects: tuple[int, ...] = ()


def image_id(sample: Sample) -> int | str:
    """Id of an image as in its annotation file, or its name where there is no such file."""
    known: int | str = sample.truth.extra.get("image_id", sample.id)
    return known


def write_results(found: Found, stem: Path) -> Path:
    """Write a list of results, ready for ``pycocotools.coco.COCO.loadRes``.

    Boxes go under the key ``prompt``, XYWH: under ``bbox``, pycocotools would take the areas of the
    boxes for those of the masks.
    """
    path = stem.with_name(stem.name + ".json")
    write_json(path, results(found))
    return path


def results(found: Found) -> list[JSON]:
    """One JSON object for each mask, as COCO defines results."""
    masks = found.detections
    return [
        {
            "image_id": found.image_id,
            "category_id": int(masks.categories[i]),
            "segmentation": {"size": list(rle["size"]), "counts": rle["counts"].decode("ascii")},
            "score": float(masks.scores[i]),
            **({} if masks.boxes is None else {"prompt": _xywh(masks.boxes[i])}),
            **({"annotation_id": found.objects[i]} if found.objects else {}),
        }
        for i, rle in enumerate(masks.rles)
    ]


def _xywh(box: Any) -> list[float]:
    x0, y0, x1, y1 = (float(side) for side in box)
    return [x0, y0, x1 - x0, y1 - y0]


def read_results(stem: Path) -> Found:
    """Read what `write_results` wrote, or results made elsewhere.

    Raises:
        UserError: the file is missing, or no such list.
    """
    path = stem.with_name(stem.name + ".json")
    entries = read_json(path)
    try:
        return _found(entries)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{path} is no COCO results JSON ({error!r}): a list of objects with image_id, "
            "category_id, segmentation and score is needed."
        ) from None


def _found(entries: Any) -> Found:
    if not isinstance(entries, list):
        raise TypeError(f"it holds a {type(entries).__name__}")
    rles = [entry["segmentation"] for entry in entries]
    boxes = [entry["prompt"] for entry in entries if "prompt" in entry]
    corners = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return Found(
        entries[0]["image_id"] if entries else "",
        Detections(
            tuple({"size": rle["size"], "counts": rle["counts"].encode("ascii")} for rle in rles),
            np.array([entry["score"] for entry in entries], dtype=np.float64),
            np.array([entry["category_id"] for entry in entries], dtype=np.int64),
            corners if boxes or not entries else None,
        ),
        tuple(entry["annotation_id"] for entry in entries if "annotation_id" in entry),
    )
