"""Files whose categories are numbered otherwise than the dataset's are refused, never scored."""

import json

import numpy as np
import pytest

from sambench.errors import UserError
from sambench.interfaces import Dataset, DatasetCard
from sambench.masks import rle
from sambench.registry import load
from sambench.tasks._numbering import check_numbering
from sambench.truths import Instances

SIZE = (60, 200)


class Numbered(Dataset):
    """Two images, each with six objects of the categories given, side by side."""

    card = DatasetCard("numbered", "numbered", "none", "none")
    truths = (Instances,)
    ids = ("1", "2")
    fingerprint = "numbered"
    categories = {1: "a", 2: "b", 3: "c", 5: "e", 8: "h", 9: "i"}  # noqa: RUF012

    def __init__(self, *given):
        self.given = given or tuple(self.categories)

    def annotated(self, ids):
        return len(ids) * len(self.given), 0

    def read_image(self, id):
        return np.zeros((*SIZE, 3), np.uint8)

    def read_truth(self, id, kind):
        count = len(self.given)
        boxes = np.array([(30 * i, 10, 30 * i + 20, 50) for i in range(count)])
        masks = np.zeros((count, *SIZE), bool)
        for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
            mask[y0:y1, x0:x1] = True
        return Instances(
            SIZE,
            tuple(rle.encode(masks)),
            tuple(range(count)),
            np.array(self.given),
            boxes.astype(float),
            np.full(count, 800.0),
            np.zeros(count, bool),
            extra={"image_id": int(id)},
        )


def written(path, dataset, numbers):
    """A file of the box and mask of each object, whose categories get other numbers."""
    entries = [
        {
            "image_id": int(id),
            "category_id": numbers.get(category, category),
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "segmentation": {"size": list(mask["size"]), "counts": mask["counts"].decode()},
            "score": 0.5,
        }
        for id in dataset.ids
        for truth in [dataset.read_truth(id, Instances)]
        for category, mask, (x0, y0, x1, y1) in zip(
            dataset.given, truth.rles, truth.boxes.tolist(), strict=True
        )
    ]
    path.write_text(json.dumps(entries))
    return path


def as_boxes(path, dataset):
    task = load("task", f"instances:detections={path}")
    task.check(dataset)
    task.check_images(dataset, dataset.ids)


def as_masks(path, dataset):
    load("task", "instances:source=elsewhere").load_all(path, dataset)


def as_named_masks(path, dataset):
    load("task", "open_vocabulary").load_all(path, dataset)


READERS = [as_boxes, as_masks, as_named_masks]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("numbers", [{}, {5: 8, 8: 9}], ids=["right", "a third is mistaken"])
def test_a_detector_may_err(read, numbers, tmp_path):
    dataset = Numbered()
    read(written(tmp_path / "found.json", dataset, numbers), dataset)


@pytest.mark.parametrize("read", READERS)
def test_other_numbers_are_refused_with_what_was_seen(read, tmp_path):
    dataset = Numbered()
    file = written(tmp_path / "wrong.json", dataset, {1: 2, 2: 3, 3: 5, 5: 8, 8: 9, 9: 1})
    with pytest.raises(UserError) as caught:
        read(file, dataset)
    assert str(file) in str(caught.value)
    assert "of 12 annotated objects that it finds, 0 are found under their own" in str(caught.value)


@pytest.mark.parametrize("read", READERS)
def test_places_in_the_list_are_known_by_what_they_find(read, tmp_path):
    """The first categories have equal numbers, so that a third of the file is right."""
    dataset = Numbered(1, 2, 8, 8, 8, 8)
    file = written(tmp_path / "places.json", dataset, {8: 5})
    with pytest.raises(UserError, match=r"places in the list of 6, from 1: read so, 12 are right"):
        read(file, dataset)


def test_few_objects_prove_nothing(tmp_path):
    dataset = Numbered()
    boxes = dataset.read_truth("1", Instances).boxes
    check_numbering({"1": (boxes, np.full(6, 9))}, tmp_path, dataset, ["1"])


def test_a_detector_of_coco_on_lvis_is_refused(shared):
    """NanoDet's file numbers categories as COCO does; its AP of LVIS's categories would be 0."""
    folder = shared / "data" / "lvis_v0.5"
    dataset = load("dataset", "lvis", root=folder, annotations=folder / "lvis_val_100.json")
    file = folder / "nanodet-m-416_lvis_val_100_cococats_bbox.json"
    with pytest.raises(UserError, match=r"of 116 annotated objects that it finds, 0 are found"):
        as_boxes(f"{file},coverage=any", dataset)
