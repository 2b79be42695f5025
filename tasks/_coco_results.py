"""COCO's results JSON, one file an image or one for all: what tasks of masks save and load."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sambench.data.json_input import At, names, read
from sambench.data.json_masks import check_runs, read_run_lengths
from sambench.errors import UserError
from sambench.files import write_json
from sambench.interfaces import JSON, Dataset, Layer, Marks, Sample
from sambench.metrics.detection.assignment import Detections
from sambench.truths import Instances

MOST_DRAWN = 50
"""Of hundreds of masks of an image only so many are drawn."""


@dataclass(frozen=True)
class ImageDetections:
    """What was found in one image.

    Attributes:
        image_id: as in the annotation file.
        detections: masks, scores, categories, and the boxes that were prompted with, if any.
        objects: ids of the annotations that the masks answer to, where each answers to one.
        predicted: the IoU that the model predicted for each mask, where that is not its score.
    """

    image_id: int | str
    detections: Detections
    objects: tuple[int, ...] = ()
    predicted: tuple[float, ...] = ()

    def layer(self) -> Layer:
        """The masks, of hundreds the most confident."""
        order = np.argsort(-self.detections.scores, kind="stable")[:MOST_DRAWN]
        return Layer(masks=[self.detections.rles[i] for i in order])

    def marks(self) -> Marks:
        """The boxes that were prompted with, of hundreds the first."""
        boxes = self.detections.boxes
        return Marks() if boxes is None else Marks(boxes=boxes[:MOST_DRAWN].tolist())


def image_id(sample: Sample) -> int | str:
    """Id of an image as in its annotation file, or its name where there is no such file."""
    known: int | str = sample.truth.extra.get("image_id", sample.id)
    return known


def write_results(found: ImageDetections, stem: Path) -> Path:
    """Write a list of results, ready for ``pycocotools.coco.COCO.loadRes``.

    Boxes go under the key ``prompt``, XYWH: under ``bbox``, pycocotools would take the areas of the
    boxes for those of the masks.
    """
    path = stem.with_name(stem.name + ".json")
    write_json(path, results(found), sync=False)
    return path


def results(found: ImageDetections) -> list[JSON]:
    """One JSON object for each mask, as COCO defines results."""
    masks = found.detections
    return [
        {
            "image_id": found.image_id,
            "category_id": int(masks.categories[i]),
            "segmentation": {"size": list(mask["size"]), "counts": mask["counts"].decode("ascii")},
            "score": float(masks.scores[i]),
            **({} if masks.boxes is None else {"prompt": _xywh(masks.boxes[i])}),
            **({"annotation_id": found.objects[i]} if found.objects else {}),
            **({"predicted_iou": found.predicted[i]} if found.predicted else {}),
        }
        for i, mask in enumerate(masks.rles)
    ]


def _xywh(box: Any) -> list[float]:
    x0, y0, x1, y1 = (float(side) for side in box)
    return [x0, y0, x1 - x0, y1 - y0]


def read_results(stem: Path) -> ImageDetections:
    """Read what `write_results` wrote, or results made elsewhere for one image.

    Raises:
        UserError: the file is missing, no such list, or of several images.
    """
    path = stem.with_name(stem.name + ".json")
    entries = read_entries(path)
    ids = {str(entry["image_id"].id()): entry for entry in entries}
    if len(ids) > 1:
        raise UserError(
            f"{path} has results of {len(ids)} images, such as {names(sorted(ids))}, where those "
            "of one are expected; give a file of all images itself as --predictions."
        )
    return found_in(entries)


def read_entries(
    path: Path, what: str = "image_id, category_id, segmentation and score"
) -> list[At]:
    """The entries of a COCO results JSON.

    Args:
        path: the file.
        what: the members that an entry needs, for the message.

    Raises:
        UserError: it is not a list.
    """
    return read(path).items(f"a COCO results file, a list of objects with {what}")


def found_in(entries: Sequence[At]) -> ImageDetections:
    """The results of one image.

    Raises:
        UserError: a value is of another type, or the mask is not a run-length encoding.
    """
    for key in ("prompt", "annotation_id", "predicted_iou"):
        _require_all_or_none(entries, key)
    boxes = [entry["prompt"].numbers(4) for entry in entries if "prompt" in entry]
    corners = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    objects = [entry["annotation_id"].id() for entry in entries if "annotation_id" in entry]
    predicted = [entry["predicted_iou"].number() for entry in entries if "predicted_iou" in entry]
    masks = [_mask(entry) for entry in entries]
    check_runs((entry["segmentation"], mask) for entry, mask in zip(entries, masks, strict=True))
    return ImageDetections(
        entries[0]["image_id"].id() if entries else "",
        Detections(
            tuple(masks),
            np.array([entry["score"].number() for entry in entries], dtype=np.float64),
            np.array([entry["category_id"].whole() for entry in entries], dtype=np.int64),
            corners if boxes or not entries else None,
        ),
        tuple(objects),  # type: ignore[arg-type]  # a few files name annotations by text
        tuple(predicted),
    )


def _require_all_or_none(entries: Sequence[At], key: str) -> None:
    bare = [entry for entry in entries if key not in entry]
    if 0 < len(bare) < len(entries):
        bare[0].fail(f'has no "{key}", which others have', "give it in all results or in none")


def _mask(entry: At) -> JSON:
    """The run lengths of a result; whether they fit the image is seen when it is scored."""
    if "segmentation" not in entry and "bbox" in entry:
        entry.fail("is a box without a mask", "give boxes to sambench run as detections=")
    at = entry["segmentation"]
    if isinstance(at.value, list):
        at.fail("is polygons", "write run lengths, as pycocotools needs for results")
    return read_run_lengths(at)


def read_all(
    path: Path, ids: Iterable[str], dataset: Dataset, *, categories: bool = False
) -> dict[str, ImageDetections]:
    """Read the results of all images of a dataset from one file, as pycocotools takes it.

    Args:
        path: the file.
        ids: what ``image_id`` may be; those without results are in what is returned, too.
        dataset: whose images they are.
        categories: they must be the dataset's.

    Raises:
        UserError: it is no such file, or has an image or a category that the dataset does not.
    """
    grouped: dict[str, list[At]] = {id: [] for id in ids}
    for entry in read_entries(path):
        id = entry["image_id"].id()
        if str(id) not in grouped:
            entry["image_id"].fail(
                f"is {id}, which dataset {dataset.card.name} does not have",
                "give results of its images, by their ids in the annotation file",
            )
        grouped[str(id)].append(entry)
    found = {id: found_in(entries) for id, entries in grouped.items()}
    if categories:
        given = {c for f in found.values() for c in f.detections.categories.tolist()}
        check_categories(path, sorted(given), dataset)
    return found


def check_categories(path: Path, given: Sequence[int], dataset: Dataset) -> None:
    """Refuse results of categories that a dataset does not know, where it knows any.

    Raises:
        UserError: there are some.
    """
    known: Mapping[int, str] = getattr(dataset, "categories", {})
    strange = [category for category in given if known and category not in known]
    if strange:
        raise UserError(
            f"{path} has {len(strange)} categories that dataset {dataset.card.name} does not, such "
            f"as {strange[0]}; use the category ids of the annotation file."
        )


def require_image(found: ImageDetections, truth: Instances) -> None:
    """Refuse results of another image than the truth.

    Raises:
        UserError: both know the image's id in the annotation file, and they differ.
    """
    known = truth.extra.get("image_id")
    if len(found.detections) and known is not None and str(found.image_id) != str(known):
        raise UserError(
            f"the prediction is of image {found.image_id} and the truth of image {known}; name "
            "each file by the id of its image."
        )
